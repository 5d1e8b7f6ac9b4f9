"""What the operator does with other people's money: once per action, with a reason, and kept."""

from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import Cid, UserId
from trt.domain.ledger import account_of
from trt.domain.payments import Payment, PaymentKey, Source
from trt.storage import outside_money, payments
from trt.storage.database import Refusal, Row, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted
from trt.storage.payments import NotRefundable, RefundHeld, UnknownPayment
from trt.storage.timestamps import to_unix
from trt.storage.transfers import account


class ActionKind(StrEnum):
    """What can be done."""

    CREDIT = "credit"
    DEBIT = "debit"
    REFUND = "refund"
    APPROVE = "approve"
    REJECT = "reject"


@frozen(kw_only=True)
class Mandate:
    """Who wants something done, and why."""

    action_id: str
    """The same action told twice has the same: it is done once."""
    admin: str
    reason: str
    cid: Cid
    epoch: int
    now: datetime

    def __attrs_post_init__(self) -> None:
        assert self.reason.strip(), "no money without a reason"


@frozen
class DoneBefore:
    """This very action was done before; nothing changed."""


@frozen
class UnknownUser(Refusal):
    """Nobody with this number has an account; nothing was done."""


@frozen(kw_only=True)
class PaidByHand(Refusal):
    """It is a transfer, which only the operator can send back; nothing was done."""

    payment: Payment


def credit(
    tx: Transaction, mandate: Mandate, user_id: UserId, amount_kopecks: int
) -> Posted | AlreadyPosted | UnknownUser:
    """Give a user money.

    Raises:
        LedgerMismatch: The action was another one before.
    """
    if account(tx, account_of(user_id)) is None:
        return UnknownUser()
    given = outside_money.admin_credit(
        tx,
        user_id=user_id,
        amount_kopecks=amount_kopecks,
        action_id=mandate.action_id,
        cid=mandate.cid,
        epoch=mandate.epoch,
        now=mandate.now,
    )
    note(tx, mandate, ActionKind.CREDIT, user_id, amount_kopecks)
    return given


def debit(
    tx: Transaction, mandate: Mandate, user_id: UserId, amount_kopecks: int
) -> Posted | AlreadyPosted | UnknownUser | InsufficientFunds:
    """Take money from a user, no more than can be spent.

    Raises:
        LedgerMismatch: The action was another one before.
    """
    if account(tx, account_of(user_id)) is None:
        return UnknownUser()
    taken = outside_money.admin_debit(
        tx,
        user_id=user_id,
        amount_kopecks=amount_kopecks,
        action_id=mandate.action_id,
        cid=mandate.cid,
        epoch=mandate.epoch,
        now=mandate.now,
    )
    if not isinstance(taken, InsufficientFunds):
        note(tx, mandate, ActionKind.DEBIT, user_id, amount_kopecks)
    return taken


def refund(
    tx: Transaction, mandate: Mandate, external_id: str
) -> RefundHeld | DoneBefore | UnknownPayment | PaidByHand | NotRefundable | InsufficientFunds:
    """Begin to give a payment in Stars back.

    Args:
        tx: The transaction.
        mandate: Who wants it, and why.
        external_id: The payment's, as the admin reads it in the list of payments.

    Raises:
        LedgerMismatch: The action was another one before.
    """
    key = PaymentKey(Source.STARS, external_id)
    before = payments.find(tx, key)
    if before is None:
        transfer = payments.find(tx, PaymentKey(Source.TRANSFER, external_id))
        return UnknownPayment() if transfer is None else PaidByHand(payment=transfer.payment)
    payment = before.payment
    found = _find(tx, mandate.action_id)
    if found is not None:
        _require_same(
            found,
            mandate,
            _facts(ActionKind.REFUND, payment.user_id, payment.amount_kopecks, str(key)),
        )
        return DoneBefore()
    held = payments.ask_refund(tx, key, cid=mandate.cid, epoch=mandate.epoch, now=mandate.now)
    if isinstance(held, RefundHeld):
        note(tx, mandate, ActionKind.REFUND, payment.user_id, payment.amount_kopecks, str(key))
    return held


def note(
    tx: Transaction,
    mandate: Mandate,
    kind: ActionKind,
    user_id: UserId,
    amount_kopecks: int,
    subject: str = "",
) -> bool:
    """Write an action down; False when it was written before.

    Raises:
        LedgerMismatch: It was another one before.
    """
    written = tx.execute(
        """
        INSERT INTO admin_actions
          (action_id, admin, kind, user_id, amount_kopecks, subject, reason, cid, at)
        VALUES
          (:action_id, :admin, :kind, :user_id, :amount_kopecks, :subject, :reason, :cid, :at)
        ON CONFLICT (action_id) DO NOTHING
        """,
        {
            "action_id": mandate.action_id,
            "admin": mandate.admin,
            "kind": kind,
            "user_id": user_id,
            "amount_kopecks": amount_kopecks,
            "subject": subject,
            "reason": mandate.reason,
            "cid": mandate.cid,
            "at": to_unix(mandate.now),
        },
    )
    if written.count == 1:
        return True
    found = _find(tx, mandate.action_id)
    assert found is not None
    _require_same(found, mandate, _facts(kind, user_id, amount_kopecks, subject))
    return False


def _find(tx: Transaction, action_id: str) -> Row | None:
    return tx.execute(
        """
        SELECT kind, user_id, amount_kopecks, subject FROM admin_actions
        WHERE action_id = :action_id
        """,
        {"action_id": action_id},
    ).first()


def _facts(kind: ActionKind, user_id: UserId, amount_kopecks: int, subject: str) -> Row:
    return (kind, user_id, amount_kopecks, subject)


def _require_same(found: Row, mandate: Mandate, facts: Row) -> None:
    if found != facts:
        raise LedgerMismatch(f"action {mandate.action_id} was another one before")
