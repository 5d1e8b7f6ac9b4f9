"""What a server adds to the lease: a crash is seen at once, and nobody frozen is in the way."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from time import perf_counter

import psycopg
import pytest
import trio
from attrs import evolve

from tests.storage.samples import NOW, POSTGRES_MIGRATIONS
from tests.storage.test_lease_store import NAME, ROOMY, TTL_S, Instances, Server, patient
from trt.secret import Secret
from trt.storage import lease
from trt.storage.errors import DatabaseUnavailable
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import TakeoverReason
from trt.storage.lease_store import LeaseStore
from trt.storage.migrate_postgres import migrate_postgres
from trt.storage.postgres_connection import PostgresTimeouts, connect
from trt.storage.postgres_lease import (
    LEASE_TIMEOUTS,
    PostgresLeaseStore,
    application_name,
    open_postgres_leases,
)
from trt.storage.postgres_listener import PostgresListener
from trt.storage.postgres_pool import PostgresPool
from trt.storage.postgres_transaction import run_transaction
from trt.testing.postgres_server import open_postgres_server


@pytest.fixture
async def two(committed_url: str) -> AsyncIterator[Instances]:
    async with Server(committed_url).open("a", "b") as opened:
        yield opened


@contextmanager
def writer_in_mid_transaction(url: str, name: str) -> Iterator["psycopg.Connection[object]"]:
    """A session that was let through by the fence of epoch 1, and then says nothing more."""
    with psycopg.connect(url, application_name=name) as session:
        fence = "SELECT 1 FROM fences WHERE name = %s AND epoch = 1 FOR SHARE"
        assert session.execute(fence, [NAME]).fetchone() == (1,)
        yield session


def is_ended(session: "psycopg.Connection[object]") -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False


async def end_sessions(two: Instances, holder: str) -> None:
    """What the server does when the connection of a process is gone."""
    await two.db.transact(
        lambda tx: tx.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
            "WHERE application_name = ?",
            [application_name(holder)],
        )
    )


async def soon(two: Instances, holder: str) -> Acquired:
    """Look until the lease is ours: a session ends a moment after its connection was closed."""
    with trio.fail_after(5):
        while True:
            outcome = await two.acquire(holder)
            if isinstance(outcome, Acquired):
                return outcome


async def test_the_death_of_the_holder_is_seen_by_the_next_look(committed_url: str) -> None:
    async with AsyncExitStack() as stack:
        two = await stack.enter_async_context(Server(committed_url).open("b"))
        async with open_postgres_leases(committed_url, holder="a", timeouts=ROOMY) as dying:
            two.stores["a"] = dying
            first = await two.acquired("a")
            assert first.row.has_session_lock
            assert isinstance(await two.acquire("b"), HeldBy)
        # Its connections are closed, its lease still runs for a minute, and it released nothing.
        taken = await soon(two, "b")
        assert taken.takeover is not None
        assert taken.takeover.reason is TakeoverReason.CRASHED
        assert taken.takeover.gap_s < 1.0
        assert taken.row.has_session_lock
        assert await two.may_write([1, 2]) == [2]


async def test_a_holder_that_is_gone_cannot_come_back_with_its_old_epoch(two: Instances) -> None:
    await two.acquired("a")
    await end_sessions(two, "a")
    assert (await soon(two, "b")).epoch == 2
    assert await patient(partial(two.renew, "a", 1)) is None
    assert isinstance(await two.acquire("a"), HeldBy)


async def test_a_holder_that_lost_only_its_session_takes_a_new_one(two: Instances) -> None:
    await two.acquired("a")
    await end_sessions(two, "a")
    assert await patient(partial(two.renew, "a", 1)) is not None
    await wait_session_lock(two.stores["a"], "a", 1)
    assert isinstance(await two.acquire("b"), HeldBy)


async def test_a_frozen_holder_loses_by_expiry_and_its_sessions_are_ended(
    two: Instances, committed_url: str
) -> None:
    await two.acquired("a")
    with writer_in_mid_transaction(committed_url, application_name("a")) as frozen:
        assert isinstance(await two.acquire("b"), HeldBy)
        await two.expire()
        with trio.fail_after(2):  # a fifth of a second, on a machine that is not busy
            taken = await two.acquired("b")
        assert taken.takeover is not None
        assert taken.takeover.reason is TakeoverReason.EXPIRED
        assert await trio.to_thread.run_sync(is_ended, frozen)
    # The frozen one had it until its session was ended.
    await wait_session_lock(two.stores["b"], "b", 2)
    with pytest.raises(DatabaseUnavailable):
        await two.renew("a", 1)
    assert await two.renew("a", 1) is None


async def test_a_frozen_holder_does_not_keep_the_session_lock_either(two: Instances) -> None:
    """Nothing is in the way of the takeover; but the next crash would not be seen."""
    await two.acquired("a")
    await two.expire()
    assert not (await two.acquired("b")).row.has_session_lock
    await wait_session_lock(two.stores["b"], "b", 2)


async def test_a_stranger_in_the_way_is_left_alone_and_only_delays(
    two: Instances, committed_url: str
) -> None:
    await two.acquired("a")
    await two.expire()
    with writer_in_mid_transaction(committed_url, "psql") as stranger:
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await two.acquire("b")
        assert await two.may_write([1, 2]) == [1]
        stranger.commit()
        assert (await two.acquired("b")).epoch == 2
        assert not is_ended(stranger)


async def test_a_renewal_does_not_wait_for_writers_and_a_takeover_does(
    two: Instances, committed_url: str
) -> None:
    """Why the fence is a row of its own."""
    await two.acquired("a")

    def take(holder: str) -> None:
        connection = connect(
            committed_url,
            application_name="tests",
            timeouts=PostgresTimeouts(lock_s=0.05, statement_s=1.0, deadline_s=2.0),
        )
        try:
            run_transaction(
                connection,
                (),
                lambda tx: lease.acquire(tx, NAME, holder=holder, pid=1, ttl_s=TTL_S),
            )
        finally:
            connection.close()

    with writer_in_mid_transaction(committed_url, "writer"):
        assert await two.renew("a", 1) is not None
        await two.expire()
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            await trio.to_thread.run_sync(take, "b")


async def test_a_holder_under_load_is_deposed_all_the_same(
    two: Instances, committed_url: str
) -> None:
    await two.acquired("a")
    with writer_in_mid_transaction(committed_url, application_name("a")) as writer:
        assert await two.stores["b"].depose(NAME, epoch=1)
        assert await trio.to_thread.run_sync(is_ended, writer)
    assert await two.may_write([1]) == []


async def test_a_release_wakes_who_waits_and_frees_the_session_lock(
    two: Instances, committed_url: str
) -> None:
    await two.acquired("a")
    async with PostgresListener(committed_url, application_name="tests").topics() as topics:
        assert await two.release("a", 1)
        with trio.fail_after(5):
            assert await anext(aiter(topics)) == lease.topic(NAME)
    taken = await two.acquired("b")
    assert taken.takeover is not None
    assert taken.takeover.reason is TakeoverReason.RELEASED
    assert taken.row.has_session_lock


async def test_a_release_waits_for_the_last_commit_of_its_own(committed_url: str) -> None:
    hasty = evolve(ROOMY, lock_s=0.001)
    released: list[bool] = []

    async def release() -> None:
        released.append(await store.release(NAME, holder="a", epoch=1))

    async with open_postgres_leases(committed_url, holder="a", timeouts=hasty) as store:
        await store.acquire(NAME, holder="a", pid=1, ttl_s=TTL_S)
        with (
            writer_in_mid_transaction(committed_url, application_name("a")) as last,
            psycopg.connect(committed_url, autocommit=True) as look,
        ):
            with trio.fail_after(5):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(release)
                    while not await trio.to_thread.run_sync(somebody_waits, look):
                        assert not released
                    last.commit()
    assert released == [True]


def somebody_waits(look: "psycopg.Connection[object]") -> bool:
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return look.execute(waits).fetchone() is not None


async def test_a_look_in_vain_leaves_no_session_lock_behind(two: Instances) -> None:
    await two.acquired("a")
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    await end_sessions(two, "a")
    await two.db.transact(lambda tx: tx.execute("UPDATE lease SET has_session_lock = 0"))
    for _ in range(3):
        assert isinstance(await two.acquire("b"), HeldBy)
    assert await two.db.transact(lambda tx: tx.execute(locks).one()) == (0,)


async def test_behind_a_pooler_only_silence_deposes(committed_url: str) -> None:
    async with Server(committed_url).open("b") as two:
        pool = PostgresPool(
            committed_url,
            connections_max=1,
            application_name=application_name("a"),
            timeouts=ROOMY,
        )
        two.stores["a"] = PostgresLeaseStore(pool)
        async with pool.connection(deadline=trio.current_time() + 5) as connection:
            connection.is_pooled = True
        first = await two.acquired("a")
        assert not first.row.has_session_lock
        renewed = await two.renew("a", 1)
        assert renewed is not None
        assert not renewed.has_session_lock
        # The other one has a session of its own, and still must not take this for a crash.
        assert isinstance(await two.acquire("b"), HeldBy)
        await two.expire()
        assert (await two.acquired("b")).epoch == 2
        await pool.aclose()


async def test_of_two_that_see_a_crash_one_wins(committed_url: str) -> None:
    outcomes: dict[str, Acquired | HeldBy] = {}

    async def contend(holder: str) -> None:
        for _ in range(200):
            outcomes[holder] = outcome = await patient(partial(three.acquire, holder))
            if outcome.row.epoch > epoch:
                return  # one of us has it

    async with Server(committed_url).open("b", "c") as three:
        for number in range(10):
            async with open_postgres_leases(
                committed_url, holder=f"dying-{number}", timeouts=ROOMY
            ) as dying:
                await three.expire()
                taken = await patient(
                    partial(dying.acquire, NAME, holder=f"dying-{number}", pid=1, ttl_s=TTL_S)
                )
                assert isinstance(taken, Acquired)
                epoch = taken.epoch
                # By expiry the session lock comes with a renewal, once the old one is gone.
                await wait_session_lock(dying, f"dying-{number}", taken.epoch)
            async with trio.open_nursery() as nursery:
                for holder in ("b", "c"):
                    nursery.start_soon(contend, holder)
            assert len(outcomes) == 2
            [winner] = [o for o in outcomes.values() if isinstance(o, Acquired)]
            assert winner.epoch == taken.epoch + 1
            assert winner.takeover is not None
            assert winner.takeover.reason is TakeoverReason.CRASHED


async def wait_session_lock(store: LeaseStore, holder: str, epoch: int) -> None:
    """Renew until the session vouches for the holder."""
    with trio.fail_after(5):
        while True:
            row = await store.renew(NAME, holder=holder, epoch=epoch, ttl_s=TTL_S)
            assert row is not None
            if row.has_session_lock:
                return


async def test_a_server_that_hangs_is_given_up_in_time_and_found_again() -> None:
    with open_postgres_server() as server, server.fresh_database() as url:
        migrate_postgres(Secret(url), POSTGRES_MIGRATIONS, now=NOW)
        async with open_postgres_leases(url, holder="a") as store:
            taken = await store.acquire(NAME, holder="a", pid=1, ttl_s=TTL_S)
            assert isinstance(taken, Acquired)
            server.freeze()
            try:
                for _ in range(2):
                    began = perf_counter()
                    with pytest.raises(DatabaseUnavailable):
                        await store.renew(NAME, holder="a", epoch=1, ttl_s=TTL_S)
                    assert perf_counter() - began < 2 * LEASE_TIMEOUTS.deadline_s
            finally:
                server.thaw()
            row = await patient(partial(store.renew, NAME, holder="a", epoch=1, ttl_s=TTL_S))
            assert row is not None
