"""A standby rehearses: its statements are prepared, and nothing of it is kept."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import pytest
import trio
import trio.testing
from typing_extensions import override

from trt.actors.bells import Bell, Bells
from trt.actors.reception import Reception
from trt.actors.rehearsal import TIMES, Rehearsal, RehearsalParts
from trt.actors.wake_ups import WakeUps
from trt.app import load_shop
from trt.assets import asset
from trt.config import Config, read_config
from trt.domain.ids import BotId, Shard
from trt.secret import Secret
from trt.storage.database import Database, Transaction
from trt.storage.engines import PostgresAddress
from trt.storage.errors import DatabaseUnavailable
from trt.storage.migrate import migrate
from trt.storage.postgres import open_postgres
from trt.storage.postgres_listener import PostgresListener
from trt.supervision import Child, Restart, Supervisor, Tree
from trt.telemetry.stream import EventStream
from trt.testing.postgres_server import PostgresServer
from trt.testing.virtual_time import VirtualSources
from trt.testing.world import ENVIRONMENT, world

SEATS = 2
OURS = "trt/test"
PATIENCE_S = 20.0

OpenSeats = Callable[[], Awaitable[int]]


class HeardBell(Bell):
    """Counts how often its listener comes to it; what a ring has caused is over by then."""

    def __init__(self) -> None:
        super().__init__()
        self.came = 0
        self._news = trio.Event()

    @override
    async def wait(self) -> None:
        self.came += 1
        self._news.set()
        self._news = trio.Event()
        await super().wait()

    async def wait_rehearsed(self, times: int) -> None:
        with trio.fail_after(PATIENCE_S):
            while self.came <= times:
                await self._news.wait()


class OneBell(Bells):
    """Bells that know one bell, whoever asked for it."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self._bells["any"] = bell


async def two_seats() -> int:
    return SEATS


def rehearsal(db: Database, opened: Bell, open_seats: OpenSeats = two_seats) -> Rehearsal:
    config = read_config(ENVIRONMENT)
    assert isinstance(config, Config)
    sources = VirtualSources(0)
    reception = Reception(bot_id=BotId(7), shards=1, sources=sources)
    return Rehearsal(
        RehearsalParts(
            db=db,
            opened=opened,
            open_seats=open_seats,
            receive=reception.receive,
            sources=sources,
            shop=load_shop(config, asset("registry")),
            shard=Shard(0),
        )
    )


@asynccontextmanager
async def running(*children: Child[None]) -> AsyncIterator[None]:
    tree = Tree(Supervisor("root", children), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        yield
        tree.request_stop()


async def play(db: Database) -> None:
    """Rehearse once, to the end."""
    opened = HeardBell()
    opened.ring()
    async with running(Child("rehearsal", rehearsal(db, opened))):
        await opened.wait_rehearsed(1)


def rows_kept(tx: Transaction) -> dict[str, int]:
    tables = tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    return {name: int(tx.execute(f"SELECT count(*) FROM {name}").one()[0]) for (name,) in tables}


def prepared(tx: Transaction) -> set[str]:
    """Return the verbs and tables of what is prepared on this connection."""
    found = tx.execute("SELECT statement FROM pg_prepared_statements")
    return {" ".join(str(text).split()[:3]) for (text,) in found}


@pytest.fixture
def migrated_url(postgres_url: str) -> str:
    migrate(
        PostgresAddress(Secret(postgres_url)),
        asset("migrations"),
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return postgres_url


async def check_seats(db: Database) -> None:
    """Assert that everybody who comes finds the statements prepared, all at the same time."""
    looks: list[set[str]] = []
    all_inside = threading.Barrier(SEATS)

    def look_together(tx: Transaction) -> set[str]:
        all_inside.wait(10.0)  # each on a connection of its own
        return prepared(tx)

    async def look() -> None:
        looks.append(await db.transact(look_together))

    async with trio.open_nursery() as nursery:
        for _ in range(SEATS):
            nursery.start_soon(look)
    for statements in looks:
        assert {"INSERT INTO inbox", "INSERT INTO outbox", "UPDATE outbox SET"} <= statements
        assert any(statement.startswith("INSERT INTO sessions") for statement in statements)


async def test_it_prepares_statements_on_every_connection_and_keeps_nothing(
    migrated_url: str,
) -> None:
    async with open_postgres(migrated_url, pool_max=SEATS) as db:
        before = await db.transact(rows_kept)
        await play(db)
        assert await db.transact(rows_kept) == before
        await check_seats(db)


async def test_it_comes_again_when_all_connections_were_ended(
    postgres_server: PostgresServer, migrated_url: str
) -> None:
    opened = HeardBell()
    ears = PostgresListener(migrated_url, application_name=OURS)
    wake_ups = WakeUps(ears, OneBell(opened), EventStream(VirtualSources(0), ()))
    async with open_postgres(migrated_url, pool_max=SEATS, application_name=OURS) as db:
        async with running(
            Child("wake_ups", wake_ups, grace_s=1.0),
            Child("rehearsal", rehearsal(db, opened, db.open_seats), restart=Restart.TEMPORARY),
        ):
            await opened.wait_rehearsed(1)
            with postgres_server.admin() as admin:
                ended = admin.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = %s",
                    [OURS],
                )
            assert ended.rowcount == SEATS + 1
            await opened.wait_rehearsed(2)
        await check_seats(db)
        assert db.statistics().failed == 0


async def test_a_standby_rehearses_once_for_each_opening_of_its_ears(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_s: list[float] = []

    async def open_seats() -> int:
        asked_s.append(trio.current_time())
        return 0

    monkeypatch.setattr("trt.testing.world.no_seats", open_seats)
    async with world() as w:
        await w.settled()
        w.bus.break_off()
        await w.settled()
        assert not asked_s, "it leads"
        standby = await w.start()
        await w.settled()
        assert len(asked_s) == 1
        w.bus.break_off()
        await w.settled()
        assert len(asked_s) == 2
        await w.instances[0].stop()
        await w.settled()
        assert standby.leads()
        for _ in range(2):
            w.bus.break_off()
            await w.settled()
        assert len(asked_s) == 2
        await w.depose()
        await w.settled()
        assert len(asked_s) == 3, "its turn came with the next passive life"


class StalledDatabase:
    """Cannot do anything, or does not answer before it is told to."""

    def __init__(self, *, answers: bool) -> None:
        self.asked = 0
        self.opens = trio.Event()
        self._answers = answers

    async def transact(self, *_: object) -> None:
        self.asked += 1
        if self._answers:
            raise DatabaseUnavailable("not now")
        await self.opens.wait()


async def test_a_database_that_cannot_do_it_now_is_left_alone() -> None:
    db = StalledDatabase(answers=True)
    await play(cast("Database", db))
    assert db.asked == SEATS


async def test_a_stop_comes_between_two_times() -> None:
    db = StalledDatabase(answers=False)
    opened = Bell()
    opened.ring()
    child = Child("rehearsal", rehearsal(cast("Database", db), opened))
    tree = Tree(Supervisor("root", [child]), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.testing.wait_all_tasks_blocked()
        tree.request_stop()
        await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
    assert db.asked == SEATS < SEATS * TIMES
