"""JobKeeper: every unfinished job has its actor, every stored callback reaches its job."""

from collections.abc import Callable
from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.kie_job import CallbackArrived
from trt.actors.settlement import Clerk
from trt.domain.ids import JobId
from trt.domain.job import JobState
from trt.domain.reasons import Reason
from trt.sources import Sources
from trt.storage import jobs, kie_callbacks
from trt.storage.database import Database
from trt.supervision import Context, Directory, DirectoryFull, MailboxFull
from trt.telemetry.stream import EventStream

SWEEP_EVERY_S = 10.0
"""How long a callback that a passive instance stored can stay unnoticed."""


@frozen
class JobGivenUp:
    """This job's actor crashed more often than its budget allows."""

    job_id: JobId


@frozen(kw_only=True)
class JobKeeperParts:
    """What the keeper needs of the active branch."""

    db: Database
    sources: Sources
    events: EventStream
    clerk: Clerk
    jobs: Directory[JobId, CallbackArrived]
    wake_delivery: Callable[[], None]


class JobKeeper:
    """Holds the receiver of the callback channel while this instance is active.

    At the start it gives each unfinished job an actor again; then it wakes the job of each
    callback, sweeps for jobs and callbacks that slipped by, and ends the jobs whose actors were
    given up: the money goes back. It owns no state.
    """

    def __init__(
        self, parts: JobKeeperParts, callbacks: "trio.MemoryReceiveChannel[JobId]"
    ) -> None:
        self._parts = parts
        self._callbacks = callbacks

    async def run(self, ctx: Context[JobGivenUp]) -> None:
        """Keep jobs alive until asked to stop."""
        turns = ctx.turns()
        await self._sweep()
        ctx.ready()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive_callbacks)
            nursery.start_soon(self._sweep_often)
            async for turn in turns:
                await self._end(turn.message.job_id)
            nursery.cancel_scope.cancel()

    async def _receive_callbacks(self) -> None:
        while True:
            self._wake(await self._callbacks.receive())

    async def _sweep_often(self) -> None:
        while True:
            await trio.sleep(SWEEP_EVERY_S)
            await self._sweep()

    async def _sweep(self) -> None:
        parts = self._parts
        unfinished = await parts.db.transact(jobs.unfinished, shard=parts.clerk.shard)
        # A job in delivery waits for the delivery and needs no actor.
        ours = {job.job_id: None for job in unfinished if job.state is not JobState.DELIVERING}
        try:
            for job_id in ours:
                parts.jobs.ensure(job_id)
        except DirectoryFull:
            return  # the rest gets its actors when others have ended
        for job_id, _ in await parts.db.transact(kie_callbacks.waiting):
            if job_id in ours:
                self._wake(job_id)

    async def _end(self, job_id: JobId) -> None:
        parts = self._parts
        happenings = await parts.db.transact(
            parts.clerk.failed_by_id, job_id, Reason.JOB_CRASHED, parts.sources.now()
        )
        for happening in happenings:
            parts.events.emit(happening.name, **happening.fields)
        parts.wake_delivery()

    def _wake(self, job_id: JobId) -> None:
        # With a full mailbox it has wake-ups enough; else the next sweep finds the callback.
        with suppress(MailboxFull, DirectoryFull):
            self._parts.jobs.tell_nowait(job_id, CallbackArrived())
