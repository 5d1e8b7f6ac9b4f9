"""What a doctor asks the database."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from trt.domain.ids import Cid, Shard
from trt.domain.job import RESULT_LIFE_S
from trt.ops.database_door import Door
from trt.ops.lock_state import lease_name
from trt.storage import books, lease, outbox
from trt.storage.books import Audit
from trt.storage.database import Transaction
from trt.storage.lease_row import Takeover
from trt.storage.outbox import OutboxDepth
from trt.storage.timestamps import from_unix, to_unix

AUDIT_SLICE_MAX = 5000
"""Users whose books fit into memory, and into one transaction, with ease."""


@frozen(kw_only=True)
class Clocks:
    """This machine's clock beside the database's."""

    ahead_s: float
    """How far the database's is ahead; negative when it is behind."""
    uncertain_s: float
    """How far that may be wrong, because the question took its time."""


@frozen(kw_only=True)
class Backlog:
    """What waits and what has gone wrong, by the database's clock."""

    inbox: int
    inbox_oldest_s: float
    outbox: OutboxDepth
    jobs: int
    """Under way."""
    jobs_late: tuple[Cid, ...]
    """Taps of jobs that should have ended long ago."""
    dead: tuple[Cid, ...]
    """Taps of the last day whose handling crashed until the retries ran out."""


@frozen(kw_only=True)
class Disk:
    """The disk under an embedded database."""

    free_bytes: int
    database_bytes: int


async def read_clocks(door: Door, now: Callable[[], datetime]) -> Clocks:
    """Compare the two clocks."""
    before = now()
    there = await door.read(lambda tx: tx.clock())
    after = now()
    middle = before + (after - before) / 2
    return Clocks(
        ahead_s=(there - middle).total_seconds(), uncertain_s=(after - before).total_seconds() / 2
    )


def takeovers_since(tx: Transaction, shard: Shard, *, within_s: float) -> list[Takeover]:
    """Return the takeovers of a shard's lease of the last while, newest first."""
    since = tx.clock() - timedelta(seconds=within_s)
    return [done for done in lease.history(tx, lease_name(shard)) if done.at >= since]


def read_backlog(tx: Transaction, *, late_s: float, dead_within_s: float) -> Backlog:
    """Return what waits.

    Args:
        tx: A running transaction; it only reads.
        late_s: How long after its deadline a job counts as late.
        dead_within_s: How far to look back for taps that crashed.
    """
    now = tx.clock()
    waiting, oldest_at = tx.execute(
        "SELECT count(*), min(received_at) FROM inbox WHERE state = 'new'"
    ).one()
    [jobs] = tx.execute(
        "SELECT count(*) FROM jobs WHERE state NOT IN ('delivered', 'failed')"
    ).one()
    late = tx.execute(
        """
        SELECT cid FROM jobs
        WHERE state NOT IN ('delivered', 'failed') AND deadline_at < :at
          AND NOT (state = 'delivering' AND COALESCE(ready_at, 0) > :alive)
        ORDER BY deadline_at
        """,
        {
            "at": to_unix(now - timedelta(seconds=late_s)),
            # A result that could not be delivered waits for its user as long as it lives.
            "alive": to_unix(now - timedelta(seconds=RESULT_LIFE_S + late_s)),
        },
    )
    dead = tx.execute(
        "SELECT cid FROM inbox WHERE state = 'dead' AND finished_at >= :at ORDER BY finished_at",
        {"at": to_unix(now - timedelta(seconds=dead_within_s))},
    )
    return Backlog(
        inbox=waiting,
        inbox_oldest_s=0.0 if oldest_at is None else (now - from_unix(oldest_at)).total_seconds(),
        outbox=outbox.depth(tx, now=now),
        jobs=jobs,
        jobs_late=_cids(late.rows),
        dead=_cids(dead.rows),
    )


async def read_audit(door: Door, *, slice_max: int = AUDIT_SLICE_MAX) -> Audit:
    """Look through all the books, some users at a time: each slice is whole in itself.

    Args:
        door: The open database.
        slice_max: How many users at a time.
    """
    problems: list[str] = []
    after = 0
    while after < books.USER_ID_MAX:
        upto = await door.study(books.next_slice, after=after, limit=slice_max)
        problems += (await door.study(books.audit, after=after, upto=upto)).problems
        after = upto
    return Audit(is_balanced=not problems, problems=tuple(problems))


def read_disk(door: Door) -> Disk | None:
    """Return the room on the disk of an embedded database; None with a server."""
    if door.file is None:
        return None
    log = door.file.with_name(f"{door.file.name}-wal")
    files = [file for file in (door.file, log) if file.exists()]
    return Disk(
        free_bytes=shutil.disk_usage(door.file.parent).free,
        database_bytes=sum(file.stat().st_size for file in files),
    )


def _cids(rows: Sequence[tuple[str, ...]]) -> tuple[Cid, ...]:
    return tuple(Cid(cid) for (cid,) in rows)
