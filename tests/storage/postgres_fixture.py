"""Small tables, short timeouts and signals for the tests of the PostgreSQL engine itself."""

import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import trio
from attrs import Factory, evolve, frozen
from psycopg.conninfo import conninfo_to_dict

from trt.storage.database import Database, Transaction
from trt.storage.postgres import PostgresDatabase, open_postgres
from trt.storage.postgres_connection import PostgresTimeouts
from trt.testing.postgres_server import PostgresServer
from trt.testing.tcp_proxy import Direction, Rewrite, TcpProxy, open_tcp_proxy

LEASE = "active"
EPOCH = 7
COMMIT = b"COMMIT\0"
"""How it travels; the name of our isolation level holds the word as well."""
SHORT = PostgresTimeouts(
    deadline_s=1.5, statement_s=0.6, lock_s=0.3, idle_in_transaction_s=0.5, connect_s=1.0
)
PATIENT = evolve(SHORT, deadline_s=6.0)
UNHURRIED = PostgresTimeouts(
    deadline_s=20.0, statement_s=15.0, lock_s=10.0, idle_in_transaction_s=10.0
)
"""For what is not about time, however slow the machine."""
_TABLES = f"""
CREATE TABLE fences (name TEXT PRIMARY KEY, epoch BIGINT);
INSERT INTO fences VALUES ('{LEASE}', {EPOCH});
CREATE TABLE notes (n BIGINT PRIMARY KEY, said TEXT NOT NULL DEFAULT '');
"""


@asynccontextmanager
async def open_with_tables(
    url: str, *, timeouts: PostgresTimeouts = UNHURRIED, pool_max: int = 4
) -> AsyncIterator[PostgresDatabase]:
    """Make the tables past any proxy's reach, then open the database."""
    async with open_postgres(url, timeouts=timeouts, pool_max=pool_max) as database:
        await database.transact(lambda tx: tx.execute(_TABLES))
        yield database


def note(tx: Transaction, n: int) -> int:
    tx.execute("INSERT INTO notes (n) VALUES (:n)", {"n": n})
    return n


def notes(tx: Transaction) -> list[int]:
    return [n for (n,) in tx.execute("SELECT n FROM notes ORDER BY n")]


@frozen
class Gate:
    """Work that stops in its middle until the test lets it go on."""

    reached: threading.Event = Factory(threading.Event)
    opened: threading.Event = Factory(threading.Event)

    def note(self, tx: Transaction, n: int) -> int:
        note(tx, n)
        self.reached.set()
        assert self.opened.wait(10)
        return n

    async def wait_reached(self) -> None:
        assert await trio.to_thread.run_sync(self.reached.wait, 10)


def as_a_pooler(direction: Direction, data: bytes) -> bytes:
    """Give every client a process number that is not the server's, as poolers do."""
    if direction == "to_client":
        # PostgreSQL, "Message Formats": BackendKeyData with its length, then the number.
        return re.sub(rb"(?s)K\x00\x00\x00\x0c....", b"K\x00\x00\x00\x0c\x00\x00\x00\x01", data)
    return data


@contextmanager
def proxied(url: str, rewrite: Rewrite | None = None) -> Iterator[tuple[TcpProxy, str]]:
    """A way to the database that the test may cut."""
    port = int(str(conninfo_to_dict(url)["port"]))
    with open_tcp_proxy(port, rewrite=rewrite or (lambda _, data: data)) as proxy:
        yield proxy, url.replace(f":{port}/", f":{proxy.port}/")


async def wait_for_a_lock_wait(server: PostgresServer, database: Database) -> None:
    """Return as soon as some transaction of the database waits for a lock."""
    name = await database.transact(lambda tx: tx.execute("SELECT current_database()").one()[0])
    with server.admin() as admin:
        for _ in range(500):
            if _lock_waits(admin, name):
                return
            await trio.sleep(0.01)
    raise AssertionError("nobody waits for a lock")


def _lock_waits(admin: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    found = admin.execute(
        "SELECT 1 FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'", [name]
    )
    return found.fetchone() is not None
