"""The story of one tap: everything that was kept under its correlation id, in order of time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import Cid
from trt.ops.story_rows import (
    AttemptTrace,
    InboxTrace,
    JobTrace,
    OutboxTrace,
    Traces,
    TransferTrace,
)
from trt.ops.wording import count, rubles
from trt.storage.app_events import AppEvent
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
    "amount_kopecks",
    "price_kopecks",
    "credits",
    "delay_s",
    "retry_after_s",
    "duration_s",
    "actor",
    "error",
)
"""What a step shows of an event. Free words are left out: they may quote a user."""

_MONEY = {"pending": "held", "post": "charged", "void": "given back", "single": "moved"}
_ID_SHOWN = 8


class Place(StrEnum):
    """Where a step was kept; steps of one moment are told in this order."""

    INBOX = "inbox"
    EVENT = "event"
    JOB = "job"
    MONEY = "money"
    KIE = "kie"
    OUTBOX = "outbox"


_ORDER = list(Place)


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
    steps = [
        *_steps_of_inbox(traces.inbox),
        *(Step(at=event.at, place=Place.EVENT, what=_event(event)) for event in traces.events),
        *_steps_of_jobs(traces.jobs, {row.job_id for row in traces.attempts}),
        *_steps_of_attempts(traces.attempts),
        *(Step(at=row.at, place=Place.MONEY, what=_transfer(row)) for row in traces.transfers),
        *_steps_of_outbox(traces.outbox),
    ]
    if not steps:
        return None
    steps.sort(key=lambda step: (step.at, _ORDER.index(step.place)))
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


def _steps_of_inbox(rows: Sequence[InboxTrace]) -> Iterator[Step]:
    for row in rows:
        what = f"{row.kind} received (update {row.update_id}, shard {row.shard})"
        yield Step(at=row.received_at, place=Place.INBOX, what=what)
        if row.finished_at is not None:
            attempts = f" after {count(row.attempts, 'takeover')}" if row.attempts else ""
            what = f"{row.state}: {row.reason}{attempts} (epoch {row.epoch})"
            yield Step(at=row.finished_at, place=Place.INBOX, what=what)


def _event(event: AppEvent) -> str:
    shown = (f"{name}={event.payload[name]}" for name in SHOWN_FIELDS if name in event.payload)
    return " ".join([event.event, *shown])


def _steps_of_jobs(rows: Sequence[JobTrace], with_attempts: set[str]) -> Iterator[Step]:
    for row in rows:
        job = f"job {row.job_id[:_ID_SHOWN]}"
        what = f"{job} of {row.model_id} for {rubles(row.price_kopecks)} begun"
        yield Step(at=row.created_at, place=Place.JOB, what=what)
        if row.submitted_at is not None and row.job_id not in with_attempts:
            what = f"{job} submitted (attempt {row.attempt}, task {row.task_id or 'unknown'})"
            yield Step(at=row.submitted_at, place=Place.JOB, what=what)
        if row.called_back_at is not None:
            yield Step(at=row.called_back_at, place=Place.KIE, what=f"{job} called back")
        if row.ready_at is not None:
            taken = f" for {row.credits_consumed} credits" if row.credits_consumed else ""
            expected = f", {row.credits_expected} expected" if row.credits_expected else ""
            what = f"{job} has its result{taken}{expected}"
            yield Step(at=row.ready_at, place=Place.KIE, what=what)
        if row.updated_at > row.created_at:
            reason = f": {row.reason}" if row.reason else ""
            what = f"{job} is {row.state}{reason} (epoch {row.epoch})"
            yield Step(at=row.updated_at, place=Place.JOB, what=what)


def _steps_of_attempts(rows: Sequence[AttemptTrace]) -> Iterator[Step]:
    for row in rows:
        call = f"createTask {row.attempt} of job {row.job_id[:_ID_SHOWN]}"
        yield Step(at=row.began_at, place=Place.JOB, what=f"{call} called (epoch {row.epoch})")
        if row.ended_at is not None:
            task = f", task {row.task_id}" if row.task_id else ""
            yield Step(at=row.ended_at, place=Place.KIE, what=f"{call}: {row.outcome}{task}")


def _transfer(row: TransferTrace) -> str:
    job = f" for job {row.job_id[:_ID_SHOWN]}" if row.job_id else ""
    return f"{rubles(row.amount_kopecks)} {_MONEY[row.kind]} ({row.code}){job}"


def _steps_of_outbox(rows: Sequence[OutboxTrace]) -> Iterator[Step]:
    for row in rows:
        what = f"#{row.outbox_id} {row.kind} queued"
        yield Step(at=row.created_at, place=Place.OUTBOX, what=what)
        if row.finished_at is not None:
            tried = f" after {count(row.attempts, 'try')}" if row.attempts else ""
            what = f"#{row.outbox_id} {row.kind} {row.state}{tried}"
            yield Step(at=row.finished_at, place=Place.OUTBOX, what=what)
