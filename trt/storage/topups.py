"""Transfers by hand that users announced, and what the admin decided by their receipts."""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, Shard, UserId
from trt.domain.payments import OrderId, TopUp, TopUpState
from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix, to_unix


@frozen(kw_only=True)
class TopUpRow:
    """An announced transfer as it stands."""

    topup: TopUp
    state: TopUpState
    shard: Shard
    cid: Cid
    created_at: datetime


def announce(
    tx: Transaction, topup: TopUp, *, shard: Shard, cid: Cid, epoch: int, now: datetime
) -> None:
    """Store what somebody is about to transfer."""
    tx.execute(
        """
        INSERT INTO topups
          (order_id, user_id, amount_kopecks, state, cid, shard, epoch, created_at, updated_at)
        VALUES (:order_id, :user_id, :amount_kopecks, 'open', :cid, :shard, :epoch, :now, :now)
        """,
        {
            "order_id": topup.order_id,
            "user_id": topup.user_id,
            "amount_kopecks": topup.amount_kopecks,
            "cid": cid,
            "shard": shard,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )


def last_of(tx: Transaction, user_id: UserId) -> TopUpRow | None:
    """Return what a user announced last; a receipt is about that."""
    row = tx.execute(
        """
        SELECT order_id, user_id, amount_kopecks, state, shard, cid, created_at
        FROM topups WHERE user_id = :user_id ORDER BY created_at DESC, order_id LIMIT 1
        """,
        {"user_id": user_id},
    ).first()
    return None if row is None else _topup_row(row)


def find(tx: Transaction, order_id: OrderId) -> TopUpRow | None:
    """Return an announced transfer, or None."""
    row = tx.execute(
        """
        SELECT order_id, user_id, amount_kopecks, state, shard, cid, created_at
        FROM topups WHERE order_id = :order_id
        """,
        {"order_id": order_id},
    ).first()
    return None if row is None else _topup_row(row)


def hand_in(tx: Transaction, order_id: OrderId, receipt: str, *, epoch: int, now: datetime) -> bool:
    """Note the receipt of an open one; False when it has one already."""
    return _move(tx, order_id, TopUpState.OPEN, TopUpState.WAITING, receipt, epoch, now)


def decide(
    tx: Transaction, order_id: OrderId, *, is_approved: bool, epoch: int, now: datetime
) -> bool:
    """Note the admin's word about a receipt; False when it was decided before, or has none."""
    to = TopUpState.APPROVED if is_approved else TopUpState.REJECTED
    return _move(tx, order_id, TopUpState.WAITING, to, None, epoch, now)


def _move(
    tx: Transaction,
    order_id: OrderId,
    state: TopUpState,
    to: TopUpState,
    receipt: str | None,
    epoch: int,
    now: datetime,
) -> bool:
    moved = tx.execute(
        """
        UPDATE topups SET
          state = :to, receipt = COALESCE(:receipt, receipt), epoch = :epoch, updated_at = :now
        WHERE order_id = :order_id AND state = :state
        """,
        {
            "order_id": order_id,
            "state": state,
            "to": to,
            "receipt": receipt,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )
    return moved.count == 1


def _topup_row(row: Row) -> TopUpRow:
    order_id, user_id, amount_kopecks, state, shard, cid, created_at = row
    topup = TopUp(order_id=order_id, user_id=user_id, amount_kopecks=amount_kopecks)
    return TopUpRow(
        topup=topup,
        state=TopUpState(state),
        shard=shard,
        cid=cid,
        created_at=from_unix(created_at),
    )
