"""A standby rehearses: its statements are prepared, and nothing of it is kept."""

import threading
from datetime import UTC, datetime
from typing import Any, cast

import trio
import trio.testing

from trt.actors.reception import Reception
from trt.actors.rehearsal import TIMES, Rehearsal, RehearsalParts
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
from trt.supervision import Child, Supervisor, Tree
from trt.testing.virtual_time import VirtualSources
from trt.testing.world import ENVIRONMENT

SEATS = 2


def rehearsal(db: Database) -> Rehearsal:
    config = read_config(ENVIRONMENT)
    assert isinstance(config, Config)
    sources = VirtualSources(0)
    reception = Reception(bot_id=BotId(7), shards=1, sources=sources)
    return Rehearsal(
        RehearsalParts(
            db=db,
            seats=SEATS,
            receive=reception.receive,
            sources=sources,
            shop=load_shop(config, asset("registry")),
            shard=Shard(0),
        )
    )


async def play(db: Database) -> None:
    """Run a rehearsal to its end."""
    ended = trio.Event()

    class ToItsEnd:
        async def run(self, ctx: Any) -> None:
            await rehearsal(db).run(ctx)
            ended.set()
            await ctx.wait_stopping()

    tree = Tree(Supervisor("root", [Child("rehearsal", ToItsEnd())]), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await ended.wait()
        tree.request_stop()


def rows_kept(tx: Transaction) -> dict[str, int]:
    tables = tx.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
    return {name: int(tx.execute(f"SELECT count(*) FROM {name}").one()[0]) for (name,) in tables}


def prepared(tx: Transaction) -> set[str]:
    """Return the verbs and tables of what is prepared on this connection."""
    found = tx.execute("SELECT statement FROM pg_prepared_statements")
    return {" ".join(str(text).split()[:3]) for (text,) in found}


async def test_it_prepares_statements_on_every_connection_and_keeps_nothing(
    postgres_url: str,
) -> None:
    migrate(
        PostgresAddress(Secret(postgres_url)),
        asset("migrations"),
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
    async with open_postgres(postgres_url, pool_max=SEATS) as db:
        before = await db.transact(rows_kept)
        await play(db)
        assert await db.transact(rows_kept) == before
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
    child = Child("rehearsal", rehearsal(cast("Database", db)))
    tree = Tree(Supervisor("root", [child]), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.testing.wait_all_tasks_blocked()
        tree.request_stop()
        await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
    assert db.asked == SEATS < SEATS * TIMES
