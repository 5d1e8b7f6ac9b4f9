"""What is kept, refused and told when the server or the network lets a transaction down."""

import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from attrs import define, evolve, field

from tests.storage.postgres_fixture import (
    PATIENT,
    SHORT,
    Gate,
    note,
    notes,
    open_with_tables,
)
from trt.storage.database import Transaction
from trt.storage.errors import CommitUnknown, DatabaseUnavailable, DatabaseUnopenable
from trt.storage.postgres import PostgresDatabase, open_postgres
from trt.testing.postgres_install import new_folder
from trt.testing.postgres_server import PostgresServer, open_postgres_server

# A connection that breaks before the COMMIT.


async def test_a_backend_that_is_ended_in_mid_transaction_costs_a_second_run(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    pids: list[int] = []

    def lose_the_first(tx: Transaction) -> int:
        [pid] = tx.execute("SELECT pg_backend_pid()").one()
        pids.append(pid)
        note(tx, 1)
        if len(pids) == 1:
            with postgres_server.admin() as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return note(tx, 2)

    async with open_with_tables(postgres_url) as database:
        assert await database.transact(lose_the_first) == 2
        assert await database.transact(notes) == [1, 2]
        assert database.statistics().failed == 0
    first, second = pids
    assert first != second


async def test_idle_connections_that_a_restart_broke_are_not_noticed_by_anyone(
    own_server: PostgresServer, own_url: str
) -> None:
    async with open_with_tables(own_url, timeouts=PATIENT) as database:
        async with trio.open_nursery() as nursery:
            for n in range(4):
                nursery.start_soon(database.transact, note, n)
        await trio.to_thread.run_sync(own_server.restart, "immediate")
        async with trio.open_nursery() as nursery:
            for n in range(4, 8):
                nursery.start_soon(database.transact, note, n)
        assert await database.transact(notes) == list(range(8))
        assert database.statistics().failed == 0


async def test_a_transaction_waits_for_a_server_that_comes_back_but_not_for_ever(
    own_server: PostgresServer, own_url: str
) -> None:
    async with open_with_tables(own_url, timeouts=PATIENT, pool_max=2) as database:
        own_server.stop()
        async with trio.open_nursery() as nursery:
            for n in range(10):
                nursery.start_soon(database.transact, note, n)
            await trio.testing.wait_all_tasks_blocked(0.05)
            await trio.to_thread.run_sync(own_server.start)
        assert await database.transact(notes) == list(range(10))

    async with open_postgres(own_url, timeouts=SHORT, pool_max=2) as impatient:
        own_server.stop()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(refused, impatient, note)
        # Two may wait inside while eight wait outside; nobody waits for all who came before.
        assert 1.4 < trio.current_time() - began < 4
        own_server.start()


async def refused(
    database: PostgresDatabase, work: Callable[[Transaction, int], object]
) -> DatabaseUnavailable:
    with pytest.raises(DatabaseUnavailable) as caught:
        await database.transact(work, 1)
    return caught.value


async def test_a_process_that_stops_in_mid_transaction_loses_its_locks_and_its_writes(
    postgres_url: str,
) -> None:
    runs: list[int] = []
    too_long = threading.Event()

    def fall_asleep_once(tx: Transaction) -> int:
        runs.append(1)
        note(tx, 1)
        if len(runs) == 1:
            too_long.wait(0.3)
        return note(tx, 2)

    timeouts = evolve(SHORT, idle_in_transaction_s=0.1)
    async with open_with_tables(postgres_url, timeouts=timeouts) as database:
        assert await database.transact(fall_asleep_once) == 2
        assert len(runs) == 2
        assert await database.transact(notes) == [1, 2]


async def test_a_server_that_only_reads_is_left_for_one_that_writes(postgres_url: str) -> None:
    async with open_with_tables(postgres_url, pool_max=1) as database:
        await database.transact(
            lambda tx: tx.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        )
        assert "25006" in str(await refused(database, note))
        await database.transact(note, 2)
        assert await database.transact(notes) == [2]


# A server that answers late, or no more.


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("SELECT pg_sleep(20)", "statement timeout", id="a slow statement"),
        pytest.param("UPDATE notes SET said = 'x' WHERE n = 1", "lock timeout", id="a locked row"),
    ],
)
async def test_the_server_ends_what_takes_too_long(postgres_url: str, sql: str, told: str) -> None:
    gate = Gate()

    def lock_the_row(tx: Transaction) -> None:
        tx.execute("UPDATE notes SET said = 'y' WHERE n = 1")
        gate.note(tx, 2)

    timeouts = evolve(SHORT, idle_in_transaction_s=5.0)
    async with open_with_tables(postgres_url, timeouts=timeouts) as database:
        await database.transact(note, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.transact, lock_the_row)
            await gate.wait_reached()
            with pytest.raises(DatabaseUnavailable, match=told):
                await database.transact(lambda tx: tx.execute(sql))
            gate.opened.set()
        assert await database.transact(notes) == [1, 2]


async def test_a_frozen_server_holds_nobody_beyond_the_deadline(
    own_server: PostgresServer, own_url: str
) -> None:
    async with open_with_tables(own_url, timeouts=SHORT, pool_max=2) as database:
        own_server.freeze()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(refused, database, note)
        assert trio.current_time() - began < 4
        own_server.thaw()
        await database.transact(note, 2)
        assert await database.transact(notes) == [2]


