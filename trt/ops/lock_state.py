"""Who is active: each shard's lease as an operator asks for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import Shard
from trt.ops.database_door import Door
from trt.ops.deposition import Deposition, depositions
from trt.storage import lease
from trt.storage.database import Transaction
from trt.storage.lease_row import LeaseRow, Takeover, TakeoverReason

TAKEOVERS_SHOWN = 10


class Leadership(StrEnum):
    """What the lease says about its shard."""

    LED = "led"
    SILENT = "silent"
    """It has run out, and nobody has taken it since."""
    FREE = "free"
    """It was given up or taken away, and nobody has taken it since."""
    NEVER_HELD = "never held"


@frozen(kw_only=True)
class Handover:
    """One change of the holder, with what an operator said about it."""

    takeover: Takeover
    word: Deposition | None
    """Why the one before was deposed, when it was."""


@frozen(kw_only=True)
class LockState:
    """The lease of one shard; all ages are by the database's clock."""

    name: str
    leadership: Leadership
    epoch: int = 0
    holder: str | None = None
    pid: int | None = None
    since: datetime | None = None
    held_s: float | None = None
    heartbeat_age_s: float | None = None
    expires_in_s: float | None = None
    """Negative when it has run out."""
    has_session_lock: bool = False
    released_by: str | None = None
    is_deposed: bool = False
    free_s: float | None = None
    word: Deposition | None = None
    """Why its last holder was deposed, when it was and nobody has taken it since."""
    waiting: tuple[str, ...] | None = None
    """Who else is connected, and so waits; None where nobody knows."""
    handovers: tuple[Handover, ...] = ()
    """The last ones, newest first."""


@frozen(kw_only=True)
class Locks:
    """The leases of the shards that were asked for."""

    shards: tuple[LockState, ...]

    @property
    def are_all_led(self) -> bool:
        """Whether each shard has a holder that is alive."""
        return all(lock.leadership is Leadership.LED for lock in self.shards)


def lease_name(shard: Shard) -> str:
    """Return the name of a shard's lease."""
    return f"shard-{shard}"


def settled_shards(tx: Transaction) -> int | None:
    """Return how many shards the installation has; None before its first start."""
    row = tx.execute("SELECT shards FROM installation").first()
    return None if row is None else int(row[0])


async def read_locks(door: Door, shards: Sequence[Shard]) -> Locks:
    """Read the leases of some shards and the last of their history."""
    return Locks(shards=tuple([await door.read(_lock_state, door, shard) for shard in shards]))


def _lock_state(tx: Transaction, door: Door, shard: Shard) -> LockState:
    name = lease_name(shard)
    row = lease.read(tx, name)
    if row is None or row.epoch == 0:
        return LockState(name=name, leadership=Leadership.NEVER_HELD)
    history = lease.history(tx, name, limit=TAKEOVERS_SHOWN)
    said = depositions(tx, name, moments=_moments_of_deposition(row, history))
    connected = door.instances(tx)
    return _state_of(row, history, said, connected)


def _state_of(
    row: LeaseRow,
    history: Sequence[Takeover],
    said: Mapping[int, Deposition],
    connected: Sequence[str] | None,
) -> LockState:
    is_held = row.holder is not None
    is_over = row.expires_at <= row.now
    held = Leadership.SILENT if is_over else Leadership.LED
    expires_in_s = (row.expires_at - row.now).total_seconds()
    return LockState(
        name=row.name,
        leadership=held if is_held else Leadership.FREE,
        epoch=row.epoch,
        holder=row.holder,
        pid=row.pid,
        since=row.acquired_at if is_held else None,
        held_s=(row.now - row.acquired_at).total_seconds() if is_held else None,
        heartbeat_age_s=(row.now - row.renewed_at).total_seconds() if is_held else None,
        expires_in_s=expires_in_s if is_held else None,
        has_session_lock=row.has_session_lock,
        released_by=row.released_by,
        is_deposed=row.is_deposed,
        free_s=None if is_held else -expires_in_s,
        word=said.get(row.epoch) if row.is_deposed else None,
        waiting=None if connected is None else tuple(h for h in connected if h != row.holder),
        handovers=tuple(_handover(takeover, said) for takeover in history),
    )


def _handover(takeover: Takeover, said: Mapping[int, Deposition]) -> Handover:
    is_deposed = takeover.reason is TakeoverReason.DEPOSED
    return Handover(takeover=takeover, word=said.get(takeover.epoch - 1) if is_deposed else None)


def _moments_of_deposition(row: LeaseRow, history: Sequence[Takeover]) -> list[datetime]:
    """Return when a holder was deposed: from that moment on the lease was free."""
    moments = [
        takeover.at - timedelta(seconds=takeover.gap_s)
        for takeover in history
        if takeover.reason is TakeoverReason.DEPOSED
    ]
    return [*moments, row.expires_at] if row.is_deposed else moments
