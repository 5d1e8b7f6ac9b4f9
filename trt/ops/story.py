"""The story of one tap: everything that was kept under its correlation id, in order of time."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import Cid
from trt.ops.story_rows import (
    ActionTrace,
    AttemptTrace,
    InboxTrace,
    JobTrace,
    OutboxTrace,
    PaymentTrace,
    Traces,
    TransferTrace,
)
from trt.ops.wording import count, rubles
from trt.storage.app_events import AppEvent
from trt.storage.inbox import sent_as
from trt.telemetry.stream import id_hash

SHOWN_FIELDS = (
    "kind",
    "command",
    "handler",
    "screen_id",
    "button_id",
    "method",
    "state_before",
    "state",
    "outcome",
    "reason_code",
    "code",
    "attempt",
    "task_id",
    "is_duplicate",
    "amount_kopecks",
    "price_kopecks",
    "credits",
    "bytes_count",
    "delay_s",
    "retry_after_s",
    "duration_s",
    "actor",
    "error",
)
"""What a step shows of an event. Free words are left out: they may quote a user."""

_MONEY = {"pending": "held", "post": "charged", "void": "given back", "single": "moved"}
_RESOLUTIONS = {"post", "void"}
_RESULT = "send_result"
_ID_SHOWN = 8


class Place(StrEnum):
    """Where a step was kept."""

    INBOX = "inbox"
    PAYMENT = "payment"
    ADMIN = "admin"
    JOB = "job"
    MONEY = "money"
    KIE = "kie"
    OUTBOX = "outbox"
    EVENT = "event"


@frozen(kw_only=True)
class Step:
    """One thing that happened."""

    at: datetime
    place: Place
    what: str


@frozen(kw_only=True)
class Story:
    """All that is known of one tap."""

    cid: Cid
    user_hash: str | None
    """As in the log."""
    outcome: str
    steps: tuple[Step, ...]


def story_of(cid: Cid, traces: Traces) -> Story | None:
    """Put the traces of one tap in order; None when there are none."""
    with_attempts = {row.job_id for row in traces.attempts}
    # One transaction has one time for all that it writes. What has the same time stays in this
    # order: what caused it stands before it, and events are told after the commit.
    steps = [
        *map(_arrival, traces.inbox),
        *_steps_of_payments(traces.payments),
        *map(_action, traces.actions),
        *map(_beginning, traces.jobs),
        *(_transfer(row) for row in traces.transfers if row.kind not in _RESOLUTIONS),
        *_steps_of_attempts(traces.attempts),
        *_steps_at_kie(traces.jobs, with_attempts),
        *_steps_of_outbox(row for row in traces.outbox if row.kind == _RESULT),
        *map(_standing, (row for row in traces.jobs if row.updated_at > row.created_at)),
        *(_transfer(row) for row in traces.transfers if row.kind in _RESOLUTIONS),
        *_steps_of_outbox(row for row in traces.outbox if row.kind != _RESULT),
        *_ends_of_inbox(traces.inbox),
        *(Step(at=event.at, place=Place.EVENT, what=_event(event)) for event in traces.events),
    ]
    if not steps:
        return None
    steps.sort(key=lambda step: step.at)
    return Story(
        cid=cid,
        user_hash=None if traces.user_id is None else id_hash(traces.user_id),
        outcome=outcome_of(traces.inbox, traces.jobs, traces.outbox),
        steps=tuple(steps),
    )


def outcome_of(
    inbox: Sequence[InboxTrace], jobs: Sequence[JobTrace], outbox: Sequence[OutboxTrace]
) -> str:
    """Say in a few words what became of a tap, from what is kept of it."""
    words = [_outcome_of_job(job) for job in jobs] or [_outcome_of_update(row) for row in inbox]
    for state, means in (("failed", "not delivered"), ("pending", "waiting to be sent")):
        if number := sum(row.state == state for row in outbox):
            words.append(f"{count(number, 'message')} {means}")
    return "; ".join(words) or "only its events are kept"


def _outcome_of_job(job: JobTrace) -> str:
    match job.state:
        case "delivered":
            return f"delivered, {rubles(job.price_kopecks)} charged"
        case "failed":
            return f"refunded: {job.reason}"
        case _:
            return f"under way: {job.state}"


def _outcome_of_update(row: InboxTrace) -> str:
    match row.state:
        case "new":
            return "not handled yet"
        case "done":
            return "handled" if row.reason in {None, "SUCCESS"} else f"handled: {row.reason}"
        case _:
            return f"{row.state}: {row.reason}"


def _arrival(row: InboxTrace) -> Step:
    what = f"{row.kind} received (update {sent_as(row.update_id)}, shard {row.shard})"
    return Step(at=row.received_at, place=Place.INBOX, what=what)


def _ends_of_inbox(rows: Sequence[InboxTrace]) -> Iterator[Step]:
    for row in rows:
        if row.finished_at is not None:
            attempt = f" at attempt {row.attempts}" if row.attempts else ""
            what = f"{row.state}: {row.reason}{attempt} (epoch {row.epoch})"
            yield Step(at=row.finished_at, place=Place.INBOX, what=what)


def _steps_of_payments(rows: Sequence[PaymentTrace]) -> Iterator[Step]:
    for row in rows:
        stars = f" for {count(row.stars, 'Star')}" if row.stars else ""
        what = f"{row.key} of {rubles(row.amount_kopecks)}{stars} credited"
        yield Step(at=row.created_at, place=Place.PAYMENT, what=what)
        if row.updated_at > row.created_at:
            yield Step(at=row.updated_at, place=Place.PAYMENT, what=f"{row.key} is {row.state}")


def _action(row: ActionTrace) -> Step:
    subject = f" of {row.subject}" if row.subject else ""
    what = (
        f"{row.kind}{subject}, {rubles(row.amount_kopecks)}, user {id_hash(row.user_id)}, "
        f"by {row.admin}: {row.reason}"
    )
    return Step(at=row.at, place=Place.ADMIN, what=what)


def _event(event: AppEvent) -> str:
    shown = (f"{name}={event.payload[name]}" for name in SHOWN_FIELDS if name in event.payload)
    return " ".join([event.event, *shown])


def _beginning(row: JobTrace) -> Step:
    what = f"{_job(row)} of {row.model_id} for {rubles(row.price_kopecks)} begun"
    return Step(at=row.created_at, place=Place.JOB, what=what)


def _steps_at_kie(rows: Sequence[JobTrace], with_attempts: set[str]) -> Iterator[Step]:
    for row in rows:
        if row.submitted_at is not None and row.job_id not in with_attempts:
            what = f"{_job(row)} submitted (attempt {row.attempt}, task {row.task_id or 'unknown'})"
            yield Step(at=row.submitted_at, place=Place.JOB, what=what)
        if row.called_back_at is not None:
            yield Step(at=row.called_back_at, place=Place.KIE, what=f"{_job(row)} called back")
        if row.ready_at is not None:
            taken = f" for {row.credits_consumed} credits" if row.credits_consumed else ""
            expected = f", {row.credits_expected} expected" if row.credits_expected else ""
            what = f"{_job(row)} has its result{taken}{expected}"
            yield Step(at=row.ready_at, place=Place.KIE, what=what)


def _standing(row: JobTrace) -> Step:
    reason = f": {row.reason}" if row.reason else ""
    what = f"{_job(row)} is {row.state}{reason} (epoch {row.epoch})"
    return Step(at=row.updated_at, place=Place.JOB, what=what)


def _job(row: JobTrace) -> str:
    return f"job {row.job_id[:_ID_SHOWN]}"


def _steps_of_attempts(rows: Sequence[AttemptTrace]) -> Iterator[Step]:
    for row in rows:
        call = f"createTask {row.attempt} of job {row.job_id[:_ID_SHOWN]}"
        yield Step(at=row.began_at, place=Place.JOB, what=f"{call} called (epoch {row.epoch})")
        if row.ended_at is not None:
            task = f", task {row.task_id}" if row.task_id else ""
            yield Step(at=row.ended_at, place=Place.KIE, what=f"{call}: {row.outcome}{task}")


def _transfer(row: TransferTrace) -> Step:
    job = f" for job {row.job_id[:_ID_SHOWN]}" if row.job_id else ""
    what = f"{rubles(row.amount_kopecks)} {_MONEY[row.kind]} ({row.code}){job}"
    return Step(at=row.at, place=Place.MONEY, what=what)


def _steps_of_outbox(rows: Iterable[OutboxTrace]) -> Iterator[Step]:
    for row in rows:
        what = f"#{row.outbox_id} {row.kind} queued"
        yield Step(at=row.created_at, place=Place.OUTBOX, what=what)
        if row.finished_at is not None:
            tried = f" after {count(row.attempts, 'try')}" if row.attempts else ""
            what = f"#{row.outbox_id} {row.kind} {row.state}{tried}"
            yield Step(at=row.finished_at, place=Place.OUTBOX, what=what)
