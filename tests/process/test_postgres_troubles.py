"""A PostgreSQL that goes bad under load: nothing is lost, and all is well again by itself."""

import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import trio
from psycopg.errors import QueryCanceled

from tests.process.two_instances import Survived, live_through, post_one
from trt.bench.failover import arena
from trt.bench.failover_database import PostgresDatabase, postgres_database
from trt.bench.failover_rounds import Arena
from trt.sources import SystemSources
from trt.testing.postgres_server import PostgresServer, open_postgres_server

CONNECTIONS_MAX = 40
STALL_S = 10.0
SHORT_S = 1.5
LOCKED_S = 6.0
"""Longer than any statement may wait for a lock."""
SLOW_S = 6.0
DAWDLES_S = 5.0
"""Longer than any statement may take."""
LOCK_TIMEOUT = "canceling statement due to lock timeout"
STATEMENT_TIMEOUT = "canceling statement due to statement timeout"
DEADLOCK = "deadlock detected"
DEADLOCK_TIMEOUT = "1s"
"""After so long a session looks once whether it waits for ever."""
SEEN_WITHIN_S = 10.0
LOOK_EVERY_S = 0.05
CRASHES_MAX = 20
"""Of actors, in both instances and one trouble: restarts with backoff are no storm."""

Trouble = Callable[[Arena, PostgresServer, str], Awaitable[None]]


async def restart_at_once(_: Arena, server: PostgresServer, __: str) -> None:
    await trio.to_thread.run_sync(server.restart, "immediate")


async def end_every_session(_: Arena, server: PostgresServer, database: str) -> None:
    with server.admin() as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database]
        ).rowcount
    assert ended > 4, "both instances had sessions"


async def use_up_all_connections(place: Arena, server: PostgresServer, database: str) -> None:
    """Others take each free connection, and then those that the instances had."""
    with ExitStack() as greedy:
        for round_number in range(2):
            if round_number:
                await end_every_session(place, server, database)
            take_all(server, greedy)
        await trio.sleep(SHORT_S)


def take_all(server: PostgresServer, greedy: ExitStack) -> None:
    for _ in range(CONNECTIONS_MAX):
        try:
            greedy.enter_context(psycopg.connect(server.url()))
        except psycopg.OperationalError:
            return
    raise AssertionError("the server has more connections than it should")


async def lock_the_inbox(_: Arena, server: PostgresServer, database: str) -> None:
    """Statements wait for a lock until they have waited too long."""
    before = times_said(server, LOCK_TIMEOUT)
    with server.admin(database) as admin, admin.transaction():
        admin.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        await trio.sleep(LOCKED_S)
    assert times_said(server, LOCK_TIMEOUT) > before


async def slow_the_inbox_down(_: Arena, server: PostgresServer, database: str) -> None:
    """Statements have their locks, and run until they have run too long."""
    before = times_said(server, STATEMENT_TIMEOUT)
    with server.admin(database) as admin:
        admin.execute(f"""
            CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql
              AS 'BEGIN PERFORM pg_sleep({DAWDLES_S}); RETURN NULL; END';
            CREATE TRIGGER dawdle BEFORE INSERT ON inbox
              FOR EACH STATEMENT EXECUTE FUNCTION dawdle()
        """)
        await trio.sleep(SLOW_S)
        # It waits for those that are on their way.
        await trio.to_thread.run_sync(admin.execute, "DROP FUNCTION dawdle CASCADE")
    assert times_said(server, STATEMENT_TIMEOUT) > before


def times_said(server: PostgresServer, words: str) -> int:
    return server.log.read_text().count(words)


async def provoke_a_deadlock(_: Arena, server: PostgresServer, database: str) -> None:
    """Have what the service wants, and want what it has; it looks for deadlocks sooner."""
    before = times_said(server, DEADLOCK)
    with server.admin(database) as admin:
        admin.execute("SET deadlock_timeout = '10s'; SET statement_timeout = '3s'")
        # Those who come after the victim share the fence as well, and may keep us waiting for ever.
        with suppress(QueryCanceled), admin.transaction(force_rollback=True):
            admin.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
            with trio.fail_after(SEEN_WITHIN_S):
                while not somebody_waits_with_a_fence(admin):  # noqa: ASYNC110 - other processes
                    await trio.sleep(LOOK_EVERY_S)
            await trio.to_thread.run_sync(admin.execute, "UPDATE fences SET epoch = epoch")
    assert times_said(server, DEADLOCK) > before


