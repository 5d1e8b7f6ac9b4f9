"""A PostgreSQL that goes bad under load: nothing is lost, and all is well again by itself."""

import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import trio

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
"""Longer than any statement may take."""
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
    """Statements wait for a lock until they run into their timeout."""
    with server.admin(database) as admin, admin.transaction():
        admin.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        await trio.sleep(LOCKED_S)


async def stall(place: Arena, server: PostgresServer, _: str) -> None:
    """Nothing answers for a while; Telegram is told to come back."""
    server.freeze()
    try:
        with trio.fail_after(STALL_S):
            for seat in (0, 1):
                refused = await post_one(place, seat, within_s=STALL_S)
                assert refused.status_code == 503
                assert refused.headers["retry-after"] == "1"
            await trio.sleep_forever()
    except trio.TooSlowError:
        pass  # that is when it ends
    finally:
        server.thaw()


TROUBLES: Mapping[str, Trouble] = {
    "restarted at once": restart_at_once,
    "every session ended": end_every_session,
    "connections used up": use_up_all_connections,
    "statements time out": lock_the_inbox,
    "stalled for 10 s": stall,
}


@pytest.fixture(scope="module")
def survived(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Survived]:
    """Live through one trouble after the other, with the same two instances all the time."""
    settings = {"max_connections": str(CONNECTIONS_MAX)}

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
