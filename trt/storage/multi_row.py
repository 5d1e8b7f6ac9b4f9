"""One INSERT for many rows, cut into pieces that every engine accepts."""

from collections.abc import Sequence

from trt.storage.database import Row, Transaction

# SQLite takes 32,766 parameters in a statement (SQLITE_MAX_VARIABLE_NUMBER), PostgreSQL 65,535.
PARAMETERS_MAX = 30_000


def insert_rows(
    tx: Transaction, head: str, rows: Sequence[Sequence[object]], tail: str = ""
) -> list[Row]:
    """Run `head VALUES (…), (…) tail` over all the rows and return what it returned.

    Args:
        tx: The running transaction.
        head: `INSERT INTO table (columns)`.
        rows: Values in the order of the columns, all of the same length.
        tail: For example `ON CONFLICT DO NOTHING RETURNING id`.
    """
    if not rows:
        return []
    width = len(rows[0])
    marks = f"({', '.join('?' * width)})"
    size = PARAMETERS_MAX // width
    returned: list[Row] = []
    for start in range(0, len(rows), size):
        piece = rows[start : start + size]
        sql = f"{head} VALUES {', '.join([marks] * len(piece))} {tail}"
        returned += tx.execute(sql, [value for row in piece for value in row])
    return returned
