"""Every call of createTask: announced before it is made, ended when its outcome is known."""

from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import JobId, Shard, TaskId
from trt.domain.job import Job
from trt.domain.shard import FIRST_SHARD
from trt.storage.database import Transaction
from trt.storage.timestamps import from_unix, from_unix_or_none, to_unix


class AttemptOutcome(StrEnum):
    """How a call ended."""

    CREATED = "created"
    REFUSED = "refused"
    BUSY = "busy"
    """KIE said that it took nothing, and may take it later."""
    UNREACHED = "unreached"
    """KIE surely took nothing: it was not reached, or not even tried."""
    UNKNOWN = "unknown"
    INTERRUPTED = "interrupted"
    """We stopped or crashed in the middle of it; what KIE did, nobody knows."""


@frozen(kw_only=True)
class Attempt:
    """One call as it stands."""

    attempt: int
    epoch: int
    began_at: datetime
    ended_at: datetime | None
    outcome: AttemptOutcome | None
    """None while it is under way."""
    task_id: TaskId | None
    """What the call brought, or the callback of an order of unknown fate."""


def begin(tx: Transaction, job: Job, *, epoch: int, now: datetime) -> None:
    """Write down that the call number `job.attempt` is about to be made."""
    tx.execute(
        """
        INSERT INTO job_attempts (job_id, attempt, cid, epoch, began_at)
        VALUES (:job_id, :attempt, :cid, :epoch, :now)
        """,
        {
            "job_id": job.job_id,
            "attempt": job.attempt,
            "cid": job.cid,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )


def end(tx: Transaction, job: Job, outcome: AttemptOutcome, *, now: datetime) -> None:
    """Write down how the last call ended; one that has ended stays as it is."""
    tx.execute(
        """
        UPDATE job_attempts SET outcome = :outcome, ended_at = :now
        WHERE job_id = :job_id AND attempt = :attempt AND outcome IS NULL
        """,
        {
            "job_id": job.job_id,
            "attempt": job.attempt,
            "outcome": outcome,
            "now": to_unix(now),
        },
    )


def name_task(tx: Transaction, job: Job, task_id: TaskId) -> None:
    """Write down which task the last call made."""
    tx.execute(
        """
        UPDATE job_attempts SET task_id = :task_id WHERE job_id = :job_id AND attempt = :attempt
        """,
        {"job_id": job.job_id, "attempt": job.attempt, "task_id": task_id},
    )


def ages_s(
    tx: Transaction, *, shard: Shard, before_epoch: int, within_s: float, now: datetime
) -> list[float]:
    """Return how long ago the calls of earlier holders of a shard's lease were made, if lately."""
    rows = tx.execute(
        """
        SELECT job_attempts.began_at
        FROM job_attempts JOIN jobs ON jobs.job_id = job_attempts.job_id
        WHERE job_attempts.began_at > :since AND job_attempts.epoch < :epoch AND jobs.shard = :shard
        """,
        {
            "since": to_unix(now) - within_s,
            "epoch": before_epoch,
            "shard": shard,
        },
    )
    return [max(0.0, to_unix(now) - began_at) for (began_at,) in rows]


def prune(tx: Transaction, *, shard: Shard, before: datetime, limit: int) -> int:
    """Forget at most `limit` calls whose jobs ended before a time for good; return how many.

    What belongs to no job at all belongs to the first shard.
    """
    return tx.execute(
        """
        DELETE FROM job_attempts WHERE (job_id, attempt) IN (
          SELECT job_id, attempt FROM job_attempts AS made
          WHERE began_at < :before AND NOT EXISTS (
            SELECT 1 FROM jobs WHERE jobs.job_id = made.job_id AND (
              state NOT IN ('delivered', 'failed') OR look_again_at IS NOT NULL
              OR COALESCE(ended_at, updated_at) >= :before))
          AND :shard = COALESCE(
            (SELECT shard FROM jobs WHERE jobs.job_id = made.job_id), :first_shard)
          ORDER BY began_at LIMIT :limit)
        """,
        {
            "shard": shard,
            "first_shard": FIRST_SHARD,
            "before": to_unix(before),
            "limit": limit,
        },
    ).count


def of_job(tx: Transaction, job_id: JobId) -> list[Attempt]:
    """Return the calls made for a job, in order."""
    rows = tx.execute(
        """
        SELECT attempt, epoch, began_at, ended_at, outcome, task_id FROM job_attempts
        WHERE job_id = :job_id ORDER BY attempt
        """,
        {"job_id": job_id},
    )
    return [
        Attempt(
            attempt=attempt,
            epoch=epoch,
            began_at=from_unix(began_at),
            ended_at=from_unix_or_none(ended_at),
            outcome=None if outcome is None else AttemptOutcome(outcome),
            task_id=task_id,
        )
        for attempt, epoch, began_at, ended_at, outcome, task_id in rows
    ]
