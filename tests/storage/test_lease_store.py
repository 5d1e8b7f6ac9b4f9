"""The lease as the lock keepers have it, on every engine: one holder, and epochs that only grow."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
import trio
from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.storage.samples import new_file
from trt.sources import SystemSources
from trt.storage import lease
from trt.storage.database import Database
from trt.storage.errors import DatabaseUnavailable
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import LeaseRow, TakeoverReason
from trt.storage.lease_store import DatabaseLeaseStore, LeaseStore
from trt.storage.postgres import open_postgres
from trt.storage.postgres_lease import LEASE_TIMEOUTS, open_postgres_leases
from trt.storage.sqlite import open_sqlite, open_sqlite_reader

T = TypeVar("T")

TTL_S = 60.0
# A busy machine must not fail a story that is not about deadlines.
ROOMY = evolve(LEASE_TIMEOUTS, deadline_s=5.0, statement_s=4.0, connect_s=3.0)
NAME = "shard-0"


@frozen
class Instances:
    """Some instances, each with its own way to the leases, and one way to the tables."""

    stores: dict[str, LeaseStore]
    db: Database

    async def acquire(self, holder: str, name: str = NAME) -> Acquired | HeldBy:
        return await self.stores[holder].acquire(name, holder=holder, pid=7, ttl_s=TTL_S)

    async def acquired(self, holder: str, name: str = NAME) -> Acquired:
        outcome = await self.acquire(holder, name)
        assert isinstance(outcome, Acquired)
        return outcome

    async def renew(self, holder: str, epoch: int, name: str = NAME) -> LeaseRow | None:
        return await self.stores[holder].renew(name, holder=holder, epoch=epoch, ttl_s=TTL_S)

    async def release(self, holder: str, epoch: int, name: str = NAME) -> bool:
        return await self.stores[holder].release(name, holder=holder, epoch=epoch)

    async def expire(self, name: str = NAME) -> None:
        """Let the time of whoever has it run out."""
        sql = "UPDATE lease SET expires_at = 0 WHERE name = ? AND holder IS NOT NULL"
        await self.db.transact(lambda tx: tx.execute(sql, [name]))

    async def may_write(self, epochs: Sequence[int], name: str = NAME) -> list[int]:
        return await self.db.transact(
            lambda tx: [epoch for epoch in epochs if lease.may_write(tx, name, epoch=epoch)]
        )


class Place(Protocol):
    def open(self, *holders: str) -> AbstractAsyncContextManager[Instances]: ...


@frozen
class File(Place):
    """Two processes on one machine share a file."""

    path: Path

    @override
    @asynccontextmanager
    async def open(self, *holders: str) -> AsyncIterator[Instances]:
        now = SystemSources().now
        async with AsyncExitStack() as stack:
            opened = {
                holder: await stack.enter_async_context(open_sqlite(self.path, now=now))
                for holder in holders
            }
            looks = {
                holder: await stack.enter_async_context(open_sqlite_reader(self.path, now=now))
                for holder in holders
            }
            stores = {
                holder: DatabaseLeaseStore(opened[holder], looks[holder]) for holder in holders
            }
            yield Instances(dict(stores), opened[holders[0]])


@frozen
class Server(Place):
    url: str

    @override
    @asynccontextmanager
    async def open(self, *holders: str) -> AsyncIterator[Instances]:
        async with AsyncExitStack() as stack:
            stores = {
                holder: await stack.enter_async_context(
                    open_postgres_leases(self.url, holder=holder, timeouts=ROOMY)
                )
                for holder in holders
            }
            db = await stack.enter_async_context(open_postgres(self.url, pool_max=2))
            yield Instances(dict(stores), db)


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return File(new_file(tmp_path))
    return Server(request.getfixturevalue("committed_url"))


async def test_a_lease_goes_from_hand_to_hand(place: Place) -> None:
    async with place.open("a", "b") as two:
        assert await two.stores["b"].read(NAME) is None
        first = await two.acquired("a")
        assert (first.epoch, first.takeover) == (1, None)
        held = await two.acquire("b")
        assert isinstance(held, HeldBy)
        assert held.row.holder == "a"
        renewed = await two.renew("a", 1)
        assert renewed is not None
        assert renewed.renewed_at > first.row.renewed_at
        assert await two.release("a", 1)
        assert not await two.release("a", 1)
        assert await two.renew("a", 1) is None
        second = await two.acquired("b")
        assert second.takeover is not None
        assert (second.epoch, second.takeover.reason) == (2, TakeoverReason.RELEASED)
        assert second.takeover.gap_s < 1.0
        assert isinstance(await two.acquire("a"), HeldBy)
        row = await two.stores["a"].read(NAME)
        assert row is not None
        assert (row.holder, row.epoch, row.takeover) == ("b", 2, second.takeover)


async def test_a_silent_holder_loses_it_by_expiry(place: Place) -> None:
    async with place.open("a", "b") as two:
        await two.acquired("a")
        await two.expire()
        taken = await two.acquired("b")
        assert taken.takeover is not None
        assert taken.takeover.reason is TakeoverReason.EXPIRED
        assert await patient(partial(two.renew, "a", 1)) is None
        assert not await two.release("a", 1)


async def test_a_deposed_holder_is_out_at_once(place: Place) -> None:
    async with place.open("a", "b") as two:
        assert not await two.stores["b"].depose(NAME, epoch=1)
        await two.acquired("a")
        assert not await two.stores["b"].depose(NAME, epoch=2)
        assert await two.stores["b"].depose(NAME, epoch=1)
        assert await two.may_write([1]) == []
        assert await patient(partial(two.renew, "a", 1)) is None
        taken = await two.acquired("b")
        assert taken.takeover is not None
        assert taken.takeover.reason is TakeoverReason.DEPOSED


async def test_leases_of_several_shards_are_in_different_hands(place: Place) -> None:
    async with place.open("a", "b") as two:
        assert (await two.acquired("a", "shard-0")).epoch == 1
        assert (await two.acquired("b", "shard-1")).epoch == 1
        assert isinstance(await two.acquire("b", "shard-0"), HeldBy)
        assert isinstance(await two.acquire("a", "shard-1"), HeldBy)
        assert await two.renew("a", 1, "shard-0")
        assert await two.renew("b", 1, "shard-1")


async def test_of_two_contenders_one_wins_every_time(place: Place) -> None:
    outcomes: dict[str, Acquired | HeldBy] = {}

    async def contend(holder: str) -> None:
        outcomes[holder] = await patient(partial(two.acquire, holder))

    async with place.open("a", "b") as two:
        for round_number in range(1, 51):
            await two.expire()
            async with trio.open_nursery() as nursery:
                for holder in ("a", "b"):
                    nursery.start_soon(contend, holder)
            [winner] = [o for o in outcomes.values() if isinstance(o, Acquired)]
            assert winner.epoch == round_number
            assert await two.may_write(range(round_number + 2)) == [round_number]


async def patient(call: Callable[[], Awaitable[T]]) -> T:
    """Call again when the sessions were ended under it, as a lock keeper does."""
    for _ in range(5):
        try:
            return await call()
        except DatabaseUnavailable:
            continue
    return await call()


NUMBERS = count(1)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "renew", "release", "expire", "depose"]),
        st.sampled_from("abc"),
    ),
    max_size=20,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_epochs_only_grow_and_one_may_write(place: Place, steps: list[tuple[str, str]]) -> None:
    async def story() -> None:
        async with place.open("a", "b", "c") as three:
            await check_against_model(three, steps)

    trio.run(story)


async def check_against_model(three: Instances, steps: list[tuple[str, str]]) -> None:
    # Examples share a database: each has a lease of its own.
    name = f"lease-{next(NUMBERS)}"
    known = dict.fromkeys(three.stores, 0)
    holder, epoch, has_expired = None, 0, False
    for step, actor in steps:
        store = three.stores[actor]
        is_ours = holder == actor and known[actor] == epoch
        match step:
            case "acquire":
                outcome = await patient(partial(three.acquire, actor, name))
                is_retry = holder == actor and not has_expired
                assert isinstance(outcome, Acquired) == (holder is None or has_expired or is_retry)
                if isinstance(outcome, Acquired):
                    epoch += not is_retry
                    assert outcome.epoch == epoch
                    holder, has_expired = actor, False
                    known[actor] = epoch
            case "renew":
                row = await patient(partial(three.renew, actor, known[actor], name))
                assert (row is not None) == is_ours
                has_expired = has_expired and not is_ours
            case "release":
                released = await patient(partial(three.release, actor, known[actor], name))
                assert released == is_ours
                holder = None if is_ours else holder
            case "expire":
                await three.expire(name)
                has_expired = holder is not None
            case _:
                deposed = await patient(partial(store.depose, name, epoch=epoch))
                assert deposed == (holder is not None)
                holder = None
        writes = await three.may_write(range(epoch + 2), name)
        assert writes == ([] if holder is None else [epoch])
