"""Generation jobs and the moves between their states."""

from datetime import datetime
from typing import TypedDict

import msgspec
from typing_extensions import Unpack

from trt.domain.ids import JobId, MessageId, Shard, TaskId, UserId
from trt.domain.job import LEGAL_MOVES, Job, JobState
from trt.domain.model_card import Value
from trt.domain.reasons import Reason
from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix, from_unix_or_none, to_unix, to_unix_or_none

_PARAMS = msgspec.json.Decoder(dict[str, Value])
_URLS = msgspec.json.Decoder(tuple[str, ...])


class JobChanges(TypedDict, total=False):
    """What a move may set beside the state; what is left out stays as it is."""

    task_id: TaskId
    submitted_at: datetime
    reason: Reason
    result_urls: tuple[str, ...]
    status_message_id: MessageId
    attempt: int


def insert(tx: Transaction, job: Job, *, shard: Shard, epoch: int) -> bool:
    """Store a new job; False when this user already has a job of this draft."""
    inserted = tx.execute(
        """
        INSERT INTO jobs
          (job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
           created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
           reason, result_urls, shard, epoch, updated_at)
        VALUES
          (:job_id, :user_id, :chat_id, :draft_id, :model_id, :params, :price_kopecks, :language,
           :cid, :created_at, :deadline_at, :state, :attempt, :task_id, :submitted_at,
           :status_message_id, :reason, :result_urls, :shard, :epoch, :created_at)
        ON CONFLICT (user_id, draft_id) DO NOTHING
        """,
        {
            "job_id": job.job_id,
            "user_id": job.user_id,
            "chat_id": job.chat_id,
            "draft_id": job.draft_id,
            "model_id": job.model_id,
            "params": msgspec.json.encode(job.params).decode(),
            "price_kopecks": job.price_kopecks,
            "language": job.language,
            "cid": job.cid,
            "created_at": to_unix(job.created_at),
            "deadline_at": to_unix(job.deadline_at),
            "state": job.state,
            "attempt": job.attempt,
            "task_id": job.task_id,
            "submitted_at": to_unix_or_none(job.submitted_at),
            "status_message_id": job.status_message_id,
            "reason": job.reason,
            "result_urls": msgspec.json.encode(job.result_urls).decode(),
            "shard": shard,
            "epoch": epoch,
        },
    )
    return inserted.count == 1


def get(tx: Transaction, job_id: JobId) -> Job | None:
    """Return a job, or None when there is no such job."""
    row = tx.execute(
        """
        SELECT job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
               created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
               reason, result_urls
        FROM jobs WHERE job_id = :job_id
        """,
        {"job_id": job_id},
    ).first()
    return None if row is None else _job(row)


def of_user(tx: Transaction, user_id: UserId, job_id: JobId) -> Job | None:
    """Return a job only to its owner."""
    job = get(tx, job_id)
    return job if job is not None and job.user_id == user_id else None


def unfinished(tx: Transaction, *, shard: Shard) -> list[Job]:
    """Return every job that has not ended, oldest first: each needs an actor after a takeover."""
    rows = tx.execute(
        """
        SELECT job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
               created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
               reason, result_urls
        FROM jobs WHERE shard = :shard AND state NOT IN ('delivered', 'failed')
        ORDER BY created_at, job_id
        """,
        {"shard": shard},
    )
    return [_job(row) for row in rows]


def active_count(tx: Transaction, user_id: UserId) -> int:
    """Return how many jobs of a user have not ended."""
    [count] = tx.execute(
        """
        SELECT count(*) FROM jobs
        WHERE user_id = :user_id AND state NOT IN ('delivered', 'failed')
        """,
        {"user_id": user_id},
    ).one()
    return int(count)


def move(
    tx: Transaction,
    job: Job,
    to: JobState,
    *,
    epoch: int,
    now: datetime,
    **changes: Unpack[JobChanges],
) -> Job | None:
    """Move a job from the state in `job` to another and return it as it now stands.

    None says that it was no longer in that state: somebody else moved it, and nothing was written.
    """
    assert to in LEGAL_MOVES[job.state], f"no way from {job.state} to {to}"
    urls = changes.get("result_urls")
    row = tx.execute(
        """
        UPDATE jobs SET
          state = :to,
          task_id = COALESCE(:task_id, task_id),
          submitted_at = COALESCE(:submitted_at, submitted_at),
          reason = COALESCE(:reason, reason),
          result_urls = COALESCE(:result_urls, result_urls),
          status_message_id = COALESCE(:status_message_id, status_message_id),
          attempt = COALESCE(:attempt, attempt),
          epoch = :epoch,
          updated_at = :now
        WHERE job_id = :job_id AND state = :state
        RETURNING
          job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
          created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
          reason, result_urls
        """,
        {
            "job_id": job.job_id,
            "state": job.state,
            "to": to,
            "task_id": changes.get("task_id"),
            "submitted_at": to_unix_or_none(changes.get("submitted_at")),
            "reason": changes.get("reason"),
            "result_urls": None if urls is None else msgspec.json.encode(urls).decode(),
            "status_message_id": changes.get("status_message_id"),
            "attempt": changes.get("attempt"),
            "epoch": epoch,
            "now": to_unix(now),
        },
    ).first()
    return None if row is None else _job(row)


def _job(row: Row) -> Job:
    job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid = row[:9]
    created_at, deadline_at, state, attempt, task_id, submitted_at = row[9:15]
    status_message_id, reason, result_urls = row[15:]
    return Job(
        job_id=job_id,
        user_id=user_id,
        chat_id=chat_id,
        draft_id=draft_id,
        model_id=model_id,
        params=_PARAMS.decode(params),
        price_kopecks=price_kopecks,
        language=language,
        cid=cid,
        created_at=from_unix(created_at),
        deadline_at=from_unix(deadline_at),
        state=JobState(state),
        attempt=attempt,
        task_id=task_id,
        submitted_at=from_unix_or_none(submitted_at),
        status_message_id=status_message_id,
        reason=None if reason is None else Reason(reason),
        result_urls=_URLS.decode(result_urls),
    )
