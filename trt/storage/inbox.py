"""The inbox: every update that was accepted, until it has ended."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen

from trt.domain.ids import BotId, CallbackId, ChatId, Cid, Shard, UpdateId, UserId
from trt.domain.reasons import Reason
from trt.storage.database import Row, Transaction
from trt.storage.multi_row import insert_rows
from trt.storage.timestamps import from_unix, to_unix

SENT_ON = "sent_on"
"""The kind of an update that another shard's transaction has handed over."""
_SENT_ON_BELOW = 2**63
"""Larger than every number of Telegram's; what is sent on stands before them all, in order."""


class InboxState(StrEnum):
    """How far an update has come; all but NEW are final."""

    NEW = "new"
    DONE = "done"
    REFUSED = "refused"
    DEAD = "dead"
    """Its handling crashed until the retries ran out."""


@frozen(kw_only=True)
class InboxRow:
    """One update as it was accepted."""

    bot_id: BotId
    update_id: UpdateId
    user_id: UserId
    chat_id: ChatId
    kind: str
    """Telegram's name of the update's field: `message`, `callback_query` …"""
    callback_id: CallbackId | None
    cid: Cid
    payload: bytes
    """The update as Telegram sent it."""
    received_at: datetime
    shard: Shard
    attempts: int = 0
    """0 until a takeover without a word found it unfinished, which makes it a suspect; from then on
    the number of the attempt at it, the one before the first such takeover included."""


def store(tx: Transaction, rows: Sequence[InboxRow]) -> frozenset[UpdateId]:
    """Store a batch of one bot's updates and return the ids of those that are new.

    The others were stored before; an id that is twice in the batch counts once.
    """
    # In one order everywhere, so that two instances with the same updates do not deadlock.
    rows = sorted(rows, key=lambda row: row.update_id)
    assert len({row.bot_id for row in rows}) <= 1, "a batch belongs to one bot"
    stored = insert_rows(
        tx,
        """
        INSERT INTO inbox
          (bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload, received_at,
           shard, attempts)
        """,
        [_columns(row) for row in rows],
        "ON CONFLICT (bot_id, update_id) DO NOTHING RETURNING update_id",
    )
    return frozenset(UpdateId(update_id) for (update_id,) in stored)


def send_on(
    tx: Transaction, row: InboxRow, user_id: UserId, shard: Shard, *, now: datetime
) -> None:
    """Hand an update over to another shard, as ingress would; a second time does nothing.

    It takes its turn among the updates of the user whom it concerns, before what waits there; what
    there is to say about it goes to the chat it came from.
    """
    assert row.update_id >= 0, "what was sent on is not sent on again"
    handed = evolve(
        row,
        update_id=UpdateId(row.update_id - _SENT_ON_BELOW),
        user_id=user_id,
        kind=SENT_ON,
        callback_id=None,
        received_at=now,
        shard=shard,
        attempts=0,
    )
    store(tx, [handed])


def sent_as(update_id: UpdateId) -> UpdateId:
    """Return the number under which Telegram sent an update, sent on or not."""
    return UpdateId(update_id % _SENT_ON_BELOW)


def unfinished(tx: Transaction, *, bot_id: BotId, shard: Shard, limit: int) -> list[InboxRow]:
    """Return at most `limit` updates that have not ended, in the order of their ids."""
    rows = tx.execute(
        """
        SELECT bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload, received_at,
               shard, attempts
        FROM inbox WHERE bot_id = :bot_id AND shard = :shard AND state = 'new'
        ORDER BY update_id LIMIT :limit
        """,
        {"bot_id": bot_id, "shard": shard, "limit": limit},
    )
    return [_inbox_row(row) for row in rows]


def oldest_unfinished(tx: Transaction, *, bot_id: BotId, user_id: UserId) -> InboxRow | None:
    """Return the first of a user's updates that has not ended, by the order of their ids.

    A pre-checkout does not count: it waits behind nothing, and nothing waits behind it.
    """
    row = tx.execute(
        """
        SELECT bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload, received_at,
               shard, attempts
        FROM inbox WHERE bot_id = :bot_id AND user_id = :user_id AND state = 'new'
          AND kind <> 'pre_checkout_query'
        ORDER BY update_id LIMIT 1
        """,
        {"bot_id": bot_id, "user_id": user_id},
    ).first()
    return None if row is None else _inbox_row(row)


