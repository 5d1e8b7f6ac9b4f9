"""Two instances on one database: the arena of `trt bench failover`, as tests use it."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import frozen

from trt.bench.children import LOOPBACK
from trt.bench.failover import arena
from trt.bench.failover_books import Accounts, account
from trt.bench.failover_database import SharedDatabase
from trt.bench.failover_pair import Seat
from trt.bench.failover_rounds import Arena, Round, Strike, play, settle
from trt.sources import SystemSources

AROUND_S = 0.7
"""Of load, before and after a trouble."""
LONG = timedelta(minutes=5)
"""Longer than all rounds of a test; who counts from another beginning is far off."""


@frozen(kw_only=True)
class Played:
    """One round, and what both instances say of the lease after it."""

    round: Round
    holder_pid: int
    holder: Mapping[str, Any]
    standby: Mapping[str, Any]


def rounds_of(
    database: SharedDatabase, folder: Path, strikes: Sequence[Strike]
) -> Mapping[Strike, Played]:
    """Strike the holder once in each way."""

    async def play_one(place: Arena, strike: Strike) -> Played:
        return Played(
            round=await play(place, strike),
            holder_pid=place.pair.holder.instance.process.pid,
            holder=await _health(place.pair.holder),
            standby=await _health(place.pair.standby),
        )

    async def play_all() -> Mapping[Strike, Played]:
        async with arena(folder, database, SystemSources()) as place:
            return {strike: await play_one(place, strike) for strike in strikes}

    return trio.run(play_all)


async def _health(seat: Seat) -> Mapping[str, Any]:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://{LOOPBACK}:{seat.port}/health")
    body: Mapping[str, Any] = answer.json()
    return body


def check_health(played: Played) -> None:
    """Assert that both instances say the truth about the lease after a takeover."""
    holder, standby = played.holder, played.standby
    assert (holder["mode"], holder["lock_state"]) == ("active", "ACTIVE")
    assert (standby["mode"], standby["lock_state"]) == ("passive", "PASSIVE")
    for body in (holder, standby):
        assert body["lock_epoch"] == holder["lock_takeover_event"]["epoch"]
        assert body["lock_holder_pid"] == played.holder_pid
        assert 0 <= body["lock_idle_duration"] < LONG.total_seconds()
        assert 0 <= body["lock_heartbeat_age"] < 1
        takeover = body["lock_takeover_event"]
        assert takeover["reason"] == played.round.why
        assert takeover["from_holder"] != takeover["to_holder"]
        assert 0 < takeover["gap_s"] < LONG.total_seconds()
        assert abs(SystemSources().now() - datetime.fromisoformat(takeover["at"])) < LONG


@frozen(kw_only=True)
class Survived:
    """What is left of a trouble."""

    accounts: Accounts
    statuses: Counter[int]
    """What the instances answered to posts; 0 is no answer."""
    crashes: int
    """Of actors, in both instances."""
    given_up: int
    ended: tuple[str, ...]
    """Instances that are gone, each with its last words."""


async def live_through(place: Arena, trouble: Callable[[], Awaitable[None]]) -> Survived:
    """Post before, during and after a trouble until all is done, and account for it."""
    posted = len(place.traffic.posts)
    crashed, given_up = _said(place, "ACTOR_CRASHED"), _said(place, "ACTOR_GAVE_UP")
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(place.traffic.run, stop)
        await trio.sleep(AROUND_S)
        await trouble()
        await trio.sleep(AROUND_S)
        stop.set()
    await settle(place)
    posts = place.traffic.posts[posted:]
    accounts = await place.books.transact(account, posts, place.outside.answered_s)
    instances = [seat.instance for seat in place.pair.seats]
    return Survived(
        accounts=accounts,
        statuses=Counter(status for post in posts for status in post.statuses),
        crashes=_said(place, "ACTOR_CRASHED") - crashed,
        given_up=_said(place, "ACTOR_GAVE_UP") - given_up,
        ended=tuple(one.last_words() for one in instances if one.ended.is_set()),
    )


def _said(place: Arena, event: str) -> int:
    return sum(len(seat.instance.events(event)) for seat in place.pair.seats)


async def post_one(place: Arena, seat: int, within_s: float) -> httpx.Response:
    """Post one more update to one instance and return its answer."""
    target = place.traffic.target
    async with httpx.AsyncClient(timeout=within_s) as http:
        return await http.post(
            f"http://{LOOPBACK}:{target.ports[seat]}{target.path}",
            json={"update_id": 1},
            headers={"X-Telegram-Bot-Api-Secret-Token": place.secret_token},
        )
