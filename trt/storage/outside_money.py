"""Money that comes from outside, goes back there, or moves because the operator says so."""

from datetime import datetime

from trt.domain.ids import Cid, UserId
from trt.domain.ledger import (
    AccountId,
    Code,
    Transfer,
    TransferKind,
    account_of,
    external_id,
    grants_of,
    losses_of,
    payments_of,
    revenue_of,
)
from trt.domain.payments import Payment, PaymentKey
from trt.storage.database import Transaction
from trt.storage.ledger import (
    AlreadyPosted,
    AlreadyReserved,
    InsufficientFunds,
    Posted,
    Reserved,
)
from trt.storage.transfers import OwnAccount, find, lock, record, resolve


def top_up(
    tx: Transaction, payment: Payment, *, cid: Cid, epoch: int, now: datetime
) -> Posted | AlreadyPosted:
    """Credit a payment to its user, who has an account, once per payment.

    Raises:
        LedgerMismatch: It was credited before with another amount or to somebody else.
    """
    assert payment.amount_kopecks > 0
    own = _own(tx, payment.user_id)
    paid = _external(
        Code.PAYMENT,
        payment.key,
        debit=payments_of(own.shard),
        credit=account_of(payment.user_id),
        amount_kopecks=payment.amount_kopecks,
    )
    return _adjust(tx, paid, own, cid=cid, epoch=epoch, now=now)


def admin_credit(
    tx: Transaction,
    *,
    user_id: UserId,
    amount_kopecks: int,
    action_id: str,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Posted | AlreadyPosted:
    """Give a user with an account money because the operator says so, once per action.

    Raises:
        LedgerMismatch: The action was another one before.
    """
    assert amount_kopecks > 0
    own = _own(tx, user_id)
    gift = _external(
        Code.ADMIN_CREDIT,
        PaymentKey("admin", action_id),
        debit=grants_of(own.shard),
        credit=account_of(user_id),
        amount_kopecks=amount_kopecks,
    )
    return _adjust(tx, gift, own, cid=cid, epoch=epoch, now=now)


def admin_debit(
    tx: Transaction,
    *,
    user_id: UserId,
    amount_kopecks: int,
    action_id: str,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Posted | AlreadyPosted | InsufficientFunds:
    """Take money from a user with an account because the operator says so, once per action.

    Raises:
        LedgerMismatch: The action was another one before.
    """
    assert amount_kopecks > 0
    own = _own(tx, user_id)
    taken = _external(
        Code.ADMIN_DEBIT,
        PaymentKey("admin", action_id),
        debit=account_of(user_id),
        credit=revenue_of(own.shard),
        amount_kopecks=amount_kopecks,
    )
    available = own.account.balance.available_kopecks
    if amount_kopecks > available and find(tx, taken.transfer_id) is None:
        return InsufficientFunds(missing_kopecks=amount_kopecks - available)
    return _adjust(tx, taken, own, cid=cid, epoch=epoch, now=now)


def hold_refund(
    tx: Transaction, payment: Payment, number: int, *, cid: Cid, epoch: int, now: datetime
) -> Reserved | AlreadyReserved | InsufficientFunds:
    """Hold a whole payment while it is being given back.

    Args:
        tx: The transaction.
        payment: Which; its user has an account.
        number: Which try it is: one that Telegram refused released the money again.
        cid: Of who asked for it.
        epoch: The lease's.
        now: The wall-clock time.
    """
    own = _own(tx, payment.user_id)
    held = _refund_of(payment, number, own)
    available = own.account.balance.available_kopecks
    if payment.amount_kopecks > available and find(tx, held.transfer_id) is None:
        return InsufficientFunds(missing_kopecks=payment.amount_kopecks - available)
    after = record(tx, held, shard=own.shard, cid=cid, epoch=epoch, now=now)
    if after is None:
        return AlreadyReserved(balance=own.account.balance)
    return Reserved(balance=after.balance)


def end_refund(
    tx: Transaction,
    payment: Payment,
    number: int,
    kind: TransferKind,
    *,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> TransferKind | None:
    """Let the held payment go (POST) or stay (VOID); returns how it ended before, if it did."""
    held = _refund_of(payment, number, _own(tx, payment.user_id))
    return resolve(tx, held, kind, cid=cid, epoch=epoch, now=now)


def take_back(
    tx: Transaction, payment: Payment, *, cid: Cid, epoch: int, now: datetime
) -> int | None:
    """Take from a user what was taken from us outside, once; what was spent before we bear.

    Returns:
        How many kopecks we bear; None if it was done before.
    """
    own = _own(tx, payment.user_id)
    user, source = account_of(payment.user_id), payment.key
    amount_kopecks = payment.amount_kopecks
    taken = _external(
        Code.TAKEN_BACK,
        source,
        debit=user,
        credit=payments_of(own.shard),
        amount_kopecks=amount_kopecks,
    )
    if find(tx, taken.transfer_id) is not None:
        return None
    covered_kopecks = max(0, amount_kopecks - own.account.balance.available_kopecks)
    if covered_kopecks:
        cover = _external(
            Code.COVERED,
            source,
            debit=losses_of(own.shard),
            credit=user,
            amount_kopecks=covered_kopecks,
        )
        record(tx, cover, shard=own.shard, cid=cid, epoch=epoch, now=now)
    record(tx, taken, shard=own.shard, cid=cid, epoch=epoch, now=now)
    return covered_kopecks


def _refund_of(payment: Payment, number: int, own: OwnAccount) -> Transfer:
    """Return the transfer that holds a payment for its refund."""
    return _external(
        Code.REFUND,
        PaymentKey(payment.key.source, f"{payment.key.external_id}#{number}"),
        debit=account_of(payment.user_id),
        credit=payments_of(own.shard),
        amount_kopecks=payment.amount_kopecks,
        kind=TransferKind.PENDING,
    )


def _external(
    code: Code,
    key: PaymentKey,
    *,
    debit: AccountId,
    credit: AccountId,
    amount_kopecks: int,
    kind: TransferKind = TransferKind.SINGLE,
) -> Transfer:
    return Transfer(
        transfer_id=external_id(code, key.source, key.external_id),
        kind=kind,
        debit=debit,
        credit=credit,
        amount_kopecks=amount_kopecks,
        code=code,
        source=key.source,
        number=key.external_id,
    )


def _own(tx: Transaction, user_id: UserId) -> OwnAccount:
    own = lock(tx, account_of(user_id))
    assert own is not None, f"the account of user {user_id} was never opened"
    return own


def _adjust(
    tx: Transaction, adjustment: Transfer, own: OwnAccount, *, cid: Cid, epoch: int, now: datetime
) -> Posted | AlreadyPosted:
    after = record(tx, adjustment, shard=own.shard, cid=cid, epoch=epoch, now=now)
    if after is None:
        return AlreadyPosted(balance=own.account.balance)
    return Posted(balance=after.balance)
