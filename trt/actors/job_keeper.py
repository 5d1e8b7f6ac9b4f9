"""JobKeeper: every unfinished job has its actor, every stored callback reaches its job."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import trio
from attrs import frozen

from trt.actors.bells import Bell
from trt.actors.happening import Happening
from trt.actors.kie_job import CallbackArrived
from trt.actors.settlement import Clerk
from trt.domain.ids import JobId, ModelId
from trt.domain.job import Job, JobState
from trt.domain.job_timing import FORECAST_FROM, forecast
from trt.domain.reasons import Reason
from trt.kie.gate import KIEGate
from trt.kie.limiter import KIE_WITHIN_S
from trt.sources import Sources
from trt.storage import job_attempts, jobs, kie_callbacks
from trt.storage.database import Database, Transaction
from trt.supervision import Context, Directory, DirectoryFull, MailboxFull
from trt.telemetry.stream import EventStream

SWEEP_EVERY_S = 10.0
LOOK_EVERY_S = 1.0
"""How long a callback that a passive instance stored can stay unnoticed, its bell unheard."""
LEARN_EVERY_S = 60.0
"""How old the board's forecasts may be."""


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
    kie: KIEGate
    jobs: Directory[JobId, CallbackArrived]
    wake_delivery: Callable[[], None]
    called_back: Bell
    """Rung when a passive instance has stored callbacks of this shard."""


class JobKeeper:
    """Holds the receiver of the callback channel while this instance is active.

    At the start it gives each unfinished job an actor again; then it wakes the job of each
    callback, sweeps for jobs and callbacks that slipped by, and ends the jobs whose actors were
    given up, or whose result nobody fetched while it lived: the money goes back. It has those asked
    about whose result may come late, and learns how long the models take. It owns no state.
    """

    def __init__(
        self, parts: JobKeeperParts, callbacks: "trio.MemoryReceiveChannel[JobId]"
    ) -> None:
        self._parts = parts
        self._callbacks = callbacks
        self._told: dict[JobId, None] = {}
        """Jobs whose stored callback they were woken for, since the last sweep."""
        self._left_alone: dict[JobId, None] = {}
        """Unfinished jobs that need no actor, or that this release cannot read."""
        self._learned_s = -LEARN_EVERY_S

    async def run(self, ctx: Context[JobGivenUp]) -> None:
        """Keep jobs alive until asked to stop."""
        turns = ctx.turns()
        ctx.ready()  # updates need not wait for the jobs to be looked up
        await self._remember_calls()
        await self._sweep()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._receive_callbacks)
            nursery.start_soon(self._look_often)
            async for turn in turns:
                await self._end(turn.message.job_id, Reason.JOB_CRASHED)
            nursery.cancel_scope.cancel()

    async def _remember_calls(self) -> None:
        """Have KIE's limit count what the last holder called: to KIE we are one account.

        The ages are by our clock and may be a little off; KIE's refusal is only a pause.
        """
        parts = self._parts
        parts.kie.remember(
            parts.clerk.shard,
            await parts.db.transact(
                job_attempts.ages_s,
                shard=parts.clerk.shard,
                before_epoch=parts.clerk.epoch,
                within_s=KIE_WITHIN_S,
                now=parts.sources.now(),
            ),
        )

    async def _receive_callbacks(self) -> None:
        while True:
            self._wake(await self._callbacks.receive())

    async def _look_often(self) -> None:
        swept_s = trio.current_time()
        while True:
            with trio.move_on_after(LOOK_EVERY_S):
                await self._parts.called_back.wait()
            if trio.current_time() - swept_s < SWEEP_EVERY_S:
                await self._look()
            else:
                await self._sweep()
                swept_s = trio.current_time()

    async def _sweep(self) -> None:
        parts = self._parts
        unfinished = await parts.db.transact(jobs.unfinished, shard=parts.clerk.shard)
        now = parts.sources.now()
        # A job in delivery waits for the delivery and needs no actor.
        ours = {
            job.job_id: None
            for job in unfinished
            if isinstance(job, Job) and job.state is not JobState.DELIVERING
        }
        self._left_alone = {job.job_id: None for job in unfinished if job.job_id not in ours}
        for job in unfinished:
            if isinstance(job, Job) and job.is_uncollected(now):
                await self._end(job.job_id, Reason.DELIVERY_FAILED)
        late = await parts.db.transact(jobs.to_look_at, shard=parts.clerk.shard, now=now)
        try:
            for job_id in (*ours, *late):
                parts.jobs.ensure(job_id)
        except DirectoryFull:
            return  # the rest gets its actors when others have ended
        await self._learn()
        self._told.clear()
        await self._look()

    async def _look(self) -> None:
        """Wake the jobs whose callback was stored by somebody else."""
        parts = self._parts
        for job_id, _ in await parts.db.transact(kie_callbacks.waiting, shard=parts.clerk.shard):
            if job_id not in self._told:
                self._told[job_id] = None
                self._wake(job_id)

    async def _learn(self) -> None:
        """Have the board know how long the models take lately."""
        now_s = trio.current_time()
        if now_s - self._learned_s < LEARN_EVERY_S:
            return
        self._learned_s = now_s
        parts = self._parts
        measured = await parts.db.transact(_durations, tuple(parts.clerk.catalogue.models))
        parts.clerk.board.learn(
            {
                model_id: expected
                for model_id, durations_s in measured.items()
                if (expected := forecast(durations_s)) is not None
            }
        )

    async def _end(self, job_id: JobId, reason: Reason) -> None:
        parts = self._parts
        happenings: tuple[Happening, ...] = await parts.db.transact(
            parts.clerk.failed_by_id, job_id, reason, parts.sources.now()
        )
        for happening in happenings:
            parts.events.emit(happening.name, **happening.fields)
        parts.wake_delivery()

    def _wake(self, job_id: JobId) -> None:
        if job_id in self._left_alone:
            return
        # With a full mailbox it has wake-ups enough; else the next sweep finds the callback.
        with suppress(MailboxFull, DirectoryFull):
            self._parts.jobs.tell_nowait(job_id, CallbackArrived())


def _durations(tx: Transaction, models: Sequence[ModelId]) -> dict[ModelId, list[float]]:
    return {model_id: jobs.durations_s(tx, model_id, limit=FORECAST_FROM) for model_id in models}
