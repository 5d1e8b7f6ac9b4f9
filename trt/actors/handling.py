"""One update, one transaction: what the dialog decided, carried out in the database."""

from datetime import datetime
from typing import assert_never

from attrs import frozen

from trt.actors.happening import Happening
from trt.actors.unhandled import TAP_AGE_S_MAX, Desk, age_s, event_of, turn_away
from trt.actors.update_desk import JobBooks, Shop, Stamp, UpdateDesk, told
from trt.domain import dialog
from trt.domain.ids import JobId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileSent,
    MediaSent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    PreCheckout,
    TextSent,
)
from trt.domain.reasons import Reason
from trt.domain.turn import Rejected
from trt.storage import inbox, sessions
from trt.storage.database import Refusal, Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.telegram.payments import read_payment
from trt.telegram.updates import PAYMENT_KINDS, Unsupported, read_event
from trt.telemetry.events import EventName

ATTEMPTS_MAX = 5
"""Attempts at one update that may end with their process before it is refused as the likely cause:
to have waited in line is no attempt. What tells of money is carried out however often it took."""
MESSAGE_AGE_S_MAX = 24 * 3600.0
"""As long as Telegram itself would keep a message for us: after that nobody waits for an answer."""


@frozen
class AlreadyEnded(Refusal):
    """The inbox row had ended; nothing was done."""


@frozen
class EarlierFirst(Refusal):
    """An earlier update of the same user has not ended; nothing was done."""

    row: InboxRow


@frozen(kw_only=True)
class Handled:
    """It is committed: the replies are in the outbox and the jobs have their rows."""

    happenings: tuple[Happening, ...] = ()
    started_jobs: tuple[JobId, ...] = ()


def handle(
    tx: Transaction, row: InboxRow, shop: Shop, books: JobBooks, stamp: Stamp
) -> Handled | AlreadyEnded | EarlierFirst:
    """Handle one update: session, job, ledger, outbox and inbox row change together or not at all.

    Args:
        tx: A transaction of the active branch, fenced by its lease.
        row: The update as it was committed.
        shop: What is sold.
        books: Who starts and ends jobs.
        stamp: The time, the lease's epoch and the ids to use if new ones are needed.
    """
    oldest = inbox.oldest_unfinished(tx, bot_id=row.bot_id, user_id=row.user_id)
    if oldest is None or oldest.update_id > row.update_id:
        return AlreadyEnded()
    if oldest.update_id < row.update_id:
        return EarlierFirst(oldest)
    row = oldest  # the same, as it stands: its attempts may have grown since it was read
    if row.kind == inbox.SENT_ON:
        return _handle_sent_on(tx, row, shop, books, stamp)
    read = _read(row)
    why_not = _why_not(row, read, stamp.now)
    if why_not is not None:
        return _turn_away(tx, row, why_not, shop, stamp)
    if isinstance(read, Unsupported):
        happenings = (told(EventName.DISPATCH_OK, row, reason_code=Reason.NOOP),)
        is_ours = _finish(tx, row, Reason.UNSUPPORTED_UPDATE, stamp)
        return Handled(happenings=happenings) if is_ours else AlreadyEnded()
    person, event = read
    desk = UpdateDesk(tx=tx, row=row, shop=shop, books=books, stamp=stamp)
    session = desk.session_of(person)
    news = desk.hear(person, event)
    turn = dialog.step(session, person, event, desk.situation(person, event, news))
    desk.carry_out(turn)
    desk.tell_outcome(event, turn)
    sessions.save(tx, turn.session, shard=stamp.shard, epoch=stamp.epoch, now=stamp.now)
    reason = turn.outcome.reason if isinstance(turn.outcome, Rejected) else Reason.SUCCESS
    if not _finish(tx, row, reason, stamp):
        return AlreadyEnded()  # a passive instance closed it meanwhile: all of this is undone
    return Handled(happenings=tuple(desk.happenings), started_jobs=tuple(desk.started_jobs))


def _handle_sent_on(
    tx: Transaction, row: InboxRow, shop: Shop, books: JobBooks, stamp: Stamp
) -> Handled | AlreadyEnded:
    """Do here what the admin asked another shard for; like a payment it is never too late."""
    read = read_event(row.payload)
    assert not isinstance(read, Unsupported), "nobody sends such an update on"
    desk = UpdateDesk(tx=tx, row=row, shop=shop, books=books, stamp=stamp)
    desk.obey(*read)
    is_ours = _finish(tx, row, Reason.SUCCESS, stamp)
    return Handled(happenings=tuple(desk.happenings)) if is_ours else AlreadyEnded()


def _read(row: InboxRow) -> tuple[Person, dialog.Event] | Unsupported:
    """Read what an update means; a pre-checkout is not answered by a conversation."""
    if row.kind not in PAYMENT_KINDS:
        return read_event(row.payload)
    read = read_payment(row.payload)
    if isinstance(read, Unsupported) or isinstance(read[1], PreCheckout):
        return Unsupported(row.kind)
    return read[0], read[1]


def _why_not(
    row: InboxRow, read: "tuple[Person, dialog.Event] | Unsupported", now: datetime
) -> Reason | None:
    """Return why an update must not be carried out; None for most, and for money always."""
    event = None if isinstance(read, Unsupported) else read[1]
    if isinstance(event, PaymentReceived | PaymentRefunded):
        return None
    if row.attempts > ATTEMPTS_MAX:
        return Reason.HANDLER_CRASHED
    match event:
        case ButtonTapped():
            age_s_max = TAP_AGE_S_MAX
        case CommandSent() | TextSent() | MediaSent() | FileSent():
            age_s_max = MESSAGE_AGE_S_MAX
        case None:
            return None
        case _:
            assert_never(event)
    return Reason.STALE_UPDATE if age_s(row, now) > age_s_max else None


def _turn_away(
    tx: Transaction, row: InboxRow, reason: Reason, shop: Shop, stamp: Stamp
) -> Handled | AlreadyEnded:
    desk = Desk(copies=shop.copies, shard=stamp.shard, epoch=stamp.epoch)
    if not turn_away(tx, row, reason, desk, stamp.now):
        return AlreadyEnded()
    return Handled(happenings=(told(event_of(reason), row, reason_code=reason),))


def _finish(tx: Transaction, row: InboxRow, reason: Reason, stamp: Stamp) -> bool:
    return inbox.finish(
        tx,
        bot_id=row.bot_id,
        update_id=row.update_id,
        state=InboxState.DONE,
        reason=reason,
        epoch=stamp.epoch,
        now=stamp.now,
    )
