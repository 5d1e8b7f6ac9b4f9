"""What the PostgreSQL engine promises while nothing is broken."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

import psycopg
import pytest
import trio
from attrs import frozen

from tests.storage.postgres_fixture import (
    SHORT,
    as_a_pooler,
    note,
    notes,
    open_with_tables,
    proxied,
)
from trt.storage.database import Refusal, Row, Transaction
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable
from trt.storage.postgres import PostgresDatabase, open_postgres
from trt.storage.postgres_connection import connect


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    async with open_with_tables(postgres_url) as opened:
        yield opened


@frozen
class TooLate(Refusal):
    why: str


class Colour(StrEnum):
    RED = "the red one"


class Size(IntEnum):
    LARGE = 3


# Values.


@pytest.mark.parametrize(
    ("column", "given", "kept"),
    [
        ("BIGINT", 5, 5),
        ("BIGINT", -(2**63), -(2**63)),
        ("BIGINT", True, 1),
        ("BIGINT", False, 0),
        ("BIGINT", Size.LARGE, 3),
        ("BIGINT", None, None),
        ("DOUBLE PRECISION", 1767323045.678901, 1767323045.678901),
        ("DOUBLE PRECISION", 2, 2.0),
        ("TEXT", "строка 'with' :marks ? and % 🎨", "строка 'with' :marks ? and % 🎨"),
        ("TEXT", Colour.RED, "the red one"),
        ("TEXT", None, None),
        ("BYTEA", b"\x00\xff'\\", b"\x00\xff'\\"),
        ("BYTEA", b"", b""),
    ],
)
async def test_values_come_back_as_they_went(
    database: PostgresDatabase, column: str, given: object, kept: object
) -> None:
    def both_ways(tx: Transaction) -> list[Row]:
        tx.execute(f"CREATE TABLE kept (name BIGINT PRIMARY KEY, value {column})")
        tx.execute("INSERT INTO kept VALUES (1, :value)", {"value": given})
        tx.execute("INSERT INTO kept VALUES (?, ?), (?, ?)", [2, given, 3, None])
        return list(tx.execute("SELECT value FROM kept ORDER BY name"))

    first, second, empty = await database.transact(both_ways)
    assert (first, second, empty) == ((kept,), (kept,), (None,))
    assert type(first[0]) is type(kept)


async def test_a_missing_value_may_stand_where_only_its_absence_is_asked(
    database: PostgresDatabase,
) -> None:
    def ask(tx: Transaction, n: int | None) -> list[Row]:
        return list(tx.execute("SELECT n FROM notes WHERE :n IS NULL OR n = :n", {"n": n}))

    def keep_or_set(tx: Transaction, said: str | None) -> Row:
        return tx.execute(
            "UPDATE notes SET said = COALESCE(:said, said) WHERE n = 1 RETURNING said",
            {"said": said},
        ).one()

    await database.transact(note, 1)
    await database.transact(note, 2)
    assert await database.transact(ask, None) == [(1,), (2,)]
    assert await database.transact(ask, 2) == [(2,)]
    assert await database.transact(keep_or_set, "yes") == ("yes",)
    assert await database.transact(keep_or_set, None) == ("yes",)


async def test_sums_are_whole_numbers_and_averages_are_floats(database: PostgresDatabase) -> None:
    def count_up(tx: Transaction) -> Row:
        for n in (1, 2, -9):
            note(tx, n)
        return tx.execute("SELECT sum(n), avg(n), avg(n) FILTER (WHERE n > 0) FROM notes").one()

    row = await database.transact(count_up)
    assert row == (-6, -2.0, 1.5)
    assert [type(value) for value in row] == [int, float, float]


async def test_the_count_is_how_many_rows_were_touched(database: PostgresDatabase) -> None:
    def touch(tx: Transaction) -> list[int]:
        inserted = tx.execute("INSERT INTO notes (n) VALUES (?), (?) RETURNING n", [1, 2])
        again = tx.execute("INSERT INTO notes (n) VALUES (?) ON CONFLICT DO NOTHING", [1])
        updated = tx.execute("UPDATE notes SET said = :said WHERE n > :n", {"said": "x", "n": 1})
        return [inserted.count, again.count, updated.count]

    assert await database.transact(touch) == [2, 0, 1]


async def test_the_clock_is_the_servers_and_goes_on_inside_a_transaction(
    database: PostgresDatabase,
) -> None:
    def look_twice(tx: Transaction) -> tuple[datetime, datetime, float]:
        first, second = tx.clock(), tx.clock()
        [unix] = tx.execute("SELECT extract(epoch FROM now())::float8").one()
        return first, second, unix

    first, second, began = await database.transact(look_twice)
    assert first.tzinfo is UTC
    assert 0 < (first.timestamp() - began) < 5
    assert first < second


# How a transaction ends.


async def test_a_refusal_is_handed_on_and_keeps_nothing(database: PostgresDatabase) -> None:
    def refuse(tx: Transaction) -> TooLate:
        note(tx, 1)
        return TooLate("closed")

    assert await database.transact(refuse) == TooLate("closed")
    assert await database.transact(notes) == []


async def test_an_exception_is_raised_as_it_is_and_keeps_nothing(
    database: PostgresDatabase,
) -> None:
    def break_down(tx: Transaction) -> None:
        note(tx, 1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await database.transact(break_down)
    assert await database.transact(notes) == []


async def test_an_error_that_the_work_swallowed_is_raised_all_the_same(
    database: PostgresDatabase,
) -> None:
    """The server would answer its COMMIT with a rollback."""

    def swallow(tx: Transaction) -> str:
        note(tx, 1)
        with pytest.raises(psycopg.errors.UniqueViolation):
            note(tx, 1)
        return "all is well"

    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.transact(swallow)
    assert await database.transact(notes) == []


async def test_a_transaction_that_was_ended_under_way_is_not_acknowledged(
    database: PostgresDatabase,
) -> None:
    def end_it(tx: Transaction) -> None:
        note(tx, 1)
        tx.execute("ROLLBACK")

    with pytest.raises(DatabaseUnavailable, match="was dropped"):
        await database.transact(end_it)
    assert await database.transact(notes) == []


async def test_a_broken_constraint_is_a_bug_whose_text_shows_no_row(
    database: PostgresDatabase,
) -> None:
    def forget(tx: Transaction) -> None:
        tx.execute("CREATE TABLE prompts (prompt TEXT, n BIGINT NOT NULL)")
        tx.execute("INSERT INTO prompts (prompt) VALUES (:prompt)", {"prompt": "a private wish"})

    with pytest.raises(psycopg.errors.NotNullViolation, match="not-null") as caught:
        await database.transact(forget)
    assert "a private wish" not in str(caught.value)

    def mistake(tx: Transaction) -> None:
        tx.execute("UPDATE notes SET n = :n", {"n": "a private wish"})

    with pytest.raises(psycopg.DataError, match="InvalidTextRepresentation") as mistaken:
        await database.transact(mistake)
    assert "a private wish" not in str(mistaken.value)


async def test_statistics_count_how_transactions_ended(database: PostgresDatabase) -> None:
    before = database.statistics()
    await database.transact(note, 1)
    await database.transact(lambda _: TooLate("closed"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.transact(note, 1)
    after = database.statistics()
    assert after.transactions - before.transactions == 3
    assert after.commits - before.commits == 1
    assert (after.refused, after.failed, after.waiting) == (1, 1, 0)
    assert (after.waiting_peak, after.group_peak) == (1, 1)


# Opening.


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://trt:s3cret@127.0.0.1:1/x",
        "postgresql://trt:s3cret@127.0.0.1:1/x?nonsense=1",
        "postgres//trt:s3cret@host/x",
    ],
)
async def test_a_server_that_is_not_there_is_told_without_the_password(url: str) -> None:
    with pytest.raises(DatabaseUnopenable, match="mend") as caught:
        async with open_postgres(url, timeouts=SHORT):
            pass
    assert "s3cret" not in str(caught.value)


async def test_the_name_by_which_others_may_end_our_sessions_is_the_one_given(
    postgres_url: str,
) -> None:
    async with open_postgres(f"{postgres_url}?application_name=x", application_name="trt/me") as db:
        row = await db.transact(lambda tx: tx.execute("SHOW application_name").one())
    assert row == ("trt/me",)


@pytest.mark.parametrize("is_pooled", [False, True])
async def test_behind_a_pooler_nothing_is_kept_in_the_session(
    postgres_url: str, *, is_pooled: bool
) -> None:
    def look(tx: Transaction) -> tuple[Row, int]:
        timeout = tx.execute("SHOW statement_timeout").one()
        return timeout, len(tx.execute("SELECT 1 FROM pg_prepared_statements").rows)

    def outside() -> Row:
        connection = connect(url, application_name="test", timeouts=SHORT)
        assert connection.is_pooled == is_pooled
        row = connection.execute("SHOW statement_timeout").one()
        connection.close()
        return row

    with proxied(postgres_url, as_a_pooler if is_pooled else None) as (_, url):
        async with open_with_tables(url, timeouts=SHORT, pool_max=1) as database:
            assert database.is_pooled == is_pooled
            for n in range(10):
                await database.transact(note, n)
            timeout, prepared = await database.transact(look)
        assert timeout == ("600ms",)
        assert (prepared == 0) == is_pooled
        assert await trio.to_thread.run_sync(outside) == (("0",) if is_pooled else ("600ms",))
