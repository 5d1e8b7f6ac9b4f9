"""The rows of a job's life: each step's state, money, words and attempt in one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from attrs import frozen

from trt.actors.happening import Happening
from trt.actors.job_board import JobBoard
from trt.domain import job_screens
from trt.domain.copy import Copies, Copy
from trt.domain.ids import JobId, Shard, TaskId, UserId
from trt.domain.job import MAY_COME_LATE, Job, JobState, Phase
from trt.domain.job_screens import OwnJob
from trt.domain.job_timing import late_look_s
from trt.domain.model_card import Catalogue, ModelCard
from trt.domain.reasons import ALARMS, Reason
from trt.domain.replies import Reply, Screen, ShowScreen
from trt.storage import job_attempts, jobs, ledger, outbox
from trt.storage.database import Transaction
from trt.storage.job_attempts import AttemptOutcome
from trt.storage.jobs import UnreadableJob
from trt.storage.ledger import Captured, Released, Reserved
from trt.telemetry.events import EventName, FieldValue

Happenings = tuple[Happening, ...]

ENDED_LISTED = 5
"""How many of a user's ended jobs are listed, beside all that have not ended."""


@frozen(kw_only=True)
class Clerk:
    """Writes the rows of a job's life; one per active branch."""

    catalogue: Catalogue
    copies: Copies
    board: JobBoard
    epoch: int
    shard: Shard

    # Before KIE has it

    def started(self, tx: Transaction, job: Job, now: datetime) -> Happenings:
        """Hold the price, which the user has, and say that the order is taken."""
        inserted = jobs.insert(tx, job, shard=self.shard, epoch=self.epoch)
        assert inserted, "the dialog started a second job from one draft"
        reserved = ledger.reserve(
            tx,
            job_id=job.job_id,
            user_id=job.user_id,
            amount_kopecks=job.price_kopecks,
            cid=job.cid,
            epoch=self.epoch,
            now=now,
        )
        assert isinstance(reserved, Reserved), f"the dialog saw the money, the ledger: {reserved}"
        card, copy = self._words(job)
        return (
            self._transfer(job, "reserve"),
            _told(job, EventName.TASK_CREATED, {"model_id": job.model_id}),
            self._show(tx, job, job_screens.accepted(job, card, copy), now),
        )

    def in_line(self, tx: Transaction, job: Job, place: int, now: datetime) -> Happenings | None:
        """Show the place in the queue; None when the job was taken back meanwhile."""
        kept = jobs.kept_of_user(tx, job.user_id, job.job_id)
        if kept is None or kept.state is not JobState.RESERVED:
            return None
        card, copy = self._words(job)
        return (self._show(tx, kept, job_screens.in_line(kept, card, copy, place), now),)

    def submitting(self, tx: Transaction, job: Job, now: datetime) -> Job | None:
        """Commit that createTask is about to be called."""
        moved = jobs.move(
            tx,
            job,
            JobState.SUBMITTING,
            epoch=self.epoch,
            now=now,
            attempt=job.attempt + 1,
            submitted_at=now,
        )
        if moved is not None:
            job_attempts.begin(tx, moved, epoch=self.epoch, now=now)
        return moved

    def not_taken(
        self, tx: Transaction, job: Job, outcome: AttemptOutcome, now: datetime
    ) -> Job | None:
        """KIE surely took nothing: the order may be tried again."""
        job_attempts.end(tx, job, outcome, now=now)
        return jobs.move(tx, job, JobState.RESERVED, epoch=self.epoch, now=now)

    def unknown(
        self, tx: Transaction, job: Job, outcome: AttemptOutcome, now: datetime
    ) -> Job | None:
        """Nobody knows whether KIE took the order."""
        job_attempts.end(tx, job, outcome, now=now)
        return jobs.move(tx, job, JobState.SUBMIT_UNKNOWN, epoch=self.epoch, now=now)

    # While KIE has it

    def running(
        self, tx: Transaction, job: Job, task_id: TaskId, now: datetime
    ) -> tuple[Job, Happenings] | None:
        """KIE has the task; the user sees that it moves."""
        moved = jobs.move(tx, job, JobState.RUNNING, epoch=self.epoch, now=now, task_id=task_id)
        if moved is None:
            return None
        job_attempts.end(tx, job, AttemptOutcome.CREATED, now=now)
        job_attempts.name_task(tx, job, task_id)
        return moved, self.progress(tx, moved, Phase.QUEUED, now)

    def progress(self, tx: Transaction, job: Job, phase: Phase, now: datetime) -> Happenings:
        """Edit the status message to what KIE says that it is doing."""
        card, copy = self._words(job)
        expected = self.board.forecast(job.model_id)
        return (self._show(tx, job, job_screens.working(job, card, copy, phase, expected), now),)

    def deliver(
        self,
        tx: Transaction,
        job: Job,
        urls: tuple[str, ...],
        consumed: Decimal | None,
        now: datetime,
    ) -> tuple[Job, Happenings] | None:
        """Put the result into the outbox; the money moves when it has arrived."""
        moved = jobs.move(
            tx,
            job,
            JobState.DELIVERING,
            epoch=self.epoch,
            now=now,
            result_urls=urls,
            ready_at=now,
            credits_consumed=consumed,
        )
        if moved is None:
            return None
        self._put_results(tx, moved, now)
        return moved, self._drift(moved, moved.credits_expected, consumed)

    # How it ends

    def result_sent(self, tx: Transaction, job_id: JobId, now: datetime) -> Happenings:
        """A part of the result has arrived; the last one takes the money."""
        job = jobs.get(tx, job_id)
        assert job is not None, "a result without a job"
        if isinstance(job, UnreadableJob):
            return ()  # it is left to the release that can read it
        return self._weighed(tx, job, Reason.DELIVERY_FAILED, now)

    def result_lost(
        self, tx: Transaction, job_id: JobId, reason: Reason, now: datetime
    ) -> Happenings:
        """A part of the result will never arrive; without any other the money goes back."""
        job = jobs.get(tx, job_id)
        return self._weighed(tx, job, reason, now) if isinstance(job, Job) else ()

    def result_stuck(self, tx: Transaction, job_id: JobId, now: datetime) -> Happenings:
        """A part of the result could not be sent for long: offer to fetch it while it lives."""
        job = jobs.get(tx, job_id)
        assert job is not None, "a result without a job"
        if isinstance(job, UnreadableJob):
            return ()
        if job.state is JobState.DELIVERING:
            return self._weighed(tx, job, Reason.DELIVERY_FAILED, now)
        return self._offered(tx, job, now) if job.has_result(now) else ()

    def _weighed(self, tx: Transaction, job: Job, reason: Reason, now: datetime) -> Happenings:
        """Decide what a delivery has come to, once nothing of it is on its way."""
        results = outbox.results_of(tx, job.job_id)
        if job.state is not JobState.DELIVERING or results.pending:
            return ()  # more is to come; or it was fetched once more, or came late: for nothing
        if results.left and job.has_result(now):
            return self._offered(tx, job, now, is_part_sent=results.sent > 0)
        if results.sent and not results.left:
            return self._delivered(tx, job, is_whole=not results.lost, now=now)
        # Who was told that the money comes back by itself gets it, whatever else has arrived.
        ended = self.failed(tx, job, reason, None, now)
        return () if ended is None else ended[1]

    def _offered(
        self, tx: Transaction, job: Job, now: datetime, *, is_part_sent: bool = False
    ) -> Happenings:
        """Offer to fetch what could not be sent."""
        card, copy = self._words(job)
        screen = job_screens.undelivered(job, card, copy, is_part_sent=is_part_sent)
        self._put(tx, job, ShowScreen(screen=screen), now)
        return (_told(job, EventName.UI_RENDER, {"screen_id": screen.screen_id}),)

    def _delivered(self, tx: Transaction, job: Job, *, is_whole: bool, now: datetime) -> Happenings:
        """The user has the result: take the money and say so in the status message."""
        moved = jobs.move(tx, job, JobState.DELIVERED, epoch=self.epoch, now=now)
        if moved is None:
            return ()
        captured = ledger.capture(tx, job.job_id, cid=job.cid, epoch=self.epoch, now=now)
        assert isinstance(captured, Captured), f"delivered, but the money was {captured}"
        card, copy = self._words(job)
        screen = job_screens.done(moved, card, copy, is_whole=is_whole)
        rendered = self._show(tx, moved, screen, now)
        return (
            self._transfer(moved, "capture"),
            self._completed(moved, "delivered", Reason.SUCCESS),
            rendered,
        )

    def failed(
        self,
        tx: Transaction,
        job: Job,
        reason: Reason,
        consumed: Decimal | None,
        now: datetime,
    ) -> tuple[Job, Happenings] | None:
        """Nothing came of it: give the money back and say why."""
        may_come_late = reason in MAY_COME_LATE and job.attempt > 0 and not job.result_urls
        look_s = late_look_s(0.0) if may_come_late else None
        moved = jobs.move(
            tx,
            job,
            JobState.FAILED,
            epoch=self.epoch,
            now=now,
            reason=reason,
            credits_consumed=consumed,
            look_again_at=None if look_s is None else now + timedelta(seconds=look_s),
        )
        if moved is None:
            return None
        if job.state is JobState.SUBMITTING:
            job_attempts.end(tx, job, AttemptOutcome.REFUSED, now=now)
        released = ledger.release(tx, job.job_id, cid=job.cid, epoch=self.epoch, now=now)
        assert isinstance(released, Released), f"failed, but the money was {released}"
        card, copy = self._words(job)
        balance = ledger.balance(tx, job.user_id).available_kopecks
        has_part = job.state is JobState.DELIVERING and outbox.results_of(tx, job.job_id).sent > 0
        screen = job_screens.failed(moved, card, copy, reason, balance, is_part_sent=has_part)
        alarm = _told(job, EventName.OPERATOR_ALARM, {"reason_code": reason})
        return moved, (
            self._transfer(moved, "release"),
            self._completed(moved, "failed", reason),
            self._show(tx, moved, screen, now),
            *self._drift(moved, Decimal(0), consumed),
            *((alarm,) if reason in ALARMS else ()),
        )

    def failed_by_id(
        self, tx: Transaction, job_id: JobId, reason: Reason, now: datetime
    ) -> Happenings:
        """Like `failed`, for who knows only the id; nothing happens if the job ended before."""
        job = jobs.get(tx, job_id)
        if not isinstance(job, Job) or job.state.is_final:
            return ()
        ended = self.failed(tx, job, reason, None, now)
        return () if ended is None else ended[1]

    def taken_back(self, tx: Transaction, job: Job, now: datetime) -> Happenings:
        """The user does not want it any more, and KIE does not have it."""
        assert job.state is JobState.RESERVED
        ended = self.failed(tx, job, Reason.USER_CANCELLED, None, now)
        assert ended is not None, "it was kept in this transaction"
        return ended[1]

    # After the refund

    def look_later(self, tx: Transaction, job: Job, now: datetime) -> None:
        """There is no late result yet: ask again some time, or never more."""
        assert job.ended_at is not None
        pause_s = late_look_s((now - job.ended_at).total_seconds())
        at = None if pause_s is None else now + timedelta(seconds=pause_s)
        jobs.look_again(tx, job.job_id, at, epoch=self.epoch)

    def never_late(self, tx: Transaction, job: Job) -> None:
        """There will be no late result."""
        jobs.look_again(tx, job.job_id, None, epoch=self.epoch)

    def came_late(
        self, tx: Transaction, job: Job, urls: tuple[str, ...], now: datetime
    ) -> Happenings:
        """A result after the refund: hand it over, for nothing."""
        moved = jobs.came_late(tx, job, urls, epoch=self.epoch, now=now)
        if moved is None:
            return ()
        self._put_results(tx, moved, now)
        late: dict[str, FieldValue] = {"reason_code": job.reason, "model_id": job.model_id}
        return (_told(moved, EventName.LATE_RESULT, late),)

    # What the user looks at

    def own_jobs(self, tx: Transaction, user_id: UserId) -> tuple[OwnJob, ...]:
        """Return a user's unfinished jobs and the last others, newest first."""
        return tuple(
            OwnJob(
                job=job,
                place=self.board.place(job.job_id),
                forecast=self.board.forecast(job.model_id),
            )
            for job in jobs.last_of_user(tx, user_id, limit=ENDED_LISTED)
        )

    # What all of it is made of

    def _words(self, job: Job) -> tuple[ModelCard | None, Copy]:
        """Return the card, unless the model left the registry meanwhile, and the words."""
        return self.catalogue.models.get(job.model_id), self.copies.of(job.language)

    def _put_results(self, tx: Transaction, job: Job, now: datetime) -> None:
        card, copy = self._words(job)
        for result in job_screens.results(job, card, copy):
            self._put(tx, job, result, now)

    def _show(self, tx: Transaction, job: Job, screen: Screen, now: datetime) -> Happening:
        reply = ShowScreen(
            screen=screen,
            edit_message_id=job.status_message_id,
            slot=f"job:{job.job_id}",
        )
        self._put(tx, job, reply, now)
        return _told(job, EventName.UI_RENDER, {"screen_id": screen.screen_id})

    def _put(self, tx: Transaction, job: Job, reply: Reply, now: datetime) -> None:
        outbox.put(
            tx,
            shard=self.shard,
            chat_id=job.chat_id,
            reply=reply,
            cid=job.cid,
            job_id=job.job_id,
            epoch=self.epoch,
            now=now,
        )

    def _drift(self, job: Job, expected: Decimal | None, consumed: Decimal | None) -> Happenings:
        """Return what to tell if KIE took other credits than it should have."""
        if expected is None or consumed is None or expected == consumed:
            return ()
        fields: dict[str, FieldValue] = {
            "expected": str(expected),
            "consumed": str(consumed),
            "model_id": job.model_id,
            "task_id": job.task_id,
        }
        return (_told(job, EventName.CREDITS_DRIFT, fields),)

    def _transfer(self, job: Job, kind: str) -> Happening:
        fields: dict[str, FieldValue] = {"kind": kind, "amount_kopecks": job.price_kopecks}
        return _told(job, EventName.LEDGER_TRANSFER, fields)

    def _completed(self, job: Job, outcome: str, reason: Reason) -> Happening:
        fields: dict[str, FieldValue] = {
            "outcome": outcome,
            "reason_code": reason,
            "model_id": job.model_id,
        }
        return _told(job, EventName.TASK_COMPLETED, fields)


def _told(job: Job, name: EventName, fields: Mapping[str, FieldValue]) -> Happening:
    return Happening(name, {"cid": job.cid, "user_id": job.user_id, "job_id": job.job_id, **fields})
