"""What a lease and its takeovers are, and how they are read from their rows."""

from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.storage.database import Row
from trt.storage.timestamps import from_unix


class TakeoverReason(StrEnum):
    """Why the lease was free."""

    RELEASED = "released"
    EXPIRED = "expired"
    CRASHED = "crashed"
    """Its holder's session was gone before the lease ran out."""
    DEPOSED = "deposed"
    """An operator took it away."""


@frozen(kw_only=True)
class Takeover:
    """One change of the lease's holder."""

    epoch: int
    """The one that began with it."""
    from_holder: str
    to_holder: str
    at: datetime
    reason: TakeoverReason
    gap_s: float
    """How long nobody was active at most: since it was free, or since the last renewal."""


@frozen(kw_only=True)
class LeaseRow:
    """The lease as it stands in the database."""

    name: str
    holder: str | None
    """The incarnation of a process that holds it; None while it is free."""
    pid: int | None
    epoch: int
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime
    released_by: str | None
    """Who held it last, while it is free."""
    is_deposed: bool
    """Whether it is free because an operator took it away."""
    has_session_lock: bool
    """Whether the holder's session vouches for it: gone, the holder is."""
    takeover: Takeover | None
    """How the epoch began; None for the very first holder's."""
    now: datetime
    """The shared clock when this was read: ages are counted from it."""


def lease_row(row: Row, now: datetime) -> LeaseRow:
    """Return the lease from its columns and those of the takeover with which its epoch began."""
    name, holder, pid, epoch, acquired_at, renewed_at, expires_at, released_by = row[:8]
    is_deposed, has_session_lock, *takeover = row[8:]
    return LeaseRow(
        name=name,
        holder=holder,
        pid=pid,
        epoch=epoch,
        acquired_at=from_unix(acquired_at),
        renewed_at=from_unix(renewed_at),
        expires_at=from_unix(expires_at),
        released_by=released_by,
        is_deposed=bool(is_deposed),
        has_session_lock=bool(has_session_lock),
        takeover=None if takeover[0] is None else takeover_of_row(tuple(takeover)),
        now=now,
    )


def takeover_of_row(row: Row) -> Takeover:
    """Return a takeover from its columns."""
    epoch, from_holder, to_holder, at, reason, gap_s = row
    return Takeover(
        epoch=epoch,
        from_holder=from_holder,
        to_holder=to_holder,
        at=from_unix(at),
        reason=TakeoverReason(reason),
        gap_s=gap_s,
    )
