"""The lease that makes exactly one instance active, and the epoch that fences the others off."""

from datetime import timedelta

from attrs import evolve, frozen

from trt.storage.database import Transaction
from trt.storage.lease_row import LeaseRow, Takeover, TakeoverReason, lease_row, takeover_of_row
from trt.storage.timestamps import to_unix

TAKEOVERS_KEPT = 200
"""How much of its history a lease keeps."""


@frozen
class Acquired:
    """The lease is ours until `row.expires_at`."""

    row: LeaseRow

    @property
    def epoch(self) -> int:
        """The epoch under which we may write."""
        return self.row.epoch

    @property
    def takeover(self) -> Takeover | None:
        """How the epoch began; None when nobody had the lease before."""
        return self.row.takeover


@frozen
class HeldBy:
    """Somebody else holds it."""

    row: LeaseRow


def topic(name: str) -> str:
    """Return what is notified when the lease becomes free."""
    return f"lease:{name}"


def read(tx: Transaction, name: str) -> LeaseRow | None:
    """Return the lease, or None when nobody ever held it."""
    row = tx.execute(
        """
        SELECT lease.name, lease.holder, lease.pid, lease.epoch, lease.acquired_at,
               lease.renewed_at, lease.expires_at, lease.released_by, lease.is_deposed,
               lease.has_session_lock, takeover.epoch, takeover.from_holder, takeover.to_holder,
               takeover.at, takeover.reason, takeover.gap_s
        FROM lease LEFT JOIN lease_takeovers AS takeover
          ON takeover.name = lease.name AND takeover.epoch = lease.epoch
        WHERE lease.name = :name
        """,
        {"name": name},
    ).first()
    return None if row is None else lease_row(row, tx.clock())


def may_write(tx: Transaction, name: str, *, epoch: int) -> bool:
    """Return whether the lease is held under this epoch; its expiry plays no part."""
    found = tx.execute(
        "SELECT 1 FROM fences WHERE name = :name AND epoch = :epoch", {"name": name, "epoch": epoch}
    )
    return found.first() is not None


def acquire(
    tx: Transaction,
    name: str,
    *,
    holder: str,
    pid: int,
    ttl_s: float,
    has_session_lock: bool = False,
    is_holder_gone: bool = False,
) -> Acquired | HeldBy:
    """Take the lease if it is free, has expired or its holder is known to be gone.

    The epoch grows with every acquisition, except when the living holder asks again: that is a
    retry and only extends it.

    Args:
        tx: The running transaction, not fenced.
        name: Which lease.
        holder: This incarnation of the process; a restarted process must use another.
        pid: For the operator's eyes only.
        ttl_s: How long the lease lasts without a renewal.
        has_session_lock: Whether our session will vouch for us.
        is_holder_gone: Whether no session vouches for anybody; it counts if one did before.
    """
    assert ttl_s > 0
    standing = read(tx, name) or _first_row(tx, name)
    if standing.holder == holder and standing.expires_at > standing.now:
        renewed = renew(
            tx,
            name,
            holder=holder,
            epoch=standing.epoch,
            ttl_s=ttl_s,
            has_session_lock=has_session_lock,
        )
        if renewed is not None:
            return Acquired(renewed)
    reason = why_free(standing, is_holder_gone=is_holder_gone)
    if reason is None:
        return HeldBy(standing)
    taken = evolve(
        standing,
        holder=holder,
        pid=pid,
        epoch=standing.epoch + 1,
        acquired_at=standing.now,
        renewed_at=standing.now,
        expires_at=standing.now + timedelta(seconds=ttl_s),
        released_by=None,
        is_deposed=False,
        has_session_lock=has_session_lock,
        takeover=_takeover(standing, reason, to_holder=holder),
    )
    if not _write(tx, taken, instead_of=standing):
        # Somebody was quicker, or the holder came back to life: look at what stands now.
        return acquire(
            tx,
            name,
            holder=holder,
            pid=pid,
            ttl_s=ttl_s,
            has_session_lock=has_session_lock,
            is_holder_gone=is_holder_gone,
        )
    if taken.takeover is not None:
        _remember(tx, name, taken.takeover)
    return Acquired(taken)


def renew(
    tx: Transaction,
    name: str,
    *,
    holder: str,
    epoch: int,
    ttl_s: float,
    has_session_lock: bool = False,
) -> LeaseRow | None:
    """Extend the lease to `ttl_s` from now; None when it is no longer this holder's."""
    now = to_unix(tx.clock())
    renewed = tx.execute(
        """
        UPDATE lease SET
          renewed_at = :now, expires_at = :expires_at, has_session_lock = :has_session_lock
        WHERE name = :name AND holder = :holder AND epoch = :epoch
        """,
        {
            "name": name,
            "holder": holder,
            "epoch": epoch,
            "now": now,
            "expires_at": now + ttl_s,
            "has_session_lock": int(has_session_lock),
        },
    )
    return read(tx, name) if renewed.count == 1 else None


