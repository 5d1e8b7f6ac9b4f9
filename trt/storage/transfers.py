"""The rows of the ledger: transfers are written once, with their effect on a locked account."""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid, Shard
from trt.domain.ledger import (
    Account,
    AccountId,
    Transfer,
    TransferId,
    TransferKind,
    capture_id,
    effect_of,
    release_id,
    resolution_id,
)
from trt.storage.database import Row, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.timestamps import to_unix


@frozen(kw_only=True)
class OwnAccount:
    """A user's account that nobody else can change until the transaction ends."""

    shard: Shard
    account: Account


def lock(tx: Transaction, account_id: AccountId) -> OwnAccount | None:
    """Keep a user's account for this transaction; None when it was never opened.

    Everything that happens to one user's money waits in line here, so that what is read
    afterwards stays true. A transaction keeps one account only, so nobody waits in a circle.
    """
    # An UPDATE is the row lock that every engine understands.
    row = tx.execute(
        """
        UPDATE accounts SET shard = shard WHERE account_id = :account_id
        RETURNING shard, debits_pending, debits_posted, credits_pending, credits_posted
        """,
        {"account_id": account_id},
    ).first()
    return None if row is None else OwnAccount(shard=row[0], account=account_of_row(row[1:]))


def record(
    tx: Transaction,
    transfer: Transfer,
    *,
    shard: Shard,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> Account | None:
    """Write a transfer and its effect on the user's account, which is locked before.

    Returns:
        The account's sums afterwards; None when the same transfer was written before.

    Raises:
        LedgerMismatch: One with this id was written before, and it was not the same.
    """
    written = tx.execute(
        """
        INSERT INTO transfers
          (transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, pending_id,
           code, job_id, external_source, external_id, cid, epoch, created_at, shard)
        VALUES
          (:transfer_id, :kind, :debit, :credit, :amount_kopecks, :pending_id,
           :code, :job_id, :external_source, :external_id, :cid, :epoch, :now, :shard)
        ON CONFLICT DO NOTHING
        """,
        {
            "transfer_id": transfer.transfer_id,
            "kind": transfer.kind,
            "debit": transfer.debit,
            "credit": transfer.credit,
            "amount_kopecks": transfer.amount_kopecks,
            "pending_id": transfer.pending_id,
            "code": transfer.code,
            "job_id": transfer.job_id,
            "external_source": transfer.source,
            "external_id": transfer.number,
            "cid": cid,
            "epoch": epoch,
            "now": to_unix(now),
            "shard": shard,
        },
    )
    if written.count == 1:
        return _apply(tx, transfer)
    if find(tx, transfer.transfer_id) != transfer:
        raise LedgerMismatch(f"transfer {transfer.transfer_id} was first made differently")
    return None


def resolve(
    tx: Transaction, held: Transfer, kind: TransferKind, *, cid: Cid, epoch: int, now: datetime
) -> TransferKind | None:
    """Take what is held (POST) or give it back (VOID), once.

    Returns:
        None; if it was taken or given back before, which of the two, and nothing changes.
    """
    own = lock(tx, held.debit)
    assert own is not None, "money was held on an account that was never opened"
    row = tx.execute(
        "SELECT kind FROM transfers WHERE pending_id = :pending_id",
        {"pending_id": held.transfer_id},
    ).first()
    if row is not None:
        return TransferKind(row[0])
    resolution = Transfer(
        transfer_id=_resolution_id(held, kind),
        kind=kind,
        debit=held.debit,
        credit=held.credit,
        amount_kopecks=held.amount_kopecks,
        code="capture" if kind is TransferKind.POST else "release",
        pending_id=held.transfer_id,
        job_id=held.job_id,
    )
    record(tx, resolution, shard=own.shard, cid=cid, epoch=epoch, now=now)
    return None


def _resolution_id(held: Transfer, kind: TransferKind) -> TransferId:
    if held.job_id is None:
        return resolution_id(kind, held.transfer_id)
    return capture_id(held.job_id) if kind is TransferKind.POST else release_id(held.job_id)


def find(tx: Transaction, transfer_id: TransferId) -> Transfer | None:
    """Return a transfer, or None when it was never made."""
    row = tx.execute(
        """
        SELECT transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, code,
               pending_id, job_id, external_source, external_id
        FROM transfers WHERE transfer_id = :transfer_id
        """,
        {"transfer_id": transfer_id},
    ).first()
    return None if row is None else transfer_of_row(row)


def account(tx: Transaction, account_id: AccountId) -> Account | None:
    """Return the running sums of an account, or None when it was never opened."""
    row = tx.execute(
        """
        SELECT debits_pending, debits_posted, credits_pending, credits_posted
        FROM accounts WHERE account_id = :account_id
        """,
        {"account_id": account_id},
    ).first()
    return None if row is None else account_of_row(row)


def shard_of_account(tx: Transaction, account_id: AccountId) -> Shard | None:
    """Return where a user's money is, or None when there is no account."""
    row = tx.execute(
        "SELECT shard FROM accounts WHERE account_id = :account_id", {"account_id": account_id}
    ).first()
    return None if row is None else Shard(row[0])


def transfer_of_row(row: Row) -> Transfer:
    """Return the transfer in a row of the columns that `find` names."""
    transfer_id, kind, debit, credit, amount_kopecks, code, pending_id, job_id = row[:8]
    source, number = row[8:]
    return Transfer(
        transfer_id=transfer_id,
        kind=TransferKind(kind),
        debit=debit,
        credit=credit,
        amount_kopecks=amount_kopecks,
        code=code,
        pending_id=pending_id,
        job_id=job_id,
        source=source,
        number=number,
    )


def account_of_row(row: Row) -> Account:
    """Return the sums in a row of the columns that `account` names."""
    debits_pending, debits_posted, credits_pending, credits_posted = row
    return Account(
        debits_pending=debits_pending,
        debits_posted=debits_posted,
        credits_pending=credits_pending,
        credits_posted=credits_posted,
    )


def _apply(tx: Transaction, transfer: Transfer) -> Account:
    """Add the effect to the user's side; the system's side keeps no running sums."""
    effect = effect_of(transfer.kind, transfer.amount_kopecks)
    is_debit = transfer.debit > 0
    row = tx.execute(
        """
        UPDATE accounts SET
          debits_pending = debits_pending + :debits_pending,
          debits_posted = debits_posted + :debits_posted,
          credits_pending = credits_pending + :credits_pending,
          credits_posted = credits_posted + :credits_posted
        WHERE account_id = :account_id
        RETURNING debits_pending, debits_posted, credits_pending, credits_posted
        """,
        {
            "account_id": transfer.debit if is_debit else transfer.credit,
            "debits_pending": effect.pending if is_debit else 0,
            "debits_posted": effect.posted if is_debit else 0,
            "credits_pending": 0 if is_debit else effect.pending,
            "credits_posted": 0 if is_debit else effect.posted,
        },
    ).one()
    return account_of_row(row)
