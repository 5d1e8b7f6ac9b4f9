"""KIEJobActor: the story of one generation, from the held money to the result in the outbox."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import assert_never

import trio
from attrs import frozen

from trt.actors.handling import Happening
from trt.actors.settlement import Clerk
from trt.catalog.payload import build_input
from trt.domain.ids import JobId, TaskId
from trt.domain.job import Job, JobState, Phase
from trt.domain.job_timing import RECORD_GRACE_S, poll_delay_s, submit_delay_s
from trt.domain.model_card import ModelCard
from trt.domain.reasons import Reason
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import (
    Busy,
    Created,
    CreateOutcome,
    Failed,
    NotFound,
    OutcomeUnknown,
    Refused,
    Succeeded,
    TaskRecord,
    Working,
)
from trt.sources import Sources
from trt.storage import jobs, kie_callbacks
from trt.storage.database import Database
from trt.supervision import Context, Turn
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream

ADOPTION_LOOK_S = 5.0
"""How often an order of unknown fate looks for a stored callback that nobody woke it for."""


@frozen
class CallbackArrived:
    """KIE has called back about this job; the callback is stored."""


@frozen(kw_only=True)
class JobParts:
    """What every job actor of an active branch shares."""

    db: Database
    kie: KIEClient
    clerk: Clerk
    sources: Sources
    events: EventStream
    submit_grace_s: float
    callback_url: Callable[[JobId], str | None]
    wake_delivery: Callable[[], None]


Turns = AsyncIterator[Turn[CallbackArrived]]


class KIEJobActor:
    """Reserve → submit → wait → settle: one row, one state committed before each step.

    Receives `CallbackArrived`, which is only a wake-up: KIE's record is read again before anything
    is decided. A stop is an interruption, not a failure: the row keeps its state, and the next
    incarnation goes on from there. It ends when the result is in the outbox or the money is back.
    """

    def __init__(self, job_id: JobId, parts: JobParts) -> None:
        self._job_id = job_id
        self._parts = parts

    async def run(self, ctx: Context[CallbackArrived]) -> None:
        """Carry the job on from the state it is in."""
        turns = ctx.turns()
        job: Job | None = await self._recall()
        while job is not None and not ctx.is_stopping:
            match job.state:
                case JobState.RESERVED:
                    job = await self._submit(ctx, job)
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
        if job is not None and job.state is JobState.SUBMITTING:
            return await self._move(self._parts.clerk.unknown, job)
        return job

    # Submitting

    async def _submit(self, ctx: Context[CallbackArrived], job: Job) -> Job | None:
        task_id = await self._pause(ctx, job) if job.attempt > 0 else None
        if task_id is not None:
            return await self._running(job, task_id)
        if ctx.is_stopping:
            return job
        if self._left_s(job.deadline_at) <= 0:
            return await self._fail(job, Reason.KIE_UNAVAILABLE)
        card = self._parts.clerk.catalogue.models.get(job.model_id)
        if card is None:
            return await self._fail(job, Reason.MODEL_DISABLED)
        announced = await self._move(self._parts.clerk.submitting, job)
        if announced is None:
            return None
        outcome = await self._create(announced, card)
        match outcome:
            case Created(task_id=task_id):
                return await self._running(announced, task_id)
            case Refused(reason=reason):
                return await self._fail(announced, reason)
            case Busy() | None:
                return await self._move(self._parts.clerk.not_taken, announced)
            case OutcomeUnknown():
                return await self._move(self._parts.clerk.unknown, announced)
            case _:
                assert_never(outcome)

    async def _pause(self, ctx: Context[CallbackArrived], job: Job) -> TaskId | None:
        """Wait before the next try; returns the task if KIE took the order after all.

        It said that it took nothing, but a callback since then knows better.
        """
        pause_s = submit_delay_s(job.attempt, self._parts.sources.random().random())
        await ctx.sleep(max(0.0, min(pause_s, self._left_s(job.deadline_at))))
        return await self._parts.db.transact(kie_callbacks.task_of, job.job_id)

    async def _create(self, job: Job, card: ModelCard) -> CreateOutcome | None:
        """Call createTask; None means that KIE was surely not reached."""
        try:
            outcome = await self._parts.kie.create_task(
                job.model_id, build_input(card, job.params), self._parts.callback_url(job.job_id)
            )
        except KIEUnavailable:
            outcome = None
        self._tell(
            job,
            EventName.KIE_SUBMIT,
            outcome="unavailable" if outcome is None else type(outcome).__name__,
            attempt=job.attempt,
            **_why(outcome),
        )
        return outcome

    async def _running(self, job: Job, task_id: TaskId) -> Job | None:
        parts = self._parts
        outcome = await parts.db.transact(parts.clerk.running, job, task_id, parts.sources.now())
        if outcome is None:
            return None
        moved, happenings = outcome
        self._tell(moved, EventName.TASK_STATE, state=moved.state)
        self._told(happenings)
        return moved

    async def _adopt(self, ctx: Context[CallbackArrived], turns: Turns, job: Job) -> Job | None:
        """Wait for a callback to say which task is ours; after the grace, give the money back."""
        assert job.submitted_at is not None
        until = job.submitted_at + timedelta(seconds=self._parts.submit_grace_s)
        while not ctx.is_stopping:
            task_id = await self._parts.db.transact(kie_callbacks.task_of, job.job_id)
            if task_id is not None:
                return await self._running(job, task_id)
            left_s = self._left_s(until)
            if left_s <= 0:
                return await self._fail(job, Reason.SUBMIT_UNKNOWN)
            await _wake_up(ctx, turns, min(ADOPTION_LOOK_S, left_s))
        return job

    # Waiting

    async def _watch(self, ctx: Context[CallbackArrived], turns: Turns, job: Job) -> Job | None:
        """Read KIE's record after each callback and each poll delay, until the deadline."""
        assert job.task_id is not None
        assert job.submitted_at is not None
        phase = Phase.QUEUED
        while not ctx.is_stopping:
            age_s = -self._left_s(job.submitted_at)
            pause_s = poll_delay_s(age_s, self._parts.sources.random().random())
            pause_s = max(0.0, min(pause_s, self._left_s(job.deadline_at)))
            if not await _wake_up(ctx, turns, pause_s):
                break
            record = await self._record(job, job.task_id)
            match record:
                case Succeeded(urls=urls):
                    return await self._settle(job, urls)
                case Failed():
                    return await self._fail(job, Reason.KIE_FAILED)
                case Working(phase=now_phase) if now_phase != phase:
                    phase = now_phase
                    await self._progress(job, phase)
                case NotFound() if age_s > RECORD_GRACE_S:
                    return await self._fail(job, Reason.KIE_FAILED)
                case Working() | NotFound() | None:
                    pass
                case _:
                    assert_never(record)
            if self._left_s(job.deadline_at) <= 0:
                return await self._fail(job, Reason.DEADLINE)
        return job

    async def _record(
        self, job: Job, task_id: TaskId
    ) -> Working | Succeeded | Failed | NotFound | None:
        try:
            record = await self._parts.kie.record(task_id)
        except KIEUnavailable:
            record = None
        name = "unavailable" if record is None else type(record).__name__
        self._tell(job, EventName.KIE_POLL, outcome=name, **_why(record))
        return record

    async def _progress(self, job: Job, phase: Phase) -> None:
        parts = self._parts
        now = parts.sources.now()
        self._told(await parts.db.transact(parts.clerk.progress, job, phase, now))

    # Settling

    async def _settle(self, job: Job, urls: tuple[str, ...]) -> Job | None:
        if not urls:
            return await self._fail(job, Reason.KIE_NO_RESULT)
        parts = self._parts
        moved = await parts.db.transact(parts.clerk.deliver, job, urls, parts.sources.now())
        if moved is not None:
            self._tell(moved, EventName.TASK_STATE, state=moved.state)
            parts.wake_delivery()
        return moved

    async def _fail(self, job: Job, reason: Reason) -> Job | None:
        parts = self._parts
        outcome = await parts.db.transact(parts.clerk.failed, job, reason, parts.sources.now())
        if outcome is None:
            return None
        self._told(outcome[1])
        return outcome[0]

    async def _move(self, step: Callable[..., Job | None], job: Job) -> Job | None:
        moved = await self._parts.db.transact(step, job, self._parts.sources.now())
        if moved is not None:
            self._tell(moved, EventName.TASK_STATE, state=moved.state)
        return moved

    def _told(self, happenings: tuple[Happening, ...]) -> None:
        for happening in happenings:
            self._parts.events.emit(happening.name, **happening.fields)
        self._parts.wake_delivery()

    def _tell(self, job: Job, name: EventName, **fields: FieldValue) -> None:
        self._parts.events.emit(name, cid=job.cid, user_id=job.user_id, job_id=job.job_id, **fields)

    def _left_s(self, until: datetime) -> float:
        return (until - self._parts.sources.now()).total_seconds()


async def _forget(turns: Turns) -> None:
    """Take the wake-ups that came too late, or they would be dead letters."""
    with trio.move_on_after(0):
        async for _ in turns:
            pass


def _why(outcome: CreateOutcome | TaskRecord | None) -> dict[str, FieldValue]:
    """Return what KIE said, for the operator; its words are clean of keys and prompts by then."""
    match outcome:
        case Refused(code=code, detail=detail) | Failed(code=code, detail=detail):
            return {"code": code, "detail": detail}
        case Busy(detail=detail) | OutcomeUnknown(why=detail):
            return {"detail": detail}
        case _:
            return {}


async def _wake_up(ctx: Context[CallbackArrived], turns: Turns, seconds: float) -> bool:
    """Wait for a callback's wake-up or the end of `seconds`; False when asked to stop."""
    with trio.move_on_after(seconds):
        async for _ in turns:
            break
    return not ctx.is_stopping
