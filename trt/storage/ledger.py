"""Users' money: reserve, then capture or release; gifts and payments; the audit of the books.

Everything is written by the transfer's derived id: a retry changes nothing, a retry that differs
from the first one is a `LedgerMismatch`.
"""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, JobId, Shard, UserId
from trt.domain.job import JobState
from trt.domain.ledger import (
    GRANTS,
    PAYMENTS,
    REVENUE,
    Account,
    AccountId,
    Balance,
    Transfer,
    TransferKind,
    account_of,
    capture_id,
    change_of_available,
    grant_id,
    payment_id,
    problems_of_books,
    release_id,
    reserve_id,
)
from trt.storage.database import Refusal, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.timestamps import from_unix
from trt.storage.transfers import (
    ExternalPayment,
    account,
    account_of_row,
    find,
    record,
    transfer_of_row,
)


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


@frozen(kw_only=True)
class StatementLine:
    """One movement on a user's account."""

    at: datetime
    code: str
    amount_kopecks: int
    """What it did to the money that can be spent: a capture does nothing, its reserve did."""
    job_id: JobId | None


@frozen(kw_only=True)
class Audit:
    """What a look through all the books found."""

    is_balanced: bool
    problems: tuple[str, ...]


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
    gift = Transfer(
        transfer_id=grant_id(purpose, user_id),
        kind=TransferKind.SINGLE,
        debit=GRANTS,
        credit=account_of(user_id),
        amount_kopecks=amount_kopecks,
        code=purpose,
    )
    is_new = record(tx, gift, cid=cid, epoch=epoch, now=now)
    outcome = Posted if is_new else AlreadyPosted
    return outcome(balance=balance(tx, user_id))


def top_up(
    tx: Transaction,
    *,
    user_id: UserId,
    amount_kopecks: int,
    payment: ExternalPayment,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Posted | AlreadyPosted:
    """Credit a payment to a user with an account, once per payment.

    Raises:
        LedgerMismatch: It was credited before with another amount or to somebody else.
    """
    assert amount_kopecks > 0
    paid = Transfer(
        transfer_id=payment_id(payment.source, payment.external_id),
        kind=TransferKind.SINGLE,
        debit=PAYMENTS,
        credit=account_of(user_id),
        amount_kopecks=amount_kopecks,
        code="payment",
    )
    is_new = record(tx, paid, cid=cid, epoch=epoch, now=now, payment=payment)
    outcome = Posted if is_new else AlreadyPosted
    return outcome(balance=balance(tx, user_id))


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
    held = Transfer(
        transfer_id=reserve_id(job_id),
        kind=TransferKind.PENDING,
        debit=account_of(user_id),
        credit=REVENUE,
        amount_kopecks=amount_kopecks,
        code="reserve",
        job_id=job_id,
    )
    missing = amount_kopecks - balance(tx, user_id).available_kopecks
    if missing > 0 and find(tx, held.transfer_id) is None:
        return InsufficientFunds(missing_kopecks=missing)
    is_new = record(tx, held, cid=cid, epoch=epoch, now=now)
    outcome = Reserved if is_new else AlreadyReserved
    return outcome(balance=balance(tx, user_id))


def capture(
    tx: Transaction, job_id: JobId, *, cid: Cid, epoch: int, now: datetime
) -> Captured | AlreadyCaptured | AlreadyReleased:
    """Take the money that is held for a job.

    Raises:
        LedgerMismatch: Nothing was ever held for this job.
    """
    held = _held(tx, job_id)
    before = _resolution(tx, held)
    if before is not None:
        return before
    _resolve(tx, held, TransferKind.POST, cid=cid, epoch=epoch, now=now)
    return Captured(amount_kopecks=held.amount_kopecks)


def release(
    tx: Transaction, job_id: JobId, *, cid: Cid, epoch: int, now: datetime
) -> Released | AlreadyReleased | AlreadyCaptured:
    """Give back the money that is held for a job.

    Raises:
        LedgerMismatch: Nothing was ever held for this job.
    """
    held = _held(tx, job_id)
    before = _resolution(tx, held)
    if before is not None:
        return before
    _resolve(tx, held, TransferKind.VOID, cid=cid, epoch=epoch, now=now)
    return Released(amount_kopecks=held.amount_kopecks)


def statement(tx: Transaction, user_id: UserId, limit: int) -> list[StatementLine]:
    """Return the last `limit` movements on a user's account, newest first.

    The amounts of all movements add up to what the user can spend.
    """
    account_id = account_of(user_id)
    rows = tx.execute(
        """
        SELECT transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, code,
               pending_id, job_id, created_at
        FROM transfers WHERE debit_account_id = :account_id OR credit_account_id = :account_id
        ORDER BY transfer_no DESC LIMIT :limit
        """,
        {"account_id": account_id, "limit": limit},
    )
    return [
        StatementLine(
            at=from_unix(created_at),
            code=transfer.code,
            amount_kopecks=change_of_available(transfer, account_id),
            job_id=transfer.job_id,
        )
        for *columns, created_at in rows
        for transfer in [transfer_of_row(tuple(columns))]
    ]


def audit(tx: Transaction) -> Audit:
    """Recompute everything from the transfers and say what does not agree; reads all the books."""
    accounts = tx.execute(
        """
        SELECT account_id, debits_pending, debits_posted, credits_pending, credits_posted
        FROM accounts WHERE kind = 'user' ORDER BY account_id
        """
    )
    transfers = tx.execute(
        """
        SELECT transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, code,
               pending_id, job_id
        FROM transfers ORDER BY transfer_no
        """
    )
    jobs = tx.execute("SELECT job_id, state FROM jobs ORDER BY created_at, job_id")
    problems = problems_of_books(
        {AccountId(account_id): account_of_row(tuple(sums)) for account_id, *sums in accounts},
        [transfer_of_row(row) for row in transfers],
        {JobId(job_id): JobState(state) for job_id, state in jobs},
    )
    return Audit(is_balanced=not problems, problems=problems)


def _resolve(
    tx: Transaction, held: Transfer, kind: TransferKind, *, cid: Cid, epoch: int, now: datetime
) -> None:
    assert held.job_id is not None
    is_post = kind is TransferKind.POST
    resolution = Transfer(
        transfer_id=capture_id(held.job_id) if is_post else release_id(held.job_id),
        kind=kind,
        debit=held.debit,
        credit=held.credit,
        amount_kopecks=held.amount_kopecks,
        code="capture" if is_post else "release",
        pending_id=held.transfer_id,
        job_id=held.job_id,
    )
    record(tx, resolution, cid=cid, epoch=epoch, now=now)


def _resolution(tx: Transaction, held: Transfer) -> AlreadyCaptured | AlreadyReleased | None:
    row = tx.execute(
        "SELECT kind FROM transfers WHERE pending_id = :pending_id",
        {"pending_id": held.transfer_id},
    ).first()
    if row is None:
        return None
    outcome = AlreadyCaptured if row[0] == TransferKind.POST else AlreadyReleased
    return outcome(amount_kopecks=held.amount_kopecks)


def _held(tx: Transaction, job_id: JobId) -> Transfer:
    held = find(tx, reserve_id(job_id))
    if held is None:
        raise LedgerMismatch(f"nothing was ever held for job {job_id}")
    return held
