"""SessionActor: one user's updates, in order, one at a time."""

from collections.abc import Callable

from attrs import frozen

from trt.actors.handling import AlreadyHandled, Handled, Shop, Stamp, handle
from trt.domain.ids import DraftId, JobId, Shard, UpdateId
from trt.sources import Sources
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Context
from trt.telemetry.stream import EventStream


@frozen
class HandleUpdate:
    """This update is yours; it is committed in the inbox."""

    row: InboxRow


@frozen(kw_only=True)
class SessionParts:
    """What every session of an active branch shares."""

    db: Database
    sources: Sources
    events: EventStream
    shop: Shop
    epoch: int
    shard: Shard
    wake_delivery: Callable[[], None]
    start_job: Callable[[JobId], None]
    finished: Callable[[UpdateId], None]


class SessionActor:
    """Carries out what the dialog decides, one transaction per update.

    Receives `HandleUpdate`; wakes the delivery and the job actors after the commit. It owns no
    state: the conversation is read and written inside the transaction, so a restart or passivation
    loses nothing, and an update whose handling crashed is handled again.
    """

    def __init__(self, parts: SessionParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[HandleUpdate]) -> None:
        """Handle updates until asked to stop or passivated."""
        async for turn in ctx.turns():
            await self._handle(turn.message.row)

    async def _handle(self, row: InboxRow) -> None:
        parts = self._parts
        stamp = Stamp(
            now=parts.sources.now(),
            epoch=parts.epoch,
            shard=parts.shard,
            draft_id=DraftId(parts.sources.token(8)),
            job_id=JobId(parts.sources.token(32)),
        )
        outcome = await parts.db.transact(handle, row, parts.shop, stamp)
        parts.finished(row.update_id)
        match outcome:
            case AlreadyHandled():
                return
            case Handled(happenings=happenings, started_jobs=started_jobs):
                for happening in happenings:
                    parts.events.emit(happening.name, **happening.fields)
                parts.wake_delivery()
                for job_id in started_jobs:
                    parts.start_job(job_id)
