"""The lease that makes exactly one instance active, and the epoch that fences the others off."""

from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from trt.storage.database import Row, Transaction
from trt.storage.timestamps import from_unix, to_unix


class TakeoverReason(StrEnum):
    """Why the lease was free."""

    RELEASED = "released"
    EXPIRED = "expired"


@frozen(kw_only=True)
class Takeover:
    """One change of the lease's holder."""

    from_holder: str
    to_holder: str
    at: datetime
    reason: TakeoverReason
    gap_s: float
    """How long nobody was active at most: since the release, or since the last renewal."""


@frozen(kw_only=True)
class LeaseRow:
    """The lease as it stands in the database."""

    name: str
    holder: str | None
    """The incarnation of a process that holds it; None after a release."""
    pid: int | None
    epoch: int
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime
    takeover: Takeover | None
    """The last one; None while the first holder ever holds it."""


@frozen(kw_only=True)
class Acquired:
    """The lease is ours until `ttl_s` from the `now` of the call."""

    epoch: int
    takeover: Takeover | None
    """None for the very first acquisition and for a repeated one by the living holder."""


@frozen(kw_only=True)
class HeldBy:
    """Somebody else holds it."""

    holder: str
    epoch: int
    expires_at: datetime


def read(tx: Transaction, name: str) -> LeaseRow | None:
    """Return the lease, or None when nobody ever held it."""
    row = tx.execute(
        """
        SELECT name, holder, pid, epoch, acquired_at, renewed_at, expires_at,
               takeover_from, takeover_to, takeover_at, takeover_reason, takeover_gap_s
        FROM lease WHERE name = :name
        """,
        {"name": name},
    ).first()
    return None if row is None else _lease_row(row)


def is_held(tx: Transaction, name: str, *, epoch: int) -> bool:
    """Return whether the lease is held under this epoch; its expiry plays no part."""
    found = tx.execute(
        "SELECT 1 FROM lease WHERE name = :name AND epoch = :epoch AND holder IS NOT NULL",
        {"name": name, "epoch": epoch},
    )
    return found.first() is not None


def acquire(
    tx: Transaction, name: str, *, holder: str, pid: int, ttl_s: float, now: datetime
) -> Acquired | HeldBy:
    """Take the lease if it is free, released or expired.

    The epoch grows with every acquisition, except when the living holder asks again: that is a
    retry and only extends it.

    Args:
        tx: The running transaction, not fenced.
        name: Which lease.
        holder: This incarnation of the process; a restarted process must use another.
        pid: For the operator's eyes only.
        ttl_s: How long the lease lasts without a renewal.
        now: The wall-clock time; all contenders must share one clock.
    """
    assert ttl_s > 0
    expires_at = now + timedelta(seconds=ttl_s)
    standing = read(tx, name)
    if standing is None:
        _write(
            tx,
            LeaseRow(
                name=name,
                holder=holder,
                pid=pid,
                epoch=1,
                acquired_at=now,
                renewed_at=now,
                expires_at=expires_at,
                takeover=None,
            ),
        )
        return Acquired(epoch=1, takeover=None)
    if standing.holder is not None and standing.expires_at > now:
        if standing.holder != holder:
            return HeldBy(
                holder=standing.holder, epoch=standing.epoch, expires_at=standing.expires_at
            )
        renew(tx, name, holder=holder, epoch=standing.epoch, ttl_s=ttl_s, now=now)
        return Acquired(epoch=standing.epoch, takeover=None)
    takeover = _takeover(tx, standing, to_holder=holder, now=now)
    epoch = standing.epoch + 1
    _write(
        tx,
        LeaseRow(
            name=name,
            holder=holder,
            pid=pid,
            epoch=epoch,
            acquired_at=now,
            renewed_at=now,
            expires_at=expires_at,
            takeover=takeover,
        ),
    )
    return Acquired(epoch=epoch, takeover=takeover)