def taps_waiting(tx: Transaction, *, shard: Shard, limit: int) -> list[InboxRow]:
    """Return at most `limit` taps on buttons that have not ended, the newest first."""
    rows = tx.execute(
        """
        SELECT bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload, received_at,
               shard, attempts
        FROM inbox WHERE shard = :shard AND state = 'new' AND callback_id IS NOT NULL
        ORDER BY update_id DESC LIMIT :limit
        """,
        {"shard": shard, "limit": limit},
    )
    return [_inbox_row(row) for row in rows]


def is_unfinished(tx: Transaction, *, bot_id: BotId, update_id: UpdateId) -> bool:
    """Return whether the update is stored and has not ended."""
    found = tx.execute(
        """
        SELECT 1 FROM inbox
        WHERE bot_id = :bot_id AND update_id = :update_id AND state = 'new'
        """,
        {"bot_id": bot_id, "update_id": update_id},
    )
    return found.first() is not None


def mark_suspects(tx: Transaction, *, bot_id: BotId, shard: Shard) -> None:
    """Mark every unfinished update: any of them may be why the last holder went without a word."""
    tx.execute(
        """
        UPDATE inbox SET attempts = 1
        WHERE bot_id = :bot_id AND shard = :shard AND state = 'new' AND attempts = 0
        """,
        {"bot_id": bot_id, "shard": shard},
    )


def begin_again(tx: Transaction, row: InboxRow) -> bool:
    """Count the attempt at a suspect that follows; the same row twice counts once.

    Returns:
        False when it has ended or an earlier one of its user comes first: it is not begun then.
    """
    oldest = oldest_unfinished(tx, bot_id=row.bot_id, user_id=row.user_id)
    if oldest is None or oldest.update_id != row.update_id:
        return False
    tx.execute(
        """
        UPDATE inbox SET attempts = attempts + 1
        WHERE bot_id = :bot_id AND update_id = :update_id AND attempts = :attempts
        """,
        {"bot_id": row.bot_id, "update_id": row.update_id, "attempts": row.attempts},
    )
    return True


def finish(
    tx: Transaction,
    *,
    bot_id: BotId,
    update_id: UpdateId,
    state: InboxState,
    reason: Reason,
    epoch: int,
    now: datetime,
) -> bool:
    """End an update; False when it had ended before, and then nothing else may be committed."""
    assert state is not InboxState.NEW
    finished = tx.execute(
        """
        UPDATE inbox SET state = :state, reason = :reason, epoch = :epoch, finished_at = :now
        WHERE bot_id = :bot_id AND update_id = :update_id AND state = 'new'
        """,
        {
            "bot_id": bot_id,
            "update_id": update_id,
            "state": state,
            "reason": reason,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )
    return finished.count == 1


def depth(tx: Transaction) -> int:
    """Return how many updates have not ended."""
    [count] = tx.execute("SELECT count(*) FROM inbox WHERE state = 'new'").one()
    return int(count)


def prune(tx: Transaction, *, shard: Shard, before: datetime, limit: int) -> int:
    """Forget at most `limit` updates of a shard that ended before a time, and return how many.

    Telegram delivers an update again for up to 24 hours, so `before` must lie further back: the
    row is what recognises the repetition.
    """
    return tx.execute(
        """
        DELETE FROM inbox WHERE (bot_id, update_id) IN (
          SELECT bot_id, update_id FROM inbox
          WHERE state <> 'new' AND finished_at < :before AND shard = :shard
          ORDER BY finished_at LIMIT :limit)
        """,
        {"shard": shard, "before": to_unix(before), "limit": limit},
    ).count


def _columns(row: InboxRow) -> Row:
    return (
        row.bot_id,
        row.update_id,
        row.user_id,
        row.chat_id,
        row.kind,
        row.callback_id,
        row.cid,
        row.payload,
        to_unix(row.received_at),
        row.shard,
        row.attempts,
    )


def _inbox_row(row: Row) -> InboxRow:
    (bot_id, update_id, user_id, chat_id, kind, callback_id, cid, payload, received_at) = row[:9]
    shard, attempts = row[9:]
    return InboxRow(
        bot_id=bot_id,
        update_id=update_id,
        user_id=user_id,
        chat_id=chat_id,
        kind=kind,
        callback_id=callback_id,
        cid=cid,
        payload=payload,
        received_at=from_unix(received_at),
        shard=shard,
        attempts=attempts,
    )
