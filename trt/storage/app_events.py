"""The diary that a complaint is looked up in, by its correlation id."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from attrs import field, frozen

from trt.domain.ids import ChatId, Cid, JobId, ModelId, UpdateId, UserId
from trt.storage.database import Transaction
from trt.storage.multi_row import insert_rows
from trt.storage.timestamps import from_unix, to_unix

_PAYLOAD = msgspec.json.Decoder(dict[str, object])


@frozen(kw_only=True)
class AppEvent:
    """One event as the log had it, already redacted."""

    at: datetime
    level: str
    event: str
    cid: Cid | None = None
    user_id: UserId | None = None
    chat_id: ChatId | None = None
    update_id: UpdateId | None = None
    job_id: JobId | None = None
    model_id: ModelId | None = None
    payload: Mapping[str, object] = field(factory=dict)
    """The other fields; anything that JSON can say."""


def insert(tx: Transaction, rows: Sequence[AppEvent]) -> None:
    """Write a batch of events."""
    insert_rows(
        tx,
        """
        INSERT INTO app_events
          (at, level, event, cid, user_id, chat_id, update_id, job_id, model_id, payload)
        """,
        [
            (
                to_unix(row.at),
                row.level,
                row.event,
                row.cid,
                row.user_id,
                row.chat_id,
                row.update_id,
                row.job_id,
                row.model_id,
                msgspec.json.encode(row.payload).decode(),
            )
            for row in rows
        ],
    )


def of_cid(tx: Transaction, cid: Cid) -> list[AppEvent]:
    """Return everything that happened under a correlation id, in the order it was written."""
    rows = tx.execute(
        """
        SELECT at, level, event, cid, user_id, chat_id, update_id, job_id, model_id, payload
        FROM app_events WHERE cid = :cid ORDER BY event_id
        """,
        {"cid": cid},
    )
    return [
        AppEvent(
            at=from_unix(at),
            level=level,
            event=event,
            cid=cid,
            user_id=user_id,
            chat_id=chat_id,
            update_id=update_id,
            job_id=job_id,
            model_id=model_id,
            payload=_PAYLOAD.decode(payload),
        )
        for at, level, event, _, user_id, chat_id, update_id, job_id, model_id, payload in rows
    ]


def prune(tx: Transaction, *, before: datetime, limit: int) -> int:
    """Forget at most `limit` events older than a time, and return how many."""
    return tx.execute(
        """
        DELETE FROM app_events WHERE event_id IN (
          SELECT event_id FROM app_events WHERE at < :before ORDER BY at LIMIT :limit)
        """,
        {"before": to_unix(before), "limit": limit},
    ).count
