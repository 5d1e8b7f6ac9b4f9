"""When the operator was told of which kind of trouble last."""

from datetime import datetime

from trt.domain.ids import Cid
from trt.storage.database import Transaction
from trt.storage.timestamps import to_unix


def note(tx: Transaction, kind: str, cid: Cid, *, now: datetime, unless_since: datetime) -> bool:
    """Note that the operator is told of a kind of trouble; False if they were since a time.

    Whoever comes second waits for the first one's commit, and then is the one who is told False.
    """
    noted = tx.execute(
        """
        INSERT INTO alarms (kind, cid, told_at) VALUES (:kind, :cid, :now)
        ON CONFLICT (kind) DO UPDATE SET cid = excluded.cid, told_at = excluded.told_at
        WHERE alarms.told_at <= :unless_since
        """,
        {"kind": kind, "cid": cid, "now": to_unix(now), "unless_since": to_unix(unless_since)},
    )
    return noted.count == 1
