"""The states of a generation job and the moves between them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from attrs import frozen

from trt.domain.ids import ChatId, Cid, DraftId, JobId, MessageId, ModelId, TaskId, UserId
from trt.domain.model_card import Value
from trt.domain.reasons import Reason


class JobState(StrEnum):
    """Each state is committed before the step that it announces."""

    RESERVED = "reserved"
    """The money is held; KIE knows nothing."""
    SUBMITTING = "submitting"
    """createTask is being called: the task may exist."""
    SUBMIT_UNKNOWN = "submit_unknown"
    """createTask was called and nobody knows how it ended; only a callback can tell."""
    RUNNING = "running"
    """KIE has the task and we have its id."""
    DELIVERING = "delivering"
    """The result is in the outbox."""
    DELIVERED = "delivered"
    """The user has the result and has paid."""
    FAILED = "failed"
    """It ended without a result; the money is released and the user told."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to a job in this state."""
        return not LEGAL_MOVES[self]


class Phase(StrEnum):
    """What a running job is doing, as far as the user cares."""

    QUEUED = "queued"
    GENERATING = "generating"


LEGAL_MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.RESERVED: frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.FAILED}),
    JobState.SUBMITTING: frozenset(
        {JobState.RESERVED, JobState.SUBMIT_UNKNOWN, JobState.RUNNING, JobState.FAILED}
    ),
    JobState.SUBMIT_UNKNOWN: frozenset({JobState.RUNNING, JobState.FAILED}),
    JobState.RUNNING: frozenset({JobState.DELIVERING, JobState.FAILED}),
    JobState.DELIVERING: frozenset({JobState.DELIVERED, JobState.FAILED}),
    JobState.DELIVERED: frozenset(),
    JobState.FAILED: frozenset(),
}
"""`SUBMITTING` goes back to `RESERVED` only when KIE said that it took nothing. Should a callback
prove otherwise, the order goes on from there to `RUNNING` instead of being sent again."""


RESULT_LIFE_S: Final = 24 * 3600.0
"""How long a result can be fetched from KIE for sure (docs.kie.ai: addresses typically expire after
24 hours), and so how long a delivery can be tried again."""

MAY_COME_LATE: Final = frozenset({Reason.DEADLINE, Reason.SUBMIT_UNKNOWN, Reason.JOB_CRASHED})
"""Failures after which KIE may still be at work: what it makes is handed over for nothing."""


@frozen(kw_only=True)
class Job:
    """One generation, from the tap on the confirmation to the delivery or the refund."""

    job_id: JobId
    user_id: UserId
    chat_id: ChatId
    draft_id: DraftId
    """One job per draft: this pair of user and draft is the idempotency key of the tap."""
    model_id: ModelId
    params: Mapping[str, Value]
    price_kopecks: int
    language: str
    cid: Cid
    created_at: datetime
    deadline_at: datetime
    state: JobState = JobState.RESERVED
    attempt: int = 0
    """How often createTask was called."""
    task_id: TaskId | None = None
    submitted_at: datetime | None = None
    status_message_id: MessageId | None = None
    reason: Reason | None = None
    result_urls: tuple[str, ...] = ()
    credits_expected: Decimal | None = None
    """What KIE should take for it, in its credits."""
    credits_consumed: Decimal | None = None
    """What KIE says that it took."""
    ready_at: datetime | None = None
    """When the result was there."""
    ended_at: datetime | None = None

    def may_come_late(self, now: datetime) -> bool:
        """Return whether KIE may still be at work on this failed job, for anybody's sake."""
        if self.reason not in MAY_COME_LATE or self.result_urls or self.ended_at is None:
            return False
        return self.attempt > 0 and (now - self.ended_at).total_seconds() <= RESULT_LIFE_S

    def has_result(self, now: datetime) -> bool:
        """Return whether there is a result that can still be fetched."""
        is_alive = self.ready_at is not None and now < self.result_expires_at
        return bool(self.result_urls) and is_alive

    def is_uncollected(self, now: datetime) -> bool:
        """Return whether its result could not be delivered while it lived."""
        is_waiting = self.state is JobState.DELIVERING and self.ready_at is not None
        return is_waiting and not self.has_result(now)

    @property
    def result_expires_at(self) -> datetime:
        """When the result can no longer be fetched for sure; only for a job that has one."""
        assert self.ready_at is not None
        return self.ready_at + timedelta(seconds=RESULT_LIFE_S)
