"""Payments made elsewhere: each is credited once, and goes back once, whoever tells of it."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, Shard, UserId
from trt.domain.ledger import TransferKind, account_of
from trt.domain.payments import OrderId, Payment, PaymentKey, PaymentState, Source
from trt.storage import ledger, outside_money
from trt.storage.database import Refusal, Row, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted
from trt.storage.timestamps import from_unix, to_unix
from trt.storage.transfers import lock


@frozen(kw_only=True)
class PaymentRow:
    """A payment as it stands."""

    payment: Payment
    state: PaymentState
    refund_no: int
    """Tries to give it back so far."""
    shard: Shard
    cid: Cid
    created_at: datetime


@frozen(kw_only=True)
class RefundHeld:
    """Its money is held, and Telegram is going to be asked to give the Stars back."""

    payment: Payment


@frozen
class UnknownPayment(Refusal):
    """There is no such payment; nothing was done."""


@frozen
class NotRefundable(Refusal):
    """It is going back or went back before; nothing was done."""

    state: PaymentState


@frozen(kw_only=True)
class TakenBack:
    """A payment went back outside, and its money with it."""

    payment: Payment
    covered_kopecks: int
    """What of it was spent before, so that the operator bears it."""


@frozen(kw_only=True)
class RefundEnded:
    """A refund of ours is through."""

    payment: Payment


def credit(
    tx: Transaction, payment: Payment, *, shard: Shard, cid: Cid, epoch: int, now: datetime
) -> Posted | AlreadyPosted:
    """Credit a payment to its user, whose account is opened if need be; once per payment.

    Raises:
        LedgerMismatch: It was credited to somebody else before, or was another amount outside.
    """
    ledger.open_account(tx, payment.user_id, shard=shard)
    own = lock(tx, account_of(payment.user_id))
    assert own is not None
    written = tx.execute(
        """
        INSERT INTO payments
          (source, external_id, user_id, amount_kopecks, stars, order_id, cid, shard, epoch,
           created_at, updated_at)
        VALUES
          (:source, :external_id, :user_id, :amount_kopecks, :stars, :order_id, :cid, :shard,
           :epoch, :now, :now)
        ON CONFLICT (source, external_id) DO NOTHING
        """,
        {
            "source": payment.key.source,
            "external_id": payment.key.external_id,
            "user_id": payment.user_id,
            "amount_kopecks": payment.amount_kopecks,
            "stars": payment.stars,
            "order_id": payment.order_id,
            "cid": cid,
            "shard": own.shard,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )
    if written.count == 1:
        return outside_money.top_up(tx, payment, cid=cid, epoch=epoch, now=now)
    before = find(tx, payment.key)
    assert before is not None
    # The rate may have changed between two tellings of one payment, its Stars cannot.
    if (before.payment.user_id, before.payment.stars) != (payment.user_id, payment.stars):
        raise LedgerMismatch(f"payment {payment.key} was first told differently")
    return AlreadyPosted(balance=ledger.balance(tx, payment.user_id))


def ask_refund(
    tx: Transaction, key: PaymentKey, *, cid: Cid, epoch: int, now: datetime
) -> RefundHeld | UnknownPayment | NotRefundable | InsufficientFunds:
    """Hold a whole payment, so that it can be given back; on a refusal nothing is written."""
    row = _locked(tx, key)
    if row is None:
        return UnknownPayment()
    if row.state is not PaymentState.CREDITED:
        return NotRefundable(row.state)
    number = row.refund_no + 1
    held = outside_money.hold_refund(tx, row.payment, number, cid=cid, epoch=epoch, now=now)
    if isinstance(held, InsufficientFunds):
        return held
    _move(tx, row, PaymentState.REFUNDING, refund_no=number, epoch=epoch, now=now)
    return RefundHeld(payment=row.payment)


def end_refund(
    tx: Transaction,
    key: PaymentKey,
    *,
    is_done: bool,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> RefundEnded | None:
    """Let the held money go with the Stars, or stay because Telegram would not give them back.

    Returns:
        None when the refund had ended before: whoever else heard of it was faster.
    """
    row = _locked(tx, key)
    assert row is not None, "a refund of no payment"
    if row.state is not PaymentState.REFUNDING:
        return None
    kind = TransferKind.POST if is_done else TransferKind.VOID
    before = outside_money.end_refund(
        tx, row.payment, row.refund_no, kind, cid=cid, epoch=epoch, now=now
    )
    assert before is None, "the refund's money went another way than its state"
    to = PaymentState.REFUNDED if is_done else PaymentState.CREDITED
    _move(tx, row, to, refund_no=row.refund_no, epoch=epoch, now=now)
    return RefundEnded(payment=row.payment)


def take_back(
    tx: Transaction, payment: Payment, *, shard: Shard, cid: Cid, epoch: int, now: datetime
) -> TakenBack | RefundEnded | None:
    """Learn that a payment went back: by our own refund, or without us.

    One that we never saw is credited first, so that the books know of both.

    Returns:
        None when that was known.

    Raises:
        LedgerMismatch: It was credited to somebody else before, or was another amount outside.
    """
    credit(tx, payment, shard=shard, cid=cid, epoch=epoch, now=now)
    row = _locked(tx, payment.key)
    assert row is not None
    if row.state is PaymentState.REFUNDING:
        return end_refund(tx, payment.key, is_done=True, cid=cid, epoch=epoch, now=now)
    if row.state is not PaymentState.CREDITED:
        return None
    covered = outside_money.take_back(tx, row.payment, cid=cid, epoch=epoch, now=now)
    assert covered is not None, "the payment's money went before its state"
    _move(tx, row, PaymentState.DISPUTED, refund_no=row.refund_no, epoch=epoch, now=now)
    return TakenBack(payment=row.payment, covered_kopecks=covered)


# Looking.


def find(tx: Transaction, key: PaymentKey) -> PaymentRow | None:
    """Return a payment, or None when nobody told us of it."""
    row = tx.execute(
        """
        SELECT source, external_id, user_id, amount_kopecks, stars, order_id, state, refund_no,
               shard, cid, created_at
        FROM payments WHERE source = :source AND external_id = :external_id
        """,
        {"source": key.source, "external_id": key.external_id},
    ).first()
    return None if row is None else _payment_row(row)


def of_user(tx: Transaction, user_id: UserId, limit: int) -> list[PaymentRow]:
    """Return a user's last payments, newest first."""
    rows = tx.execute(
        """
        SELECT source, external_id, user_id, amount_kopecks, stars, order_id, state, refund_no,
               shard, cid, created_at
        FROM payments WHERE user_id = :user_id ORDER BY created_at DESC, external_id LIMIT :limit
        """,
        {"user_id": user_id, "limit": limit},
    )
    return [_payment_row(row) for row in rows]


