"""One round of `trt bench failover`: the holder is struck under load, and all is accounted for."""

import signal
from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import assert_never

import trio
from attrs import frozen

from trt.bench.failover_books import Accounts, account, written_under
from trt.bench.failover_books import unfinished as count_unfinished
from trt.bench.failover_database import SharedDatabase
from trt.bench.failover_outside import Outside
from trt.bench.failover_pair import Pair, Seat
from trt.bench.failover_traffic import Traffic
from trt.sources import Sources
from trt.storage.database import Database

BEFORE_S = 1.0
"""Of load, before the holder is struck."""
AFTER_S = 0.7
"""Of load, after the other one has taken over and again after a zombie was let loose."""
WARM_UP_S = 7.0
"""Of load that is not measured: everybody is new in it, and nobody in what follows."""
TAKEOVER_WITHIN_S = 20.0
SETTLE_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1


class Strike(StrEnum):
    """What happens to the holder of the lease."""

    PLANNED = "planned stop"
    KILL = "kill -9"
    FREEZE = "SIGSTOP"
    CUT = "network cut"
    HALF_OPEN = "half-open network"


CUTS = (Strike.CUT, Strike.HALF_OPEN)
"""What needs a network between an instance and the database."""


@frozen(kw_only=True)
class Round:
    """What came of one strike."""

    strike: Strike
    gap_s: float
    """The longest time without a handled update around the strike."""
    taken_s: float
    """From the strike to the standby's word that it holds the lease."""
    why: str
    """What the standby says of how it got the lease."""
    accounts: Accounts
    late_commits: int
    """Rows that the old holder wrote after it was relieved."""
    problems: tuple[str, ...]
    """Everything that should not be, in words."""


@frozen(kw_only=True)
class Arena:
    """Everything that a round needs; it lasts for the whole bench."""

    pair: Pair
    traffic: Traffic
    outside: Outside
    database: SharedDatabase
    secret_token: str
    """What posts prove themselves with."""
    books: Database
    """The same database, opened for looking."""
    sources: Sources


async def warm_up(arena: Arena) -> None:
    """Let everybody come once; new users are not what a round is about."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(arena.traffic.run, stop)
        await trio.sleep(WARM_UP_S)
        stop.set()
    await settle(arena)


async def play(arena: Arena, strike: Strike) -> Round:
    """Strike the holder under load, wait for the takeover, account, and put everything right.

    Raises:
        ChildFailed: An instance did not do its part in time.
    """
    holder, standby = arena.pair.holder, arena.pair.standby
    both = (holder.instance, standby.instance)
    posted = len(arena.traffic.posts)
    taken_before = len(standby.instance.events("LOCK_ACQUIRED"))
    epoch = int(holder.instance.events("LOCK_ACQUIRED")[-1]["epoch"])
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(arena.traffic.run, stop)
        await trio.sleep(BEFORE_S)
        struck_s = arena.sources.now().timestamp()
        _strike(arena, strike, holder)
        taken = await standby.instance.wait_event("LOCK_ACQUIRED", taken_before, TAKEOVER_WITHIN_S)
        taken_s = arena.sources.now().timestamp()
        written = await arena.books.transact(written_under, epoch)
        await trio.sleep(AFTER_S)
        await _put_right(arena, strike, holder, stop)
    await settle(arena)
    accounts = await arena.books.transact(
        account, arena.traffic.posts[posted:], arena.outside.answered_s
    )
    late_commits = len(await arena.books.transact(written_under, epoch) - written)
    return Round(
        strike=strike,
        gap_s=longest_gap_s(
            (at_s for each in both for at_s in each.handled_s),
            struck_s=struck_s,
            until_s=taken_s + AFTER_S,
        ),
        taken_s=taken_s - struck_s,
        why=str(taken.get("why")),
        accounts=accounts,
        late_commits=late_commits,
        problems=(
            *accounts.problems,
            *([f"{late_commits} rows written by the old holder"] if late_commits else []),
        ),
    )


def longest_gap_s(handled_s: Iterable[float], *, struck_s: float, until_s: float) -> float:
    """Return the longest time without a handled update that ended between the two moments.

    A silence that lasts at the end counts as far as it was seen.
    """
    in_order = [*sorted(at_s for at_s in handled_s if at_s <= until_s), until_s]
    gaps = [later - earlier for earlier, later in pairwise(in_order) if later > struck_s]
    return max(gaps, default=0.0)


def _strike(arena: Arena, strike: Strike, holder: Seat) -> None:
    match strike:
        case Strike.PLANNED:
            holder.instance.signal(signal.SIGTERM)
        case Strike.KILL:
            holder.instance.signal(signal.SIGKILL)
        case Strike.FREEZE:
            holder.instance.signal(signal.SIGSTOP)
        case Strike.CUT | Strike.HALF_OPEN:
            arena.database.cut(holder.number, is_half_open=strike is Strike.HALF_OPEN)
        case _:
            assert_never(strike)


async def _put_right(arena: Arena, strike: Strike, struck: Seat, stop: trio.Event) -> None:
    """End the load, with the struck instance as the standby; a zombie comes back under load."""
    lost_before = len(struck.instance.events("LOCK_LOST"))
    match strike:
        case Strike.PLANNED | Strike.KILL:
            stop.set()
            await arena.pair.restart(struck)
            return
        case Strike.FREEZE:
            struck.instance.signal(signal.SIGCONT)
            await struck.instance.wait_event("LOCK_LOST", lost_before)
        case Strike.CUT | Strike.HALF_OPEN:
            # It has noticed while it was cut off; its own deadline is shorter than the lease.
            arena.database.mend(struck.number)
        case _:
            assert_never(strike)
    await struck.wait_mode("passive")
    await trio.sleep(AFTER_S)
    stop.set()


async def settle(arena: Arena) -> None:
    """Wait until nothing is under way any more: updates, jobs, replies."""
    with trio.move_on_after(SETTLE_WITHIN_S):
        while await arena.books.transact(count_unfinished):  # noqa: ASYNC110 - other processes
            await trio.sleep(LOOK_EVERY_S)
