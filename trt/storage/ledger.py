"""Users' money: reserve, then capture or release; gifts.

Everything is written by the transfer's derived id: a retry changes nothing, a retry that differs
from the first one is a `LedgerMismatch`.
"""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, JobId, Shard, UserId
from trt.domain.ledger import (
    Account,
    Balance,
    Transfer,
    TransferKind,
    account_of,
    grant_id,
    grants_of,
    reserve_id,
    revenue_of,
)
from trt.storage.database import Refusal, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.transfers import OwnAccount, account, find, lock, record, resolve


@frozen(kw_only=True)
class Posted:
    """The user has the money now."""

    balance: Balance


@frozen(kw_only=True)
class AlreadyPosted:
    """The user was given this money before; nothing changed."""

    balance: Balance


@frozen(kw_only=True)
class Reserved:
    """The money is held."""

    balance: Balance


@frozen(kw_only=True)
class AlreadyReserved:
    """The money of this job was held before; nothing changed."""

    balance: Balance


@frozen(kw_only=True)
class InsufficientFunds(Refusal):
    """The user has too little; nothing was written."""

    missing_kopecks: int


@frozen(kw_only=True)
class Captured:
    """The held money is ours now."""

    amount_kopecks: int


@frozen(kw_only=True)
class AlreadyCaptured:
    """The held money was taken before; nothing changed."""

    amount_kopecks: int


@frozen(kw_only=True)
class Released:
    """The held money is the user's again."""

    amount_kopecks: int


@frozen(kw_only=True)
class AlreadyReleased:
    """The held money was given back before; nothing changed."""

    amount_kopecks: int


def open_account(tx: Transaction, user_id: UserId, *, shard: Shard) -> None:
    """Open a user's account; nothing happens when there is one."""
    tx.execute(
        """
        INSERT INTO accounts (account_id, kind, shard) VALUES (:account_id, 'user', :shard)
        ON CONFLICT (account_id) DO NOTHING
        """,
        {"account_id": account_of(user_id), "shard": shard},
    )


def balance(tx: Transaction, user_id: UserId) -> Balance:
    """Return what a user has; nothing without an account."""
    return (account(tx, account_of(user_id)) or Account()).balance


def grant(
    tx: Transaction,
    *,
    user_id: UserId,
    amount_kopecks: int,
    purpose: str,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Posted | AlreadyPosted:
    """Give a user with an account money, once per purpose.

    Raises:
        LedgerMismatch: It was given before with another amount.
    """
    assert amount_kopecks > 0
    own = _own(tx, user_id)
    gift = Transfer(
        transfer_id=grant_id(purpose, user_id),
        kind=TransferKind.SINGLE,
        debit=grants_of(own.shard),
        credit=account_of(user_id),
        amount_kopecks=amount_kopecks,
        code=purpose,
    )
    after = record(tx, gift, shard=own.shard, cid=cid, epoch=epoch, now=now)
    return _posted(own, after)


def reserve(
    tx: Transaction,
    *,
    job_id: JobId,
    user_id: UserId,
    amount_kopecks: int,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Reserved | AlreadyReserved | InsufficientFunds:
    """Hold a job's price; a price of zero is held as well, from an account that must exist.

    Raises:
        LedgerMismatch: This job's money was held before with another amount or from somebody else.
    """
    own = lock(tx, account_of(user_id))
    available = 0 if own is None else own.account.balance.available_kopecks
    if amount_kopecks > available and find(tx, reserve_id(job_id)) is None:
        return InsufficientFunds(missing_kopecks=amount_kopecks - available)
    assert own is not None, f"the account of user {user_id} was never opened"
    held = Transfer(
        transfer_id=reserve_id(job_id),
        kind=TransferKind.PENDING,
        debit=account_of(user_id),
        credit=revenue_of(own.shard),
        amount_kopecks=amount_kopecks,
        code="reserve",
        job_id=job_id,
    )
    after = record(tx, held, shard=own.shard, cid=cid, epoch=epoch, now=now)
    if after is None:
        return AlreadyReserved(balance=own.account.balance)
    return Reserved(balance=after.balance)


def capture(
    tx: Transaction, job_id: JobId, *, cid: Cid, epoch: int, now: datetime
) -> Captured | AlreadyCaptured | AlreadyReleased:
    """Take the money that is held for a job.

    Raises:
        LedgerMismatch: Nothing was ever held for this job.
    """
    held = _held(tx, job_id)
    before = resolve(tx, held, TransferKind.POST, cid=cid, epoch=epoch, now=now)
    match before:
        case None:
            return Captured(amount_kopecks=held.amount_kopecks)
        case TransferKind.POST:
            return AlreadyCaptured(amount_kopecks=held.amount_kopecks)
        case _:
            return AlreadyReleased(amount_kopecks=held.amount_kopecks)


def release(
    tx: Transaction, job_id: JobId, *, cid: Cid, epoch: int, now: datetime
) -> Released | AlreadyReleased | AlreadyCaptured:
    """Give back the money that is held for a job.

    Raises:
        LedgerMismatch: Nothing was ever held for this job.
    """
    held = _held(tx, job_id)
    before = resolve(tx, held, TransferKind.VOID, cid=cid, epoch=epoch, now=now)
    match before:
        case None:
            return Released(amount_kopecks=held.amount_kopecks)
        case TransferKind.VOID:
            return AlreadyReleased(amount_kopecks=held.amount_kopecks)
        case _:
            return AlreadyCaptured(amount_kopecks=held.amount_kopecks)


def _own(tx: Transaction, user_id: UserId) -> OwnAccount:
    own = lock(tx, account_of(user_id))
    assert own is not None, f"the account of user {user_id} was never opened"
    return own


def _posted(own: OwnAccount, after: Account | None) -> Posted | AlreadyPosted:
    if after is None:
        return AlreadyPosted(balance=own.account.balance)
    return Posted(balance=after.balance)


def _held(tx: Transaction, job_id: JobId) -> Transfer:
    held = find(tx, reserve_id(job_id))
    if held is None:
        raise LedgerMismatch(f"nothing was ever held for job {job_id}")
    return held