def why_free(standing: LeaseRow, *, is_holder_gone: bool) -> TakeoverReason | None:
    """Return why the lease may be taken as it stands, or None when it may not.

    Args:
        standing: The lease, just read.
        is_holder_gone: Whether no session vouches for anybody; it counts if one did before.
    """
    if standing.holder is None:
        return TakeoverReason.DEPOSED if standing.is_deposed else TakeoverReason.RELEASED
    if standing.expires_at <= standing.now:
        return TakeoverReason.EXPIRED
    if is_holder_gone and standing.has_session_lock:
        return TakeoverReason.CRASHED
    return None


def release(tx: Transaction, name: str, *, holder: str, epoch: int) -> bool:
    """Give the lease up at once and wake who waits; False when it was no longer this holder's.

    The epoch stays, and from now on nobody may write under it.
    """
    return _free(tx, name, holder=holder, epoch=epoch, is_deposed=False)


def depose(tx: Transaction, name: str, *, epoch: int) -> bool:
    """Take the lease away from its holder; False when it is no longer held under this epoch."""
    standing = read(tx, name)
    if standing is None or standing.holder is None:
        return False
    return _free(tx, name, holder=standing.holder, epoch=epoch, is_deposed=True)


def history(tx: Transaction, name: str, *, limit: int = TAKEOVERS_KEPT) -> list[Takeover]:
    """Return the last takeovers of a lease, newest first."""
    rows = tx.execute(
        """
        SELECT epoch, from_holder, to_holder, at, reason, gap_s FROM lease_takeovers
        WHERE name = :name ORDER BY epoch DESC LIMIT :limit
        """,
        {"name": name, "limit": limit},
    )
    return [takeover_of_row(row) for row in rows]


def _takeover(standing: LeaseRow, reason: TakeoverReason, *, to_holder: str) -> Takeover | None:
    """Return how the next epoch begins; None when nobody had the lease before."""
    is_free = standing.holder is None
    from_holder = standing.released_by if is_free else standing.holder
    if from_holder is None:
        return None
    since = standing.expires_at if is_free else standing.renewed_at
    return Takeover(
        epoch=standing.epoch + 1,
        from_holder=from_holder,
        to_holder=to_holder,
        at=standing.now,
        reason=reason,
        gap_s=max(0.0, (standing.now - since).total_seconds()),
    )


def _first_row(tx: Transaction, name: str) -> LeaseRow:
    """Put a lease there that nobody holds; the epoch goes on where a deleted row once was."""
    now = to_unix(tx.clock())
    tx.execute(
        """
        INSERT INTO lease (name, epoch, acquired_at, renewed_at, expires_at)
        SELECT :name, COALESCE(MAX(known.epoch), 0), :now, :now, :now FROM (
          SELECT epoch FROM fences WHERE name = :name
          UNION ALL SELECT epoch FROM lease_takeovers WHERE name = :name) AS known
        WHERE 1 = 1
        ON CONFLICT (name) DO NOTHING
        """,
        {"name": name, "now": now},
    )
    row = read(tx, name)
    assert row is not None
    return row


def _write(tx: Transaction, taken: LeaseRow, *, instead_of: LeaseRow) -> bool:
    """Put the lease into new hands if it still stands as it was read."""
    written = tx.execute(
        """
        UPDATE lease SET
          holder = :holder, pid = :pid, epoch = :epoch, acquired_at = :now, renewed_at = :now,
          expires_at = :expires_at, released_by = NULL, is_deposed = 0,
          has_session_lock = :has_session_lock
        WHERE name = :name AND epoch = :epoch_before AND expires_at = :expires_at_before
        """,
        {
            "name": taken.name,
            "holder": taken.holder,
            "pid": taken.pid,
            "epoch": taken.epoch,
            "now": to_unix(taken.acquired_at),
            "expires_at": to_unix(taken.expires_at),
            "has_session_lock": int(taken.has_session_lock),
            "epoch_before": instead_of.epoch,
            "expires_at_before": to_unix(instead_of.expires_at),
        },
    )
    return written.count == 1


def _remember(tx: Transaction, name: str, takeover: Takeover) -> None:
    tx.execute(
        """
        INSERT INTO lease_takeovers (name, epoch, from_holder, to_holder, at, reason, gap_s)
        VALUES (:name, :epoch, :from_holder, :to_holder, :at, :reason, :gap_s)
        """,
        {
            "name": name,
            "epoch": takeover.epoch,
            "from_holder": takeover.from_holder,
            "to_holder": takeover.to_holder,
            "at": to_unix(takeover.at),
            "reason": takeover.reason,
            "gap_s": takeover.gap_s,
        },
    )
    tx.execute(
        "DELETE FROM lease_takeovers WHERE name = :name AND epoch <= :forgotten",
        {"name": name, "forgotten": takeover.epoch - TAKEOVERS_KEPT},
    )


def _free(tx: Transaction, name: str, *, holder: str, epoch: int, is_deposed: bool) -> bool:
    freed = tx.execute(
        """
        UPDATE lease SET
          holder = NULL, pid = NULL, released_by = holder, expires_at = :now,
          is_deposed = :is_deposed, has_session_lock = 0
        WHERE name = :name AND holder = :holder AND epoch = :epoch
        """,
        {
            "name": name,
            "holder": holder,
            "epoch": epoch,
            "is_deposed": int(is_deposed),
            "now": to_unix(tx.clock()),
        },
    )
    if freed.count:
        tx.notify(topic(name))
    return freed.count == 1