def somebody_waits_with_a_fence(admin: psycopg.Connection[Any]) -> bool:
    waiting = admin.execute("""
        SELECT 1 FROM pg_locks AS wanted JOIN pg_locks AS fence USING (pid)
        WHERE wanted.relation = 'sessions'::regclass AND NOT wanted.granted
        AND fence.relation = 'fences'::regclass AND fence.granted
    """)
    return waiting.fetchone() is not None


async def stall(place: Arena, server: PostgresServer, _: str) -> None:
    """Nothing answers for a while; Telegram is told to come back, by both instances."""
    told: list[tuple[int, str | None]] = []

    async def post(seat: int) -> None:
        answer = await post_one(place, seat, within_s=2 * STALL_S)
        told.append((answer.status_code, answer.headers.get("retry-after")))

    server.freeze()
    try:
        async with trio.open_nursery() as nursery:
            for seat in (0, 1):
                nursery.start_soon(post, seat)
            await trio.sleep(STALL_S)
            nursery.cancel_scope.cancel()
    finally:
        server.thaw()
    assert told == [(503, "1"), (503, "1")]


TROUBLES: Mapping[str, Trouble] = {
    "restarted at once": restart_at_once,
    "every session ended": end_every_session,
    "connections used up": use_up_all_connections,
    "locks time out": lock_the_inbox,
    "statements time out": slow_the_inbox_down,
    "deadlocked": provoke_a_deadlock,
    "stalled for 10 s": stall,
}


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Survived]:
    """Live through one trouble after the other, with the same two instances all the time."""
    settings = {
        "max_connections": str(CONNECTIONS_MAX),
        "deadlock_timeout": DEADLOCK_TIMEOUT,
    }

    async def live_through_all(database: PostgresDatabase) -> Mapping[str, Survived]:
        folder = tmp_path_factory.mktemp("troubles")
        async with arena(folder, database, SystemSources()) as place:
            return {
                name: await live_through(
                    place, partial(trouble, place, database.server, database.name)
                )
                for name, trouble in TROUBLES.items()
            }

    with (
        open_postgres_server(settings=settings) as server,
        postgres_database(server, can_be_cut=False) as database,
    ):
        return trio.run(live_through_all, database)


@pytest.mark.parametrize("name", TROUBLES)
def test_nothing_is_lost_and_all_is_well_again_by_itself(
    name: str, survived: Mapping[str, Survived]
) -> None:
    left = survived[name]
    assert not left.ended
    assert not left.accounts.problems
    assert left.accounts.is_balanced
    assert left.accounts.updates > 50


@pytest.mark.parametrize("name", TROUBLES)
def test_there_is_no_storm_of_restarts(name: str, survived: Mapping[str, Survived]) -> None:
    assert survived[name].given_up == 0
    assert survived[name].crashes <= CRASHES_MAX


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    with (
        small_file_system() as folder,
        open_postgres_server(folder=folder) as server,
        postgres_database(server, can_be_cut=False) as database,
    ):
        left = trio.run(fill_up, tmp_path, database, folder)
    assert not left.ended
    assert not left.accounts.problems
    assert left.statuses[503] > 0, "the disk was full"
    assert left.given_up == 0


async def fill_up(logs: Path, database: PostgresDatabase, folder: Path) -> Survived:
    filler = folder / "filler"

    async def fill() -> None:
        with filler.open("wb", buffering=0) as file:
            free = shutil.disk_usage(folder).free
            file.write(bytes(free))
        await trio.sleep(SHORT_S)
        filler.unlink()
        if not database.server.is_running:  # a log that cannot be written ends it
            await trio.to_thread.run_sync(database.server.start)

    async with arena(logs, database, SystemSources()) as place:
        return await live_through(place, fill)


@contextmanager
def small_file_system() -> Iterator[Path]:
    """Mount a small file system in memory, or skip the test where that is not allowed."""
    with TemporaryDirectory(prefix="trt-small-") as made:
        folder = Path(made)
        folder.chmod(0o755)  # the server runs as somebody else, and pytest's folders are closed
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode != 0:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
