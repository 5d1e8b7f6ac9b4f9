"""KIE's callbacks: its word that a task of a job has ended."""

from datetime import datetime

from trt.domain.ids import JobId, Shard, TaskId
from trt.domain.shard import FIRST_SHARD
from trt.storage.database import Transaction
from trt.storage.timestamps import to_unix


def store(tx: Transaction, job_id: JobId, task_id: TaskId, now: datetime) -> bool:
    """Remember which task a job's callback named; False when the job had a callback before."""
    stored = tx.execute(
        """
        INSERT INTO kie_callbacks (job_id, task_id, received_at)
        VALUES (:job_id, :task_id, :now)
        ON CONFLICT (job_id) DO NOTHING
        """,
        {"job_id": job_id, "task_id": task_id, "now": to_unix(now)},
    )
    return stored.count == 1


def task_of(tx: Transaction, job_id: JobId) -> TaskId | None:
    """Return the task that the job's first callback named, or None when none came."""
    row = tx.execute(
        "SELECT task_id FROM kie_callbacks WHERE job_id = :job_id", {"job_id": job_id}
    ).first()
    return None if row is None else TaskId(row[0])


def waiting(tx: Transaction, *, shard: Shard) -> list[tuple[JobId, TaskId]]:
    """Return the callbacks of a shard's jobs that have not ended, in order of arrival."""
    rows = tx.execute(
        """
        SELECT kie_callbacks.job_id, kie_callbacks.task_id
        FROM jobs JOIN kie_callbacks ON kie_callbacks.job_id = jobs.job_id
        WHERE jobs.shard = :shard AND jobs.state NOT IN ('delivered', 'failed')
        ORDER BY kie_callbacks.received_at, kie_callbacks.job_id
        """,
        {"shard": shard},
    )
    return [(JobId(job_id), TaskId(task_id)) for job_id, task_id in rows]


def prune(tx: Transaction, *, shard: Shard, before: datetime, limit: int) -> int:
    """Forget at most `limit` old callbacks whose jobs no longer need them; return how many.

    What came for no job at all belongs to the first shard.
    """
    return tx.execute(
        """
        DELETE FROM kie_callbacks WHERE job_id IN (
          SELECT job_id FROM kie_callbacks WHERE received_at < :before AND NOT EXISTS (
            SELECT 1 FROM jobs
            WHERE jobs.job_id = kie_callbacks.job_id AND state NOT IN ('delivered', 'failed'))
          AND :shard = COALESCE(
            (SELECT shard FROM jobs WHERE jobs.job_id = kie_callbacks.job_id), :first_shard)
          ORDER BY received_at LIMIT :limit)
        """,
        {
            "shard": shard,
            "first_shard": FIRST_SHARD,
            "before": to_unix(before),
            "limit": limit,
        },
    ).count
