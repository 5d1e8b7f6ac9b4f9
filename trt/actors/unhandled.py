"""What becomes of an update that is not carried out: its row ends, and its user is told."""

from datetime import datetime
from typing import Final

from attrs import frozen

from trt.domain import screens
from trt.domain.copy import Copies, Copy, language_of
from trt.domain.ids import Shard
from trt.domain.inputs import Person
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Reply, ShowScreen
from trt.domain.session import Session
from trt.storage import inbox, outbox, sessions
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.telegram.updates import Unsupported, read_event
from trt.telemetry.events import EventName

TAP_AGE_S_MAX: Final = 150.0
"""How long Telegram takes an answer to a tap (telegram-bot-api, Client.cpp: callback queries)."""


@frozen(kw_only=True)
class Desk:
    """What whoever turns an update away has at hand."""

    copies: Copies
    shard: Shard
    epoch: int


def turn_away(tx: Transaction, row: InboxRow, reason: Reason, desk: Desk, now: datetime) -> bool:
    """End an update with a reason and put the words for its user into the outbox.

    Args:
        tx: A transaction of the active branch, fenced by its lease.
        row: The update.
        reason: `HANDLER_CRASHED`, `STALE_UPDATE` or `MAILBOX_FULL`.
        desk: The words and the lease.
        now: The wall-clock time.

    Returns:
        False when it had ended before, and then nothing was written.
    """
    is_dead = reason is Reason.HANDLER_CRASHED
    if not inbox.finish(
        tx,
        bot_id=row.bot_id,
        update_id=row.update_id,
        state=InboxState.DEAD if is_dead else InboxState.REFUSED,
        reason=reason,
        epoch=desk.epoch,
        now=now,
    ):
        return False
    read = read_event(row.payload)
    if not isinstance(read, Unsupported):
        outbox.put(
            tx,
            shard=desk.shard,
            chat_id=row.chat_id,
            reply=_words(row, reason, desk.copies.of(_language(tx, read[0])), desk, now),
            cid=row.cid,
            job_id=None,
            epoch=desk.epoch,
            now=now,
        )
    return True


def event_of(reason: Reason) -> EventName:
    """Return how the log calls an update that was turned away."""
    is_ours = reason is Reason.HANDLER_CRASHED
    return EventName.DISPATCH_FAIL if is_ours else EventName.DISPATCH_REFUSED


def age_s(row: InboxRow, now: datetime) -> float:
    """Return how long ago an update reached us."""
    return (now - row.received_at).total_seconds()


def _words(row: InboxRow, reason: Reason, copy: Copy, desk: Desk, now: datetime) -> Reply:
    is_crash = reason is Reason.HANDLER_CRASHED
    if reason is Reason.STALE_UPDATE:
        # One slot per lease: whoever tapped ten times while we were away reads this once.
        return ShowScreen(screen=screens.stale_notice(copy), slot=f"stale:{desk.epoch}")
    if row.callback_id is not None and age_s(row, now) < TAP_AGE_S_MAX:
        text = screens.crashed_toast(copy) if is_crash else screens.too_busy_toast(copy)
        return AnswerCallback(callback_id=row.callback_id, text=text, is_alert=is_crash)
    if is_crash:
        return ShowScreen(screen=screens.crashed_notice(copy))
    # One slot a minute: a user who floods the bot reads this once, not once per message.
    return ShowScreen(
        screen=screens.too_busy_notice(copy), slot=f"too_busy:{int(now.timestamp() // 60)}"
    )


def _language(tx: Transaction, person: Person) -> str:
    session = sessions.load(tx, person.user_id)
    return session.language if isinstance(session, Session) else language_of(person.language_code)