def refunding(tx: Transaction, *, shard: Shard, limit: int) -> list[PaymentRow]:
    """Return payments that are to be given back, oldest first."""
    rows = tx.execute(
        """
        SELECT source, external_id, user_id, amount_kopecks, stars, order_id, state, refund_no,
               shard, cid, created_at
        FROM payments WHERE shard = :shard AND state = 'refunding'
        ORDER BY created_at, external_id LIMIT :limit
        """,
        {"shard": shard, "limit": limit},
    )
    return [_payment_row(row) for row in rows]


def confirm(tx: Transaction, keys: Sequence[PaymentKey], *, epoch: int, now: datetime) -> None:
    """Note that the other side's own list has these payments too."""
    for key in keys:
        tx.execute(
            """
            UPDATE payments SET confirmed_at = :now, epoch = :epoch
            WHERE source = :source AND external_id = :external_id AND confirmed_at IS NULL
            """,
            {
                "source": key.source,
                "external_id": key.external_id,
                "epoch": epoch,
                "now": to_unix(now),
            },
        )


def unconfirmed(tx: Transaction, *, shard: Shard, before: datetime, limit: int) -> list[PaymentRow]:
    """Return payments in Stars that are older than `before` and in no list of Telegram's."""
    rows = tx.execute(
        """
        SELECT source, external_id, user_id, amount_kopecks, stars, order_id, state, refund_no,
               shard, cid, created_at
        FROM payments
        WHERE shard = :shard AND source = :source AND confirmed_at IS NULL
          AND created_at < :before
        ORDER BY created_at, external_id LIMIT :limit
        """,
        {"shard": shard, "source": Source.STARS, "before": to_unix(before), "limit": limit},
    )
    return [_payment_row(row) for row in rows]


def _locked(tx: Transaction, key: PaymentKey) -> PaymentRow | None:
    """Return a payment whose account, and so whose state, nobody else can change now."""
    row = find(tx, key)
    if row is None:
        return None
    lock(tx, account_of(row.payment.user_id))
    return find(tx, key)


def _move(
    tx: Transaction,
    row: PaymentRow,
    to: PaymentState,
    *,
    refund_no: int,
    epoch: int,
    now: datetime,
) -> None:
    tx.execute(
        """
        UPDATE payments SET
          state = :to, refund_no = :refund_no, epoch = :epoch, updated_at = :now
        WHERE source = :source AND external_id = :external_id
        """,
        {
            "source": row.payment.key.source,
            "external_id": row.payment.key.external_id,
            "to": to,
            "refund_no": refund_no,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )


def _payment_row(row: Row) -> PaymentRow:
    source, external_id, user_id, amount_kopecks, stars, order_id = row[:6]
    state, refund_no, shard, cid, created_at = row[6:]
    return PaymentRow(
        payment=Payment(
            key=PaymentKey(source, external_id),
            user_id=user_id,
            amount_kopecks=amount_kopecks,
            stars=stars,
            order_id=None if order_id is None else OrderId(order_id),
        ),
        state=PaymentState(state),
        refund_no=refund_no,
        shard=shard,
        cid=cid,
        created_at=from_unix(created_at),
    )
