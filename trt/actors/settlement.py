"""How a job ends, in one transaction: its state, the money, the words and the result together."""

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from trt.actors.handling import Happening, status_slot
from trt.domain import screens
from trt.domain.copy import Copies, Copy
from trt.domain.ids import JobId, Shard, TaskId
from trt.domain.job import Job, JobState, Phase
from trt.domain.model_card import Catalogue, ModelCard, OutputKind
from trt.domain.reasons import Reason
from trt.domain.replies import Reply, Screen, SendResult, ShowScreen
from trt.storage import jobs, ledger, outbox
from trt.storage.database import Transaction
from trt.storage.ledger import Captured, Released
from trt.telemetry.events import EventName, FieldValue


@frozen(kw_only=True)
class Clerk:
    """Writes the rows of a job's later life; one per active branch."""

    catalogue: Catalogue
    copies: Copies
    epoch: int
    shard: Shard

    def submitting(self, tx: Transaction, job: Job, now: datetime) -> Job | None:
        """Commit that createTask is about to be called."""
        return jobs.move(
            tx,
            job,
            JobState.SUBMITTING,
            epoch=self.epoch,
            now=now,
            attempt=job.attempt + 1,
            submitted_at=now,
        )

    def not_taken(self, tx: Transaction, job: Job, now: datetime) -> Job | None:
        """KIE surely took nothing: the order may be tried again."""
        return jobs.move(tx, job, JobState.RESERVED, epoch=self.epoch, now=now)

    def unknown(self, tx: Transaction, job: Job, now: datetime) -> Job | None:
        """Nobody knows whether KIE took the order."""
        return jobs.move(tx, job, JobState.SUBMIT_UNKNOWN, epoch=self.epoch, now=now)

    def running(
        self, tx: Transaction, job: Job, task_id: TaskId, now: datetime
    ) -> tuple[Job, tuple[Happening, ...]] | None:
        """KIE has the task; the user sees that it moves."""
        moved = jobs.move(tx, job, JobState.RUNNING, epoch=self.epoch, now=now, task_id=task_id)
        if moved is None:
            return None
        return moved, self.progress(tx, moved, Phase.QUEUED, now)

    def progress(
        self, tx: Transaction, job: Job, phase: Phase, now: datetime
    ) -> tuple[Happening, ...]:
        """Edit the status message to what KIE says that it is doing."""
        card, copy = self._words(job)
        return (self._show(tx, job, screens.working(job, card, copy, phase), now),)

    def deliver(
        self, tx: Transaction, job: Job, urls: tuple[str, ...], now: datetime
    ) -> Job | None:
        """Put the result into the outbox; the money moves when it has arrived."""
        moved = jobs.move(tx, job, JobState.DELIVERING, epoch=self.epoch, now=now, result_urls=urls)
        if moved is None:
            return None
        card, copy = self._words(job)
        self._put(
            tx,
            moved,
            SendResult(
                job_id=moved.job_id,
                output=OutputKind.IMAGE if card is None else card.output,
                urls=urls,
                caption=screens.result_caption(moved, card, copy),
                keyboard=screens.result_keyboard(moved, copy),
            ),
            now,
        )
        return moved

    def delivered(self, tx: Transaction, job_id: JobId, now: datetime) -> tuple[Happening, ...]:
        """The user has the result: take the money and say so in the status message."""
        job = jobs.get(tx, job_id)
        assert job is not None, "a result without a job"
        moved = jobs.move(tx, job, JobState.DELIVERED, epoch=self.epoch, now=now)
        if moved is None:
            return ()  # delivered before: this was the second sending of an ambiguous one
        captured = ledger.capture(tx, job_id, cid=job.cid, epoch=self.epoch, now=now)
        assert isinstance(captured, Captured), f"delivered, but the money was {captured}"
        card, copy = self._words(job)
        rendered = self._show(tx, moved, screens.done(moved, card, copy), now)
        return (
            self._transfer(moved, "capture"),
            self._completed(moved, "delivered", Reason.SUCCESS),
            rendered,
        )

    def failed(
        self, tx: Transaction, job: Job, reason: Reason, now: datetime
    ) -> tuple[Job, tuple[Happening, ...]] | None:
        """Nothing came of it: give the money back and say why."""
        moved = jobs.move(tx, job, JobState.FAILED, epoch=self.epoch, now=now, reason=reason)
        if moved is None:
            return None
        released = ledger.release(tx, job.job_id, cid=job.cid, epoch=self.epoch, now=now)
        assert isinstance(released, Released), f"failed, but the money was {released}"
        card, copy = self._words(job)
        balance = ledger.balance(tx, job.user_id).available_kopecks
        rendered = self._show(tx, moved, screens.failed(moved, card, copy, reason, balance), now)
        return moved, (
            self._transfer(moved, "release"),
            self._completed(moved, "failed", reason),
            rendered,
        )

    def failed_by_id(
        self, tx: Transaction, job_id: JobId, reason: Reason, now: datetime
    ) -> tuple[Happening, ...]:
        """Like `failed`, for who knows only the id; nothing happens if the job ended before."""
        job = jobs.get(tx, job_id)
        if job is None or job.state.is_final:
            return ()
        ended = self.failed(tx, job, reason, now)
        return () if ended is None else ended[1]

    def _words(self, job: Job) -> tuple[ModelCard | None, Copy]:
        """Return the card, unless the model left the registry meanwhile, and the words."""
        return self.catalogue.models.get(job.model_id), self.copies.of(job.language)

    def _show(self, tx: Transaction, job: Job, screen: Screen, now: datetime) -> Happening:
        reply = ShowScreen(
            screen=screen,
            edit_message_id=job.status_message_id,
            slot=status_slot(job.job_id),
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
