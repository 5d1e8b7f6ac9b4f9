"""The connections are all there before somebody needs them, and never more than there may be."""

from collections.abc import Iterator

import psycopg
import pytest
import trio

from tests.storage.postgres_fixture import UNHURRIED, Gate, notes
from trt.storage.database import Transaction
from trt.storage.postgres import open_postgres
from trt.testing.postgres_server import PostgresServer

OURS = "trt/test"
SEATS = 3


@pytest.fixture
def admin(postgres_server: PostgresServer) -> Iterator[psycopg.Connection[tuple[int]]]:
    with postgres_server.admin() as opened:
        yield opened


def sessions(admin: psycopg.Connection[tuple[int]]) -> set[int]:
    """Return the process numbers of the sessions that the server has for us."""
    found = admin.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [OURS])
    return {pid for (pid,) in found}


def end(admin: psycopg.Connection[tuple[int]], pids: set[int]) -> None:
    for pid in pids:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_all_connections_are_open_before_the_first_transaction(
    admin: psycopg.Connection[tuple[int]], postgres_url: str
) -> None:
    async with open_postgres(postgres_url, pool_max=SEATS, application_name=OURS):
        assert len(sessions(admin)) == SEATS


@pytest.mark.parametrize("ended", [1, SEATS])
async def test_connections_that_the_server_has_ended_are_made_again_ahead(
    admin: psycopg.Connection[tuple[int]], postgres_url: str, ended: int
) -> None:
    async with open_postgres(postgres_url, pool_max=SEATS, application_name=OURS) as db:
        before = sessions(admin)
        end(admin, set(sorted(before)[:ended]))
        assert len(sessions(admin)) == SEATS - ended
        assert await db.open_seats() == SEATS
        assert len(sessions(admin)) == SEATS
        assert len(sessions(admin) & before) == SEATS - ended


async def test_a_connection_at_work_has_its_seat_whoever_fills_the_others(
    admin: psycopg.Connection[tuple[int]], postgres_url: str
) -> None:
    gate, pids = Gate(), set[int]()

    def work(tx: Transaction) -> None:
        pids.add(tx.execute("SELECT pg_backend_pid()").one()[0])
        gate.note(tx, 1)

    async with open_postgres(
        postgres_url, pool_max=SEATS, application_name=OURS, timeouts=UNHURRIED
    ) as db:
        await db.transact(lambda tx: tx.execute("CREATE TABLE notes (n BIGINT)"))
        async with trio.open_nursery() as working:
            working.start_soon(db.transact, work)
            await gate.wait_reached()
            end(admin, sessions(admin) - pids)
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(db.open_seats)
            assert len(sessions(admin)) == SEATS
            assert sessions(admin) > pids
            gate.opened.set()
        assert await db.transact(notes) == [1]
