"""The server of the tests: real, quick to start, broken at will, and gone with its parent."""

import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from trt.testing import postgres_install
from trt.testing.postgres_install import PostgresServerFailed, programs
from trt.testing.postgres_server import PostgresServer, open_postgres_server

REPOSITORY = Path(__file__).parents[2]
_ORPHAN = """
import os, signal, sys
from trt.testing.postgres_server import open_postgres_server
with open_postgres_server() as server:
    print(server.port, server.data, flush=True)
    if "frozen" in sys.argv:
        server.freeze()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with open_postgres_server() as opened:
        yield opened


def numbers(server: PostgresServer) -> list[int]:
    with server.admin() as admin:
        return [n for (n,) in admin.execute("SELECT n FROM kept ORDER BY n").fetchall()]


def test_what_was_committed_survives_every_way_to_stop(server: PostgresServer) -> None:
    with server.admin() as admin:
        admin.execute("CREATE TABLE kept (n BIGINT)")
        admin.execute("INSERT INTO kept VALUES (1)")
    for mode in ("smart", "fast", "immediate"):
        server.restart(mode)
        assert numbers(server) == [1]
    server.kill()
    assert not server.is_running
    with pytest.raises(psycopg.OperationalError):
        server.admin()
    server.start()
    assert numbers(server) == [1]


def test_a_frozen_server_answers_nothing_until_it_is_thawed(server: PostgresServer) -> None:
    with server.admin() as admin:
        server.freeze()
        admin.pgconn.send_query(b"SELECT 1")
        readable, _, _ = select.select([admin.pgconn.socket], [], [], 0.05)
        assert not readable
        server.thaw()
        result = admin.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"1"
        assert admin.pgconn.get_result() is None


def test_a_fresh_database_is_empty_belongs_to_an_ordinary_role_and_goes_away(
    server: PostgresServer,
) -> None:
    with server.fresh_database() as url, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE mine (n BIGINT)")
        row = connection.execute(
            "SELECT count(*), bool_or(rolsuper) FROM pg_tables"
            " JOIN pg_roles ON rolname = tableowner WHERE schemaname = 'public'"
        ).fetchone()
        assert row == (1, False)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(PostgresServerFailed, match="max_connections"),
        open_postgres_server(settings={"max_connections": "many"}),
    ):
        pass


@pytest.mark.parametrize("state", ["running", "frozen"])
def test_a_server_does_not_outlive_whoever_started_it(state: str) -> None:
    orphan = subprocess.run(
        [sys.executable, "-c", _ORPHAN, state],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert orphan.returncode == -signal.SIGKILL
    port, data = orphan.stdout.split()
    for _ in range(500):
        if not Path(data).parent.exists():
            break
        subprocess.run(["/bin/sleep", "0.01"], check=True)
    assert not Path(data).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://trt@127.0.0.1:{port}/postgres", connect_timeout=2)


def test_programs_that_the_server_user_cannot_reach_are_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_install, "_can_be_run", lambda _: False)
    programs.cache_clear()
    try:
        folder = programs()
        assert "site-packages" not in folder.parts
        assert (folder / "postgres").stat().st_mode & stat.S_IXOTH
        done = subprocess.run(
            [folder / "initdb", "--version"],
            check=False,
            capture_output=True,
            **postgres_install.as_server_user(),
        )
        assert done.returncode == 0
    finally:
        programs.cache_clear()
    assert os.access(programs() / "postgres", os.X_OK)
