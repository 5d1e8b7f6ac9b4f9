"""A service opens all its doors to one database, whatever the engine."""

import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.storage.samples import NOW, SHARD, USER, inbox_row
from tests.storage.test_transact import stored_ids
from trt.secret import Secret
from trt.sources import SystemSources
from trt.storage import inbox, ledger
from trt.storage.database import Transaction
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress, open_storage
from trt.storage.errors import DatabaseUnavailable, Fenced, ShardsDiffer
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import TakeoverReason
from trt.storage.migrate import migrate
from trt.storage.sqlite_connection import connect

NAME = "shard-0"
MIGRATIONS = Path(__file__).parents[2] / "migrations"
now = SystemSources().now
opened = partial(open_storage, now=now, shards=1, pool_max=4)


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseAddress:
    made: DatabaseAddress = SQLiteAddress(tmp_path / "trt.sqlite3")
    if request.param == "postgres":
        made = PostgresAddress(Secret(request.getfixturevalue("postgres_url")))
    migrate(made, MIGRATIONS, now=NOW)
    return made


async def test_two_instances_share_a_database_and_one_of_them_leads(
    address: DatabaseAddress,
) -> None:
    async with opened(address, holder="a") as a, opened(address, holder="b") as b:
        assert a.engine == b.engine
        assert not a.is_pooled
        taken = await a.lease_store.acquire(NAME, holder="a", pid=1, ttl_s=60)
        assert isinstance(taken, Acquired)
        held = await b.lease_store.acquire(NAME, holder="b", pid=2, ttl_s=60)
        assert isinstance(held, HeldBy)
        await b.ingress_db.transact(inbox.store, [inbox_row(1)])
        leading = a.db.fenced(NAME, taken.epoch)
        assert await stored_ids(leading) == [1]
        await a.lease_store.release(NAME, holder="a", epoch=taken.epoch)
        with pytest.raises(Fenced):
            await leading.transact(inbox.store, [inbox_row(2)])
        second = await b.lease_store.acquire(NAME, holder="b", pid=2, ttl_s=60)
        assert isinstance(second, Acquired)
        assert second.takeover is not None
        assert second.takeover.reason is TakeoverReason.RELEASED


async def test_what_is_notified_wakes_the_other_instance(postgres_url: str) -> None:
    address = PostgresAddress(Secret(postgres_url))
    await trio.to_thread.run_sync(lambda: migrate(address, MIGRATIONS, now=NOW))

    def ring(tx: Transaction) -> None:
        tx.notify("inbox:0")

    async with (
        opened(address, holder="a") as a,
        opened(address, holder="b") as b,
        b.wake_source.topics() as topics,
    ):
        await a.ingress_db.transact(ring)
        with trio.fail_after(5):
            assert await anext(topics) == "inbox:0"


async def test_neither_the_ingress_nor_the_lease_waits_behind_work(postgres_url: str) -> None:
    address = PostgresAddress(Secret(postgres_url))
    await trio.to_thread.run_sync(lambda: migrate(address, MIGRATIONS, now=NOW))

    begun, ended = threading.Event(), threading.Event()

    def work_for_long(_: Transaction) -> bool:
        begun.set()
        return ended.wait(10)

    async with opened(address, holder="a", pool_max=1) as a, trio.open_nursery() as nursery:
        taken = await a.lease_store.acquire(NAME, holder="a", pid=1, ttl_s=60)
        assert isinstance(taken, Acquired)
        nursery.start_soon(a.db.transact, work_for_long)
        await trio.to_thread.run_sync(begun.wait)
        with trio.fail_after(5):  # the work would take twice as long
            await a.ingress_db.transact(inbox.store, [inbox_row(1)])
            assert await a.lease_store.renew(NAME, holder="a", epoch=taken.epoch, ttl_s=60)
        ended.set()


async def test_who_looks_at_a_lease_in_a_file_waits_for_no_writer(tmp_path: Path) -> None:
    address = SQLiteAddress(tmp_path / "trt.sqlite3")
    migrate(address, MIGRATIONS, now=NOW)
    async with opened(address, holder="a") as a, opened(address, holder="b") as b:
        await a.lease_store.acquire(NAME, holder="a", pid=1, ttl_s=60)
        with closing(connect(address.path)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            held = await b.lease_store.acquire(NAME, holder="b", pid=2, ttl_s=60)
            assert isinstance(held, HeldBy)
            seen = await b.lease_store.read(NAME)
            assert seen is not None
            assert (seen.holder, seen.epoch) == (held.row.holder, held.row.epoch) == ("a", 1)
            with pytest.raises(DatabaseUnavailable):  # to take it is to write
                await b.lease_store.acquire("shard-1", holder="b", pid=2, ttl_s=60)
            writer.execute("ROLLBACK")
        assert isinstance(
            await b.lease_store.acquire("shard-1", holder="b", pid=2, ttl_s=60), Acquired
        )


async def test_the_number_of_shards_is_settled_by_the_first_start(
    address: DatabaseAddress,
) -> None:
    async with opened(address, holder="a", shards=2) as a:
        await a.db.transact(ledger.open_account, USER, shard=SHARD)
    with pytest.raises(ShardsDiffer, match="set SHARDS=2"):
        async with opened(address, holder="b", shards=1):
            pass
    async with opened(address, holder="c", shards=2):
        pass


def test_an_address_does_not_show_its_password() -> None:
    assert "canary" not in repr(PostgresAddress(Secret("postgresql://trt:canary@host/trt")))
