"""JobHand: moves one job's row from step to step and tells of it; what all its stories share."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from attrs import frozen

from trt.actors.happening import Happening
from trt.actors.job_board import JobBoard
from trt.actors.picture_courier import PictureCourier
from trt.actors.settlement import Clerk
from trt.domain.ids import JobId, TaskId
from trt.domain.job import Job
from trt.domain.reasons import Reason
from trt.kie.gate import KIEGate
from trt.sources import Sources
from trt.storage import kie_callbacks
from trt.storage.database import Database
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream


@frozen(kw_only=True)
class JobParts:
    """What every job actor of an active branch shares."""

    db: Database
    kie: KIEGate
    pictures: PictureCourier
    clerk: Clerk
    board: JobBoard
    sources: Sources
    events: EventStream
    submit_grace_s: float
    callback_url: Callable[[JobId], str | None]
    wake_delivery: Callable[[], None]


@frozen
class JobHand:
    """Each method is one transaction, told of after its commit.

    Where one returns None, somebody else had moved the job: whoever holds it lets go.
    """

    parts: JobParts

    async def move(self, step: Callable[..., Job | None], job: Job, *more: object) -> Job | None:
        """Take a step of the clerk's that says nothing to the user."""
        moved = await self.parts.db.transact(step, job, *more, self.parts.sources.now())
        if moved is not None:
            self.tell(moved, EventName.TASK_STATE, state=moved.state)
        return moved

    async def running(self, job: Job, task_id: TaskId) -> Job | None:
        """KIE has it as this task."""
        return await self._moved(self.parts.clerk.running, job, task_id)

    async def deliver(
        self, job: Job, urls: tuple[str, ...], consumed: Decimal | None
    ) -> Job | None:
        """Hand the result to the delivery."""
        return await self._moved(self.parts.clerk.deliver, job, urls, consumed)

    async def fail(self, job: Job, reason: Reason, consumed: Decimal | None = None) -> Job | None:
        """Give the money back."""
        return await self._moved(self.parts.clerk.failed, job, reason, consumed)

    async def _moved(
        self, step: Callable[..., tuple[Job, tuple[Happening, ...]] | None], *arguments: object
    ) -> Job | None:
        outcome = await self.parts.db.transact(step, *arguments, self.parts.sources.now())
        if outcome is None:
            return None
        moved, happenings = outcome
        self.tell(moved, EventName.TASK_STATE, state=moved.state)
        self.told(happenings)
        return moved

    async def task_called_back(self, job: Job) -> TaskId | None:
        """Return the task that a callback named."""
        return await self.parts.db.transact(kie_callbacks.task_of, job.job_id)

    def told(self, happenings: tuple[Happening, ...]) -> None:
        """Tell what was committed, and wake the delivery for what it says."""
        for happening in happenings:
            self.parts.events.emit(happening.name, **happening.fields)
        self.parts.wake_delivery()

    def tell(self, job: Job, name: EventName, **fields: FieldValue) -> None:
        """Emit an event about the job."""
        self.parts.events.emit(name, cid=job.cid, user_id=job.user_id, job_id=job.job_id, **fields)

    def left_s(self, until: datetime) -> float:
        """Return the seconds until a time; negative after it."""
        return (until - self.parts.sources.now()).total_seconds()

    def chance(self) -> float:
        """Return a random number from 0 to 1, for jitter."""
        return self.parts.sources.random().random()
