"""Generation jobs and the moves between their states."""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

import msgspec
from attrs import frozen
from typing_extensions import Unpack

from trt.domain.ids import Cid, JobId, MessageId, ModelId, Shard, TaskId, UserId
from trt.domain.job import LEGAL_MOVES, Job, JobState
from trt.domain.model_card import Value
from trt.domain.reasons import Reason
from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix, from_unix_or_none, to_unix, to_unix_or_none

_PARAMS = msgspec.json.Decoder(dict[str, Value])
_URLS = msgspec.json.Decoder(tuple[str, ...])

_COLUMNS = """
  job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
  created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
  reason, result_urls, credits_expected, credits_consumed, ready_at, ended_at
"""
"""What a `Job` is read from."""


@frozen(kw_only=True)
class JobOrigin:
    """Where a job comes from, whatever else is in its row."""

    cid: Cid
    shard: Shard


@frozen(kw_only=True)
class UnreadableJob:
    """The row was written by other code, such as a newer release that was rolled back.

    Its money stays held; the release that can read it goes on with it.
    """

    job_id: JobId


class JobChanges(TypedDict, total=False):
    """What a move may set beside the state; what is left out stays as it is."""

    task_id: TaskId
    submitted_at: datetime
    reason: Reason
    result_urls: tuple[str, ...]
    status_message_id: MessageId
    attempt: int
    credits_consumed: Decimal | None
    ready_at: datetime
    look_again_at: datetime | None


