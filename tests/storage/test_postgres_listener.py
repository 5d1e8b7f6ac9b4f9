"""Wake-ups over PostgreSQL: heard once the transaction commits, in every process that listens."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from tests.storage.postgres_fixture import SHORT, as_a_pooler, open_with_tables, proxied
from trt.storage.database import Refusal, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.postgres_listener import PostgresListener
from trt.storage.wake_bus import NoWakeUps
from trt.testing.postgres_server import PostgresServer


def listener(url: str) -> PostgresListener:
    return PostgresListener(url, application_name="trt/test", timeouts=SHORT)


def say(tx: Transaction, *topics: str) -> None:
    for topic in topics:
        tx.notify(topic)


async def heard(topics: AsyncIterator[str], count: int) -> list[str]:
    with trio.fail_after(5):
        told: list[str] = []
        while len(told) < count:
            told.append(await anext(topics))
    return told


async def test_a_committed_topic_wakes_everybody_who_listens(postgres_url: str) -> None:
    async with (
        open_with_tables(postgres_url) as database,
        listener(postgres_url).topics() as one,
        listener(postgres_url).topics() as other,
    ):
        await database.transact(say, "inbox:0", "lease:shard-0")
        assert await heard(one, 2) == ["inbox:0", "lease:shard-0"]
        assert await heard(other, 2) == ["inbox:0", "lease:shard-0"]


async def test_what_is_not_committed_is_not_said(postgres_url: str) -> None:
    def say_and_refuse(tx: Transaction) -> Refusal:
        tx.notify("never")
        return Refusal()

    def say_and_break(tx: Transaction) -> None:
        tx.notify("never")
        raise LookupError

    async with (
        open_with_tables(postgres_url) as database,
        listener(postgres_url).topics() as topics,
    ):
        await database.transact(say_and_refuse)
        with pytest.raises(LookupError):
            await database.transact(say_and_break)
        await database.transact(say, "said")
        assert await heard(topics, 1) == ["said"]


async def test_topics_that_arrive_together_come_once_each(postgres_url: str) -> None:
    async with (
        open_with_tables(postgres_url) as database,
        listener(postgres_url).topics() as topics,
    ):
        await database.transact(say, "first")
        assert await heard(topics, 1) == ["first"]
        # Nobody reads while these are said.
        for _ in range(20):
            await database.transact(say, "a", "b")
        await database.transact(say, "end")
        arrived: list[str] = []
        while arrived[-1:] != ["end"]:
            arrived += await heard(topics, 1)
        assert set(arrived) == {"a", "b", "end"}
        assert len(arrived) < 41


async def test_a_listener_waits_in_no_thread_and_can_be_cancelled(postgres_url: str) -> None:
    limiter = trio.to_thread.current_default_thread_limiter()
    async with listener(postgres_url).topics() as topics:
        with trio.move_on_after(5) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(anext, topics)
                await trio.testing.wait_all_tasks_blocked()
                assert limiter.borrowed_tokens == 0
                scope.cancel()
        assert scope.cancelled_caught


async def test_a_connection_that_breaks_is_told_and_the_next_one_hears_again(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    ears = listener(postgres_url)
    async with open_with_tables(postgres_url) as database:
        async with ears.topics() as topics:
            with postgres_server.admin() as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'trt/test'"
                )
            with pytest.raises(DatabaseUnavailable, match="nothing is heard"), trio.fail_after(5):
                await anext(topics)
        async with ears.topics() as topics:
            await database.transact(say, "again")
            assert await heard(topics, 1) == ["again"]


async def test_a_server_that_is_not_there_is_unavailable(postgres_url: str) -> None:
    with proxied(postgres_url) as (proxy, url):
        proxy.refuse()
        with pytest.raises(DatabaseUnavailable):
            async with listener(url).topics():
                pass


async def test_behind_a_pooler_nothing_is_heard(postgres_url: str) -> None:
    with proxied(postgres_url, as_a_pooler) as (_, url):
        async with open_with_tables(url) as database, listener(url).topics() as topics:
            await database.transact(say, "unheard")
            with trio.move_on_after(0.1) as scope:
                await anext(topics)
            assert scope.cancelled_caught


async def test_without_wake_ups_one_sleeps_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    async with NoWakeUps().topics() as topics:
        with trio.move_on_after(1e6) as scope:
            await anext(topics)
        assert scope.cancelled_caught