def renew(
    tx: Transaction, name: str, *, holder: str, epoch: int, ttl_s: float, now: datetime
) -> bool:
    """Extend the lease to `ttl_s` from `now`; False when it is no longer this holder's."""
    renewed = tx.execute(
        """
        UPDATE lease SET renewed_at = :now, expires_at = :expires_at
        WHERE name = :name AND holder = :holder AND epoch = :epoch
        """,
        {
            "name": name,
            "holder": holder,
            "epoch": epoch,
            "now": to_unix(now),
            "expires_at": to_unix(now) + ttl_s,
        },
    )
    return renewed.count == 1


def release(tx: Transaction, name: str, *, holder: str, epoch: int, now: datetime) -> bool:
    """Give the lease up at once; False when it was no longer this holder's.

    The epoch stays, so that everything still fenced by it can commit nothing from now on.
    """
    released = tx.execute(
        """
        UPDATE lease SET holder = NULL, pid = NULL, released_by = holder, expires_at = :now
        WHERE name = :name AND holder = :holder AND epoch = :epoch
        """,
        {"name": name, "holder": holder, "epoch": epoch, "now": to_unix(now)},
    )
    return released.count == 1


def _takeover(tx: Transaction, standing: LeaseRow, *, to_holder: str, now: datetime) -> Takeover:
    if standing.holder is None:
        [released_by] = tx.execute(
            "SELECT released_by FROM lease WHERE name = :name", {"name": standing.name}
        ).one()
        from_holder, reason, since = released_by, TakeoverReason.RELEASED, standing.expires_at
    else:
        from_holder, reason, since = standing.holder, TakeoverReason.EXPIRED, standing.renewed_at
    return Takeover(
        from_holder=from_holder,
        to_holder=to_holder,
        at=now,
        reason=reason,
        gap_s=max(0.0, (now - since).total_seconds()),
    )


def _write(tx: Transaction, lease: LeaseRow) -> None:
    takeover = lease.takeover
    tx.execute(
        """
        INSERT INTO lease
          (name, holder, pid, epoch, acquired_at, renewed_at, expires_at,
           takeover_from, takeover_to, takeover_at, takeover_reason, takeover_gap_s)
        VALUES
          (:name, :holder, :pid, :epoch, :acquired_at, :acquired_at, :expires_at,
           :takeover_from, :takeover_to, :takeover_at, :takeover_reason, :takeover_gap_s)
        ON CONFLICT (name) DO UPDATE SET
          holder = excluded.holder, pid = excluded.pid, epoch = excluded.epoch,
          released_by = NULL, acquired_at = excluded.acquired_at,
          renewed_at = excluded.renewed_at, expires_at = excluded.expires_at,
          takeover_from = excluded.takeover_from, takeover_to = excluded.takeover_to,
          takeover_at = excluded.takeover_at, takeover_reason = excluded.takeover_reason,
          takeover_gap_s = excluded.takeover_gap_s
        """,
        {
            "name": lease.name,
            "holder": lease.holder,
            "pid": lease.pid,
            "epoch": lease.epoch,
            "acquired_at": to_unix(lease.acquired_at),
            "expires_at": to_unix(lease.expires_at),
            "takeover_from": takeover and takeover.from_holder,
            "takeover_to": takeover and takeover.to_holder,
            "takeover_at": takeover and to_unix(takeover.at),
            "takeover_reason": takeover and takeover.reason,
            "takeover_gap_s": takeover and takeover.gap_s,
        },
    )


def _lease_row(row: Row) -> LeaseRow:
    name, holder, pid, epoch, acquired_at, renewed_at, expires_at, *takeover = row
    return LeaseRow(
        name=name,
        holder=holder,
        pid=pid,
        epoch=epoch,
        acquired_at=from_unix(acquired_at),
        renewed_at=from_unix(renewed_at),
        expires_at=from_unix(expires_at),
        takeover=_takeover_of(*takeover),
    )


def _takeover_of(
    from_holder: str | None, to_holder: str, at: float, reason: str, gap_s: float
) -> Takeover | None:
    if from_holder is None:
        return None
    return Takeover(
        from_holder=from_holder,
        to_holder=to_holder,
        at=from_unix(at),
        reason=TakeoverReason(reason),
        gap_s=gap_s,
    )
