"""The rows of the ledger: transfers are written once with their effect, accounts are only read."""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Cid
from trt.domain.ledger import Account, AccountId, Transfer, TransferId, TransferKind, effect_of
from trt.storage.database import Row, Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.timestamps import to_unix


@frozen(kw_only=True)
class ExternalPayment:
    """A payment somewhere else, by the words of that place."""

    source: str
    external_id: str


def record(
    tx: Transaction,
    transfer: Transfer,
    *,
    cid: Cid,
    epoch: int,
    now: datetime,
    payment: ExternalPayment | None = None,
) -> bool:
    """Write a transfer and its effect; False when the same one was written before.

    Raises:
        LedgerMismatch: One with this id was written before, and it was not the same.
    """
    written = find(tx, transfer.transfer_id)
    if written is not None:
        if written != transfer:
            raise LedgerMismatch(f"transfer {transfer.transfer_id} was first made differently")
        return False
    owner = transfer.credit if transfer.debit < 0 else transfer.debit
    tx.execute(
        """
        INSERT INTO transfers
          (transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, pending_id,
           code, job_id, external_source, external_id, cid, epoch, created_at, shard)
        SELECT
          :transfer_id, :kind, :debit, :credit, :amount_kopecks, :pending_id,
          :code, :job_id, :external_source, :external_id, :cid, :epoch, :now, shard
        FROM accounts WHERE account_id = :owner
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
            "external_source": payment and payment.source,
            "external_id": payment and payment.external_id,
            "cid": cid,
            "epoch": epoch,
            "now": to_unix(now),
            "owner": owner,
        },
    )
    _apply(tx, transfer, owner)
    return True


def find(tx: Transaction, transfer_id: TransferId) -> Transfer | None:
    """Return a transfer, or None when it was never made."""
    row = tx.execute(
        """
        SELECT transfer_id, kind, debit_account_id, credit_account_id, amount_kopecks, code,
               pending_id, job_id
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


def transfer_of_row(row: Row) -> Transfer:
    """Return the transfer in a row of the columns that `find` names."""
    transfer_id, kind, debit, credit, amount_kopecks, code, pending_id, job_id = row
    return Transfer(
        transfer_id=transfer_id,
        kind=TransferKind(kind),
        debit=debit,
        credit=credit,
        amount_kopecks=amount_kopecks,
        code=code,
        pending_id=pending_id,
        job_id=job_id,
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


def _apply(tx: Transaction, transfer: Transfer, owner: AccountId) -> None:
    """Add the effect to the user's side; the system's side keeps no running sums."""
    effect = effect_of(transfer.kind, transfer.amount_kopecks)
    amounts = {"owner": owner, "pending": effect.pending, "posted": effect.posted}
    if owner == transfer.debit:
        applied = tx.execute(
            """
            UPDATE accounts SET
              debits_pending = debits_pending + :pending, debits_posted = debits_posted + :posted
            WHERE account_id = :owner
            """,
            amounts,
        )
    else:
        applied = tx.execute(
            """
            UPDATE accounts SET
              credits_pending = credits_pending + :pending,
              credits_posted = credits_posted + :posted
            WHERE account_id = :owner
            """,
            amounts,
        )
    assert applied.count == 1, f"account {owner} was never opened"
