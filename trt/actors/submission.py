"""Submission: how one order gets to KIE: its turn in the queue, one call, and again if need be."""

from collections.abc import Mapping
from typing import assert_never

import trio

from trt.actors.job_hand import JobHand
from trt.actors.picture_courier import Carried, NotNow, Spoiled
from trt.catalog.payload import build_input
from trt.domain import pictures
from trt.domain.inputs import FileId
from trt.domain.job import Job
from trt.domain.job_timing import place_shown_s, submit_delay_s
from trt.domain.model_card import ModelCard
from trt.domain.reasons import Reason
from trt.kie.errors import KIEUnavailable
from trt.kie.fair_queue import Ticket
from trt.kie.outcomes import Busy, Created, OutcomeUnknown, Refused
from trt.storage.job_attempts import AttemptOutcome
from trt.supervision import Context
from trt.telemetry.events import EventName, FieldValue

FIRST_PLACE_S = 1.0
"""How long an order may wait for its turn before its place in the queue is shown."""


class Submission:
    """The tries of one order; owns the pause before the next one, and where its pictures are."""

    def __init__(self, hand: JobHand, job: Job) -> None:
        self._hand = hand
        self._pause_s = self._unserved_s(job)
        self._was_unavailable = job.attempt > 0
        self._addresses: Mapping[str, str] = {}
        self._vain_carries = 0

    async def submit(self, ctx: Context[object], job: Job) -> Job | None:
        """Hand the order to KIE when its turn has come; the job that comes back may be the same."""
        parts = self._hand.parts
        await ctx.sleep(max(0.0, min(self._pause_s, self._hand.left_s(job.deadline_at))))
        if ctx.is_stopping:
            return job
        card = parts.clerk.catalogue.models.get(job.model_id)
        if card is None:
            return await self._hand.fail(job, Reason.MODEL_DISABLED)
        if self._is_too_late(job, card):
            late = Reason.KIE_UNAVAILABLE if self._was_unavailable else Reason.DEADLINE
            return await self._hand.fail(job, late)
        attached = pictures.attached(card, job.params)
        if attached.keys() != self._addresses.keys():
            return await self._carry(ctx, job, attached)
        with parts.kie.queued(job.user_id) as ticket:
            try:
                waiting = await self._stand_in_line(ctx, job, card, ticket)
            except KIEUnavailable as unavailable:  # nothing was tried
                self._rest(job, unavailable.retry_after_s)
                return job
            if waiting is None or not ticket.is_called or ctx.is_stopping:
                return waiting
            if job.attempt > 0:
                # KIE said that it took nothing, but a callback since then knows better.
                task_id = await self._hand.task_called_back(job)
                if task_id is not None:
                    return await self._hand.running(job, task_id)
            announced = await self._hand.move(parts.clerk.submitting, job)
            if announced is None:
                return None
            return await self._order(announced, card, ticket)

    async def _carry(
        self, ctx: Context[object], job: Job, attached: Mapping[str, FileId]
    ) -> Job | None:
        """Hand the order's pictures to KIE's file service, before anything is ordered.

        So the row stays `RESERVED`: whoever takes the job over carries them once more.
        """
        outcome: Carried | Spoiled | NotNow = NotNow(why="not done in time")
        left_s = max(0.0, self._hand.left_s(job.deadline_at))
        with ctx.stop.interrupts(trio.current_time() + left_s):
            outcome = await self._hand.parts.pictures.carry(job.job_id, attached)
        if ctx.is_stopping and isinstance(outcome, NotNow):
            return job
        name = type(outcome).__name__
        match outcome:
            case Carried(addresses=addresses):
                self._tell_upload(job, name)
                self._addresses, self._pause_s = addresses, 0.0
                return job
            case Spoiled(reason=reason, detail=detail):
                self._tell_upload(job, name, reason_code=reason, detail=detail)
                return await self._hand.fail(job, reason)
            case NotNow(why=why, retry_after_s=retry_after_s):
                self._tell_upload(job, name, detail=why, retry_after_s=retry_after_s)
                self._vain_carries += 1
                self._was_unavailable = True
                chance = self._hand.chance()
                self._pause_s = submit_delay_s(self._vain_carries, chance, retry_after_s)
                return job
            case _:
                assert_never(outcome)

    async def _stand_in_line(
        self, ctx: Context[object], job: Job, card: ModelCard, ticket: Ticket
    ) -> Job | None:
        """Wait for the turn and show the place; ends early at a stop, or when it gets too late.

        Returns None if the user took the order back.

        Raises:
            KIEUnavailable: KIE is down; come back later.
        """
        parts, shown = self._hand.parts, 0
        look_at = trio.current_time() + FIRST_PLACE_S
        try:
            while True:
                with ctx.stop.interrupts(look_at):
                    await parts.kie.wait_turn(ticket)
                if ticket.is_called or ctx.is_stopping or self._is_too_late(job, card):
                    return job
                place = parts.kie.place(ticket)
                parts.board.stands(job.job_id, place)
                look_at = trio.current_time() + place_shown_s(place)
                if place == shown:
                    continue
                shown = place
                now = parts.sources.now()
                told = await parts.db.transact(parts.clerk.in_line, job, place, now)
                if told is None:
                    return None
                self._hand.told(told)
        finally:
            parts.board.leaves(job.job_id)

    async def _order(self, job: Job, card: ModelCard, ticket: Ticket) -> Job | None:
        """Call createTask, once."""
        parts = self._hand.parts
        try:
            outcome = await parts.kie.create_task(
                ticket,
                job.model_id,
                build_input(card, job.params, self._addresses),
                parts.callback_url(job.job_id),
            )
        except KIEUnavailable as unavailable:
            self._tell_submit(job, "unavailable", detail=str(unavailable))
            return await self._again(job, AttemptOutcome.UNREACHED, unavailable.retry_after_s)
        name = type(outcome).__name__
        match outcome:
            case Created(task_id=task_id):
                self._tell_submit(job, name, task_id=task_id)
                return await self._hand.running(job, task_id)
            case Refused(reason=reason, code=code, detail=detail):
                self._tell_submit(job, name, code=code, detail=detail, reason_code=reason)
                return await self._hand.fail(job, reason)
            case Busy(retry_after_s=retry_after_s, detail=detail):
                self._tell_submit(job, name, detail=detail, retry_after_s=retry_after_s)
                return await self._again(job, AttemptOutcome.BUSY, retry_after_s)
            case OutcomeUnknown(why=why):
                self._tell_submit(job, name, detail=why)
                return await self._hand.move(parts.clerk.unknown, job, AttemptOutcome.UNKNOWN)
            case _:
                assert_never(outcome)

    async def _again(
        self, job: Job, outcome: AttemptOutcome, retry_after_s: float | None
    ) -> Job | None:
        self._rest(job, retry_after_s)
        return await self._hand.move(self._hand.parts.clerk.not_taken, job, outcome)

    def _rest(self, job: Job, retry_after_s: float | None) -> None:
        self._was_unavailable = True
        self._pause_s = self._backoff_s(job, retry_after_s)

    def _backoff_s(self, job: Job, retry_after_s: float | None = None) -> float:
        return submit_delay_s(job.attempt, self._hand.chance(), retry_after_s)

    def _unserved_s(self, job: Job) -> float:
        """Return what is left of the pause after the last call.

        Under a holder before us it went by too: who waits again in each incarnation falls behind
        everybody each time.
        """
        if job.attempt == 0:
            return 0.0
        assert job.submitted_at is not None
        return max(0.0, self._backoff_s(job) + self._hand.left_s(job.submitted_at))

    def _is_too_late(self, job: Job, card: ModelCard) -> bool:
        """Whether KIE could no longer make it in time: it would cost us, and come after the refund.

        Half of the time belongs to the waiting, however slow the model is.
        """
        whole_s = (job.deadline_at - job.created_at).total_seconds()
        return self._hand.left_s(job.deadline_at) <= min(card.duration_s, whole_s / 2)

    def _tell_upload(self, job: Job, outcome: str, **fields: FieldValue) -> None:
        self._hand.tell(job, EventName.KIE_UPLOAD, outcome=outcome, **fields)

    def _tell_submit(self, job: Job, outcome: str, **fields: FieldValue) -> None:
        name = EventName.KIE_SUBMIT
        self._hand.tell(job, name, outcome=outcome, attempt=job.attempt, **fields)
