"""KIEJobActor: the story of one generation, from the held money to the result in the outbox."""

import math
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

import trio
from attrs import frozen

from trt.actors.job_hand import JobHand, JobParts
from trt.actors.submission import Submission
from trt.domain.ids import JobId, TaskId
from trt.domain.job import Job, JobState, Phase
from trt.domain.job_timing import RECORD_GRACE_S, poll_delay_s
from trt.domain.model_card import OutputKind
from trt.domain.reasons import Reason
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import (
    Failed,
    NotFound,
    Succeeded,
    TaskRecord,
    Working,
)
from trt.storage import jobs
from trt.storage.job_attempts import AttemptOutcome
from trt.supervision import Context, Turn
from trt.telemetry.events import EventName

ADOPTION_LOOK_S = 5.0
"""How often an order of unknown fate looks for a stored callback that nobody woke it for."""


@frozen
class CallbackArrived:
    """KIE has called back about this job; the callback is stored."""


Turns = AsyncIterator[Turn[CallbackArrived]]


class KIEJobActor:
    """Reserve → stand in line → submit → wait → settle: one state committed before each step.

    Receives `CallbackArrived`, which is only a wake-up: KIE's record is read again before anything
    is decided. A stop is an interruption, not a failure: the row keeps its state, and the next
    incarnation goes on from there. It ends when the result is in the outbox or the money is back;
    given a job that was given up, it looks once whether a result came all the same.
    """

    def __init__(self, job_id: JobId, parts: JobParts) -> None:
        self._job_id = job_id
        self._parts = parts
        self._hand = JobHand(parts)

    async def run(self, ctx: Context[CallbackArrived]) -> None:
        """Carry the job on from the state it is in."""
        turns = ctx.turns()
        job: Job | None = await self._recall()
        if job is not None and job.state is JobState.FAILED:
            await self._look_late(ctx, job)
        submission = None if job is None else Submission(self._hand, job)
        while job is not None and submission is not None and not ctx.is_stopping:
            match job.state:
                case JobState.RESERVED:
                    job = await submission.submit(ctx, job)
                case JobState.SUBMIT_UNKNOWN:
                    job = await self._adopt(ctx, turns, job)
                case JobState.RUNNING:
                    job = await self._watch(ctx, turns, job)
                case JobState.DELIVERING | JobState.DELIVERED | JobState.FAILED:
                    await _forget(turns)
                    return
                case JobState.SUBMITTING:
                    raise AssertionError("submitting is left before this loop sees it")
                case _:
                    assert_never(job.state)

    async def _recall(self) -> Job | None:
        """Read the row; a former incarnation's open createTask has an unknown outcome."""
        job = await self._parts.db.transact(jobs.get, self._job_id)
        if not isinstance(job, Job):
            return None  # what this release cannot read waits for the one that can
        if job.state is JobState.SUBMITTING:
            return await self._hand.move(self._parts.clerk.unknown, job, AttemptOutcome.INTERRUPTED)
        return job

    async def _adopt(self, ctx: Context[CallbackArrived], turns: Turns, job: Job) -> Job | None:
        """Wait for a callback to say which task is ours; after the grace, give the money back."""
        assert job.submitted_at is not None
        until = job.submitted_at + timedelta(seconds=self._parts.submit_grace_s)
        while not ctx.is_stopping:
            task_id = await self._hand.task_called_back(job)
            if task_id is not None:
                return await self._hand.running(job, task_id)
            left_s = self._hand.left_s(until)
            if left_s <= 0:
                return await self._hand.fail(job, Reason.SUBMIT_UNKNOWN)
            await _wake_up(turns, min(ADOPTION_LOOK_S, left_s))
        return job

    # Waiting

    async def _watch(self, ctx: Context[CallbackArrived], turns: Turns, job: Job) -> Job | None:
        """Read KIE's record after each callback and each poll delay, until the deadline."""
        assert job.task_id is not None
        assert job.submitted_at is not None
        phase, troubles = Phase.QUEUED, 0
        kind = self._kind(job)
        while True:
            age_s = -self._hand.left_s(job.submitted_at)
            pause_s = poll_delay_s(age_s, self._hand.chance(), kind, troubles)
            pause_s = max(0.0, min(pause_s, self._hand.left_s(job.deadline_at)))
            is_called_back = await _wake_up(turns, pause_s)
            if ctx.is_stopping:
                return job
            record = await self._ask(
                ctx, turns, job, is_called_back=is_called_back, is_first_trouble=not troubles
            )
            troubles = troubles + 1 if record is None else 0
            match record:
                case Succeeded(urls=urls, credits_consumed=consumed):
                    return await self._settle(job, urls, consumed)
                case Failed(reason=reason, credits_consumed=consumed):
                    return await self._hand.fail(job, reason, consumed)
                case Working(phase=now_phase) if now_phase != phase:
                    phase = now_phase
                    await self._progress(job, phase)
                case NotFound() if age_s > RECORD_GRACE_S:
                    return await self._hand.fail(job, Reason.KIE_FAILED)
                case Working() | NotFound() | None:
                    pass
                case _:
                    assert_never(record)
            if self._hand.left_s(job.deadline_at) <= 0:
                return await self._hand.fail(job, Reason.DEADLINE)

    def _kind(self, job: Job) -> OutputKind:
        card = self._parts.clerk.catalogue.models.get(job.model_id)
        return OutputKind.VIDEO if card is None else card.output

    async def _ask(
        self,
        ctx: Context[CallbackArrived],
        turns: Turns,
        job: Job,
        *,
        is_called_back: bool,
        is_first_trouble: bool,
    ) -> TaskRecord | None:
        """Read the record in turn with all other jobs, unless a callback comes meanwhile."""
        assert job.task_id is not None
        record = None
        with trio.CancelScope() as routine:
            if is_called_back:
                routine.cancel()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_at_callback, turns, routine)
                record = await self._record(
                    ctx, job, job.task_id, is_first_trouble=is_first_trouble
                )
                nursery.cancel_scope.cancel()
        if routine.cancelled_caught:
            return await self._record(
                ctx, job, job.task_id, is_called_back=True, is_first_trouble=is_first_trouble
            )
        return record

    async def _record(
        self,
        ctx: Context[CallbackArrived],
        job: Job,
        task_id: TaskId,
        *,
        is_called_back: bool = False,
        is_first_trouble: bool = False,
    ) -> TaskRecord | None:
        """Ask KIE about the task; None if it gave no usable answer, or we were asked to stop."""
        record: TaskRecord | None = None
        name, why = "", ""
        try:
            with ctx.stop.interrupts():
                record = await self._parts.kie.record(task_id, is_called_back=is_called_back)
                name = type(record).__name__
        except KIEUnavailable as unavailable:
            name, why = "unavailable", str(unavailable)
            if unavailable.trouble is Trouble.ACCOUNT and is_first_trouble:
                reason = Reason.KIE_ACCOUNT
                self._hand.tell(job, EventName.OPERATOR_ALARM, reason_code=reason, detail=why)
        match record:
            case None if not name:
                pass  # interrupted: nothing was learned
            case Failed(code=code, detail=detail):
                self._hand.tell(job, EventName.KIE_POLL, outcome=name, code=code, detail=detail)
            case Working(unknown_state=unknown) if unknown:
                self._hand.tell(job, EventName.KIE_POLL, outcome=name, detail=f"state {unknown}")
            case _:
                self._hand.tell(job, EventName.KIE_POLL, outcome=name, detail=why or None)
        return record

    async def _progress(self, job: Job, phase: Phase) -> None:
        parts = self._parts
        now = parts.sources.now()
        self._hand.told(await parts.db.transact(parts.clerk.progress, job, phase, now))

    async def _settle(
        self, job: Job, urls: tuple[str, ...], consumed: Decimal | None
    ) -> Job | None:
        if not urls:
            return await self._hand.fail(job, Reason.KIE_NO_RESULT, consumed)
        return await self._hand.deliver(job, urls, consumed)

    # After the refund

    async def _look_late(self, ctx: Context[CallbackArrived], job: Job) -> None:
        """Ask whether a job that was given up has a result after all."""
        parts = self._parts
        if not job.may_come_late(parts.sources.now()):
            return
        task_id = job.task_id or await self._hand.task_called_back(job)
        record = None if task_id is None else await self._record(ctx, job, task_id)
        now = parts.sources.now()
        match record:
            case Succeeded(urls=urls) if urls:
                self._hand.told(await parts.db.transact(parts.clerk.came_late, job, urls, now))
            case Succeeded() | Failed() | NotFound():
                await parts.db.transact(parts.clerk.never_late, job)
            case Working() | None:
                await parts.db.transact(parts.clerk.look_later, job, now)
            case _:
                assert_never(record)


async def _forget(turns: Turns) -> None:
    """Take the wake-ups that came too late, or they would be dead letters."""
    with trio.move_on_after(0):
        async for _ in turns:
            pass


async def _end_at_callback(turns: Turns, waiting: trio.CancelScope) -> None:
    if await _wake_up(turns, math.inf):
        waiting.cancel()


async def _wake_up(turns: Turns, seconds: float) -> bool:
    """Wait for a callback's wake-up, the end of `seconds` or a stop; True for a wake-up."""
    with trio.move_on_after(seconds):
        async for _ in turns:
            return True
    return False
