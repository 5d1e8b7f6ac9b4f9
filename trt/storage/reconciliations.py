"""How far Telegram's list of Star transactions was compared with the payments."""

from datetime import datetime

from attrs import frozen

from trt.domain.ids import Shard
from trt.storage.database import Transaction
from trt.storage.timestamps import from_unix, to_unix


@frozen(kw_only=True)
class Reconciliation:
    """Where a shard's comparison stands."""

    lines_read: int = 0
    lines_other: int = 0
    """Of them: Stars that left without being a payment of anybody's, such as withdrawals."""
    checked_at: datetime | None = None


def last(tx: Transaction, shard: Shard) -> Reconciliation:
    """Return where the comparison stands; at the beginning if there was none."""
    row = tx.execute(
        """
        SELECT lines_read, lines_other, checked_at FROM reconciliations WHERE shard = :shard
        """,
        {"shard": shard},
    ).first()
    if row is None:
        return Reconciliation()
    return Reconciliation(lines_read=row[0], lines_other=row[1], checked_at=from_unix(row[2]))


def note(
    tx: Transaction, shard: Shard, *, lines_read: int, lines_other: int, now: datetime
) -> None:
    """Note how far the list was read."""
    tx.execute(
        """
        INSERT INTO reconciliations (shard, lines_read, lines_other, checked_at)
        VALUES (:shard, :lines_read, :lines_other, :now)
        ON CONFLICT (shard) DO UPDATE SET
          lines_read = excluded.lines_read, lines_other = excluded.lines_other,
          checked_at = excluded.checked_at
        """,
        {
            "shard": shard,
            "lines_read": lines_read,
            "lines_other": lines_other,
            "now": to_unix(now),
        },
    )
