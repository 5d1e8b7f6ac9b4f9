"""A user's statement, read from the transfers."""

from trt.domain.ids import UserId
from trt.domain.ledger import account_of
from trt.domain.statement import LineState, StatementLine
from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix


def statement(tx: Transaction, user_id: UserId, limit: int) -> list[StatementLine]:
    """Return the last `limit` causes, newest first; all of them add up to what can be spent."""
    rows = tx.execute(
        """
        SELECT t.created_at, t.code, t.kind, r.kind, t.amount_kopecks,
               t.credit_account_id = :account_id, j.model_id
        FROM transfers AS t
        LEFT JOIN transfers AS r ON r.pending_id = t.transfer_id
        LEFT JOIN jobs AS j ON j.job_id = t.job_id
        WHERE (t.debit_account_id = :account_id OR t.credit_account_id = :account_id)
          AND t.pending_id IS NULL
        ORDER BY t.transfer_no DESC LIMIT :limit
        """,
        {"account_id": account_of(user_id), "limit": limit},
    )
    return [_line(row) for row in rows]


def _line(row: Row) -> StatementLine:
    created_at, code, kind, resolution, amount_kopecks, is_credit, model_id = row
    state = LineState.DONE
    if kind == "pending" and resolution != "post":
        state = LineState.HELD if resolution is None else LineState.UNDONE
    moved = 0 if state is LineState.UNDONE else amount_kopecks
    return StatementLine(
        at=from_unix(created_at),
        code=code,
        state=state,
        amount_kopecks=moved if is_credit else -moved,
        model_id=model_id,
    )