def insert(tx: Transaction, job: Job, *, shard: Shard, epoch: int) -> bool:
    """Store a new job; False when it is there, or this user has another job of this draft."""
    inserted = tx.execute(
        """
        INSERT INTO jobs
          (job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid,
           created_at, deadline_at, state, attempt, task_id, submitted_at, status_message_id,
           reason, result_urls, credits_expected, credits_consumed, ready_at, ended_at,
           shard, epoch, updated_at)
        VALUES
          (:job_id, :user_id, :chat_id, :draft_id, :model_id, :params, :price_kopecks, :language,
           :cid, :created_at, :deadline_at, :state, :attempt, :task_id, :submitted_at,
           :status_message_id, :reason, :result_urls, :credits_expected, :credits_consumed,
           :ready_at, :ended_at, :shard, :epoch, :created_at)
        ON CONFLICT DO NOTHING
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
            "credits_expected": _text_or_none(job.credits_expected),
            "credits_consumed": _text_or_none(job.credits_consumed),
            "ready_at": to_unix_or_none(job.ready_at),
            "ended_at": to_unix_or_none(job.ended_at),
            "shard": shard,
            "epoch": epoch,
        },
    )
    return inserted.count == 1


def get(tx: Transaction, job_id: JobId) -> Job | UnreadableJob | None:
    """Return a job, or None when there is no such job."""
    row = tx.execute(
        _sql("SELECT (columns) FROM jobs WHERE job_id = :job_id"), {"job_id": job_id}
    ).first()
    return None if row is None else _job_or_unreadable(row)


def origin_of(tx: Transaction, job_id: JobId) -> JobOrigin | None:
    """Return where a job comes from, or None when there is no such job."""
    row = tx.execute(
        "SELECT cid, shard FROM jobs WHERE job_id = :job_id", {"job_id": job_id}
    ).first()
    return None if row is None else JobOrigin(cid=row[0], shard=row[1])


def kept_of_user(tx: Transaction, user_id: UserId, job_id: JobId) -> Job | None:
    """Return a job only to its owner, and only if it can be read; nobody moves it meanwhile.

    What the caller decides by its state is still true when the transaction commits.
    """
    row = tx.execute(
        _sql(
            """
            UPDATE jobs SET epoch = epoch WHERE job_id = :job_id AND user_id = :user_id
            RETURNING (columns)
            """
        ),
        {"job_id": job_id, "user_id": user_id},
    ).first()
    job = None if row is None else _job_or_unreadable(row)
    return job if isinstance(job, Job) else None


def last_of_user(tx: Transaction, user_id: UserId, *, limit: int) -> list[Job]:
    """Return a user's unfinished jobs and the last `limit` others, newest first.

    Jobs that this release cannot read are left out.
    """
    rows = tx.execute(
        _sql(
            """
            SELECT (columns) FROM jobs
            WHERE user_id = :user_id AND (
              state NOT IN ('delivered', 'failed') OR job_id IN (
                SELECT job_id FROM jobs
                WHERE user_id = :user_id AND state IN ('delivered', 'failed')
                ORDER BY created_at DESC, job_id LIMIT :limit))
            ORDER BY created_at DESC, job_id
            """
        ),
        {"user_id": user_id, "limit": limit},
    )
    return [job for job in map(_job_or_unreadable, rows) if isinstance(job, Job)]


def unfinished(tx: Transaction, *, shard: Shard) -> list[Job | UnreadableJob]:
    """Return every job that has not ended, oldest first: each needs an actor after a takeover."""
    rows = tx.execute(
        _sql(
            """
            SELECT (columns) FROM jobs
            WHERE shard = :shard AND state NOT IN ('delivered', 'failed')
            ORDER BY created_at, job_id
            """
        ),
        {"shard": shard},
    )
    return [_job_or_unreadable(row) for row in rows]


def to_look_at(tx: Transaction, *, shard: Shard, now: datetime) -> list[JobId]:
    """Return the failed jobs about which it is time to ask KIE again."""
    rows = tx.execute(
        """
        SELECT job_id FROM jobs
        WHERE shard = :shard AND look_again_at <= :now ORDER BY look_again_at, job_id
        """,
        {"shard": shard, "now": to_unix(now)},
    )
    return [JobId(job_id) for (job_id,) in rows]


def active_count(tx: Transaction, user_id: UserId) -> int:
    """Return how many results of a user are still to be made."""
    [count] = tx.execute(
        """
        SELECT count(*) FROM jobs
        WHERE user_id = :user_id AND state NOT IN ('delivering', 'delivered', 'failed')
        """,
        {"user_id": user_id},
    ).one()
    return int(count)


def durations_s(tx: Transaction, model_id: ModelId, *, limit: int) -> list[float]:
    """Return how long the last `limit` delivered jobs of a model took at KIE, newest first."""
    rows = tx.execute(
        """
        SELECT ready_at - submitted_at FROM jobs
        WHERE model_id = :model_id AND state = 'delivered' AND ready_at IS NOT NULL
          AND submitted_at IS NOT NULL
        ORDER BY ready_at DESC LIMIT :limit
        """,
        {"model_id": model_id, "limit": limit},
    )
    return [float(duration_s) for (duration_s,) in rows]


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
        _sql(
            """
            UPDATE jobs SET
              state = :to,
              task_id = COALESCE(:task_id, task_id),
              submitted_at = COALESCE(:submitted_at, submitted_at),
              reason = COALESCE(:reason, reason),
              result_urls = COALESCE(:result_urls, result_urls),
              status_message_id = COALESCE(:status_message_id, status_message_id),
              attempt = COALESCE(:attempt, attempt),
              credits_consumed = COALESCE(:credits_consumed, credits_consumed),
              ready_at = COALESCE(:ready_at, ready_at),
              look_again_at = COALESCE(:look_again_at, look_again_at),
              ended_at = :ended_at,
              epoch = :epoch,
              updated_at = :now
            WHERE job_id = :job_id AND state = :state
            RETURNING (columns)
            """
        ),
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
            "credits_consumed": _text_or_none(changes.get("credits_consumed")),
            "ready_at": to_unix_or_none(changes.get("ready_at")),
            "look_again_at": to_unix_or_none(changes.get("look_again_at")),
            "ended_at": to_unix(now) if to.is_final else None,
            "epoch": epoch,
            "now": to_unix(now),
        },
    ).first()
    return None if row is None else _job(row)


def look_again(tx: Transaction, job_id: JobId, at: datetime | None, *, epoch: int) -> None:
    """Say when to ask KIE again about a failed job; None if never."""
    tx.execute(
        "UPDATE jobs SET look_again_at = :at, epoch = :epoch WHERE job_id = :job_id",
        {"job_id": job_id, "at": to_unix_or_none(at), "epoch": epoch},
    )


def came_late(
    tx: Transaction, job: Job, urls: tuple[str, ...], *, epoch: int, now: datetime
) -> Job | None:
    """Keep the result of a job that had failed; None when it had one before."""
    row = tx.execute(
        _sql(
            """
            UPDATE jobs SET
              result_urls = :urls, ready_at = :now, look_again_at = NULL, epoch = :epoch
            WHERE job_id = :job_id AND state = 'failed' AND result_urls = '[]'
            RETURNING (columns)
            """
        ),
        {
            "job_id": job.job_id,
            "urls": msgspec.json.encode(urls).decode(),
            "epoch": epoch,
            "now": to_unix(now),
        },
    ).first()
    return None if row is None else _job(row)


def _sql(statement: str) -> str:
    """Return a statement in which `(columns)` stands for the columns of a job."""
    return statement.replace("(columns)", _COLUMNS)


def _job_or_unreadable(row: Row) -> Job | UnreadableJob:
    try:
        return _job(row)
    except (ValueError, ArithmeticError, msgspec.DecodeError):
        return UnreadableJob(job_id=row[0])


def _text_or_none(credits_: Decimal | None) -> str | None:
    return None if credits_ is None else str(credits_)


def _job(row: Row) -> Job:
    job_id, user_id, chat_id, draft_id, model_id, params, price_kopecks, language, cid = row[:9]
    created_at, deadline_at, state, attempt, task_id, submitted_at = row[9:15]
    status_message_id, reason, result_urls, expected, consumed, ready_at, ended_at = row[15:]
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
        credits_expected=None if expected is None else Decimal(expected),
        credits_consumed=None if consumed is None else Decimal(consumed),
        ready_at=from_unix_or_none(ready_at),
        ended_at=from_unix_or_none(ended_at),
    )
