"""Two instances that lead a shard each, and what no transaction of theirs may do."""

from trt.domain.ids import UserId
from trt.domain.shard import shard_of
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import Instance, World

TABLES = ("inbox", "outbox", "sessions", "jobs", "transfers", "payments", "topups")


async def each_leads_one(w: World) -> tuple[Instance, Instance]:
    """Return the instance that leads shard 0 and the one that leads shard 1; writes are watched."""
    first, second = w.bot, await w.start()
    await w.settled(1)
    assert [first.leads(0), first.leads(1)] == [True, True]
    await w.depose(1)
    await w.settled(3)
    assert [first.leads(0), first.leads(1)] == [True, False]
    assert [second.leads(0), second.leads(1)] == [False, True]
    await watch_writes(w)
    return first, second


def users_of(w: World, shard: int) -> list[FakeUser]:
    """Return two users of a shard."""
    users = [w.telegram.user(first_name=f"Гость{n}") for n in range(24)]
    return [one for one in users if shard_of(UserId(one.user_id), 2) == shard][:2]


async def watch_writes(w: World) -> None:
    """Let the database note every row that is written under another epoch than its shard's."""
    await w.rows(
        "CREATE TABLE IF NOT EXISTS crossings (row_of TEXT, shard INTEGER, epoch INTEGER) STRICT"
    )
    for table in TABLES:
        for write in ("INSERT", "UPDATE"):
            await w.rows(
                f"""
                CREATE TRIGGER IF NOT EXISTS {table}_{write} AFTER {write} ON {table}
                WHEN NEW.epoch <> (SELECT epoch FROM fences WHERE name = 'shard-' || NEW.shard)
                BEGIN INSERT INTO crossings VALUES ('{table}', NEW.shard, NEW.epoch); END
                """
            )


async def assert_nothing_crossed(w: World) -> None:
    """Assert that since `watch_writes` each row was written under the lease of its own shard."""
    epochs = await w.rows("SELECT count(DISTINCT epoch) FROM fences")
    assert epochs == [(2,)], "or the two leaders could not be told apart"
    crossings = await w.rows("SELECT DISTINCT row_of, shard, epoch FROM crossings")
    assert not crossings, crossings