async def test_connecting_to_a_server_that_says_nothing_is_bounded_and_can_be_cancelled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://trt@127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(DatabaseUnopenable, match="the server says nothing"):
            async with open_postgres(url, timeouts=SHORT):
                pass
        began = trio.current_time()
        with trio.move_on_after(0.1):
            async with open_postgres(url):
                pass
        assert trio.current_time() - began < 1


async def test_a_server_without_room_for_us_makes_us_share_what_we_have() -> None:
    settings = {"max_connections": "5", "superuser_reserved_connections": "2"}
    with open_postgres_server(settings=settings) as server, server.fresh_database() as url:
        async with open_with_tables(url, timeouts=PATIENT, pool_max=8) as database:
            async with trio.open_nursery() as nursery:
                for n in range(100):
                    nursery.start_soon(database.transact, note, n)
            assert await database.transact(notes) == list(range(100))
            assert database.statistics().failed == 0


# A server without room on its disk.


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = new_folder()
    owner = folder.stat()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "none", folder],
        capture_output=True,
        check=False,
    )
    try:
        if mounted.returncode != 0:
            pytest.skip("this machine does not let us mount a file system")
        shutil.chown(folder, owner.st_uid, owner.st_gid)
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["/bin/umount", "--lazy", folder], check=True)
        folder.rmdir()


async def test_a_full_disk_refuses_and_keeps_what_was_told_as_kept(
    own_server: PostgresServer, own_url: str, small_disk: Path
) -> None:
    def create(tx: Transaction) -> None:
        tx.execute("CREATE TABLE files (n BIGINT, data BYTEA) TABLESPACE small")

    def write(tx: Transaction, n: int) -> None:
        tx.execute("INSERT INTO files VALUES (:n, :data)", {"n": n, "data": os.urandom(100_000)})

    def files(tx: Transaction) -> list[int]:
        return [n for (n,) in tx.execute("SELECT n FROM files WHERE length(data) > 0 ORDER BY n")]

    with own_server.admin() as admin:
        admin.execute(f"CREATE TABLESPACE small OWNER trt LOCATION '{small_disk}'")
    async with open_postgres(own_url, timeouts=PATIENT) as database:
        await database.transact(create)
        written: list[int] = []

        async def fill() -> None:
            for n in range(100):
                await database.transact(write, n)
                written.append(n)

        with pytest.raises(DatabaseUnavailable, match="53100"):
            await fill()
        assert 0 < len(written) < 100
        assert await database.transact(files) == written
        await database.transact(lambda tx: tx.execute("DROP TABLE files"))
        await database.transact(create)
        await database.transact(write, 1)
        assert await database.transact(files) == [1]


async def test_a_query_beyond_its_share_of_the_disk_is_refused(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    def sort_much(tx: Transaction) -> None:
        tx.execute("SET LOCAL work_mem = '64kB'")
        tx.execute("SELECT n FROM generate_series(1, 100000) AS n ORDER BY -n")

    with postgres_server.admin() as admin:
        admin.execute("ALTER ROLE trt SET temp_file_limit = '100kB'")
        try:
            async with open_postgres(postgres_url, timeouts=PATIENT) as database:
                with pytest.raises(DatabaseUnavailable, match="53400"):
                    await database.transact(sort_much)
        finally:
            admin.execute("ALTER ROLE trt RESET temp_file_limit")


# Everything at once.


@define
class Account:
    """What many writers were told, each about its number."""

    acknowledged: set[int] = field(factory=set)
    refused: set[int] = field(factory=set)
    unknown: set[int] = field(factory=set)
    _numbers: Iterator[int] = field(factory=itertools.count)
    _goal: int = 0
    _reached: trio.Event = field(factory=trio.Event)

    async def write(self, database: PostgresDatabase) -> None:
        n = next(self._numbers)
        try:
            await database.transact(note, n)
        except CommitUnknown:
            self.unknown.add(n)
        except DatabaseUnavailable:
            self.refused.add(n)
        else:
            self.acknowledged.add(n)
            if len(self.acknowledged) >= self._goal:
                self._reached.set()

    async def wait_for_more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        self._goal = len(self.acknowledged) + count
        self._reached = trio.Event()
        with trio.fail_after(20):
            await self._reached.wait()


async def test_under_a_crash_of_the_server_every_acknowledgement_is_true(
    own_server: PostgresServer, own_url: str
) -> None:
    """Fifty writers, three crashes: what was acknowledged is there, what was refused is not."""
    told = Account()
    is_over = False

    async def write_on(database: PostgresDatabase) -> None:
        while not is_over:
            await told.write(database)

    async with open_with_tables(own_url, timeouts=PATIENT, pool_max=8) as database:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(write_on, database)
            for _ in range(3):
                await told.wait_for_more(200)
                await trio.to_thread.run_sync(own_server.restart, "immediate")
            await told.wait_for_more(200)
            is_over = True
        there = set(await database.transact(notes))
    assert told.acknowledged <= there
    assert not told.refused & there
    assert there <= told.acknowledged | told.unknown
    # At most what was in flight at the three crashes.
    assert len(told.unknown) + len(told.refused) <= 3 * 8
