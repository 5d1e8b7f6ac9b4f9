"""What an operator does with other people's money from the machine, and how it ended."""

from datetime import datetime
from typing import assert_never

from attrs import frozen

from trt.actors.money_notices import MoneyNotice, notify
from trt.domain.copy import Copies
from trt.domain.ids import Cid, UserId
from trt.domain.money_news import typed_rubles
from trt.domain.payments import Payment
from trt.storage import admin_actions, app_events
from trt.storage.admin_actions import ActionKind, DoneBefore, Mandate, PaidByHand, UnknownUser
from trt.storage.app_events import AppEvent
from trt.storage.database import Refusal, Transaction
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted
from trt.storage.payments import NotRefundable, RefundHeld, UnknownPayment
from trt.telemetry.events import EventName

OPERATOR_EPOCH = 0
"""Of rows that no lease stands behind."""


@frozen(kw_only=True)
class Deed:
    """What shall be done; the same id a second time does nothing."""

    kind: ActionKind
    action_id: str
    by: str
    because: str
    cid: Cid


@frozen
class Told:
    """How it ended, in words."""

    words: str


@frozen
class Refused(Refusal):
    """Nothing was done; why, in words."""

    words: str


def adjust(
    tx: Transaction,
    deed: Deed,
    user_id: UserId,
    amount_kopecks: int,
    copies: Copies,
    now: datetime,
) -> Told | Refused:
    """Credit or debit a user, and tell them.

    Raises:
        LedgerMismatch: The id stood for another deed before.
    """
    is_credit = deed.kind is ActionKind.CREDIT
    act = admin_actions.credit if is_credit else admin_actions.debit
    done = act(tx, _mandate(deed, now), user_id, amount_kopecks)
    match done:
        case Posted(balance=balance):
            text = "paid.credited" if is_credit else "paid.debited"
            _follow_up(tx, deed, user_id, text, amount_kopecks, copies, now)
            return Told(f"done: user {user_id} has {_rubles(balance.available_kopecks)} now")
        case AlreadyPosted():
            return Told(f"done before under --id {deed.action_id}: nothing changed")
        case UnknownUser():
            return Refused(f"nobody with the number {user_id} ever wrote to the bot")
        case InsufficientFunds(missing_kopecks=missing_kopecks):
            return Refused(f"{_rubles(missing_kopecks)} are missing: spent, or held by jobs")
        case _:
            assert_never(done)


def refund(
    tx: Transaction, deed: Deed, charge_id: str, copies: Copies, now: datetime
) -> Told | Refused:
    """Begin to give a payment in Stars back, and tell its payer.

    Raises:
        LedgerMismatch: The id stood for another deed before.
    """
    done = admin_actions.refund(tx, _mandate(deed, now), charge_id)
    match done:
        case RefundHeld(payment=payment):
            amount_kopecks = payment.amount_kopecks
            text = "paid.refund_begun"
            _follow_up(tx, deed, payment.user_id, text, amount_kopecks, copies, now)
            return Told(
                f"begun: {_rubles(amount_kopecks)} of user {payment.user_id} are held, and the "
                "running service asks Telegram"
            )
        case DoneBefore():
            return Told(f"done before under --id {deed.action_id}: nothing changed")
        case UnknownPayment():
            return Refused("there is no such payment: copy its charge id from `/payments USER`")
        case PaidByHand(payment=payment):
            return Refused(_by_hand(payment))
        case NotRefundable(state=state):
            return Refused(f"it cannot be refunded: it is {state}")
        case InsufficientFunds(missing_kopecks=missing_kopecks):
            return Refused(
                f"{_rubles(missing_kopecks)} of it are spent or held: `trt ops credit` them "
                "first, if you will bear them"
            )
        case _:
            assert_never(done)


def _by_hand(payment: Payment) -> str:
    return (
        f"it is a transfer by hand of {_rubles(payment.amount_kopecks)} and no Stars, Telegram "
        "cannot give it back: send the money back yourself, then `trt ops debit "
        f"{payment.user_id} {typed_rubles(payment.amount_kopecks)} --reason 'transfer "
        f"{payment.key.external_id} sent back'`"
    )


def _mandate(deed: Deed, now: datetime) -> Mandate:
    return Mandate(
        action_id=deed.action_id,
        admin=deed.by,
        reason=deed.because,
        cid=deed.cid,
        epoch=OPERATOR_EPOCH,
        now=now,
    )


def _follow_up(
    tx: Transaction,
    deed: Deed,
    user_id: UserId,
    text: str,
    amount_kopecks: int,
    copies: Copies,
    now: datetime,
) -> None:
    """Tell the user, and note the deed where a complaint is looked up."""
    notice = MoneyNotice(user_id=user_id, text=text, amount_kopecks=amount_kopecks)
    notify(tx, notice, copies, None, cid=deed.cid, epoch=OPERATOR_EPOCH, now=now)
    event = AppEvent(
        at=now,
        level="info",
        event=EventName.ADMIN_ACTION,
        cid=deed.cid,
        user_id=user_id,
        payload={"kind": deed.kind, "outcome": "done", "amount_kopecks": amount_kopecks},
    )
    app_events.insert(tx, [event])


def _rubles(kopecks: int) -> str:
    return f"RUB {typed_rubles(kopecks)}"
