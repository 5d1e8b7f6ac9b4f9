"""One suite for every engine: the fixtures `database` and `tx` are each of them in turn."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.storage.engine import Engine, PostgresEngine, SQLiteEngine
from tests.storage.samples import NOW, POSTGRES_MIGRATIONS, new_connection, new_file, now
from trt.secret import Secret
from trt.storage.database import Database, Transaction
from trt.storage.migrate_postgres import migrate_postgres
from trt.storage.postgres import open_postgres
from trt.storage.sqlite import open_sqlite, open_sqlite_inline
from trt.testing.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def migrated_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a migrated database in which nobody ever commits."""
    with postgres_server.fresh_database() as url:
        migrate_postgres(Secret(url), POSTGRES_MIGRATIONS, now=NOW)
        yield url


@pytest.fixture
def committed_url(postgres_url: str) -> str:
    """The address of a migrated database that is the test's own."""
    migrate_postgres(Secret(postgres_url), POSTGRES_MIGRATIONS, now=NOW)
    return postgres_url


@pytest.fixture(params=["file", "inline", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    match request.param:
        case "file":
            async with open_sqlite(new_file(tmp_path), now=now) as opened:
                yield opened
        case "inline":
            with (
                closing(new_connection()) as connection,
                open_sqlite_inline(connection, now=now) as opened,
            ):
                yield opened
        case _:
            url = request.getfixturevalue("committed_url")
            async with open_postgres(url, pool_max=4) as opened:
                yield opened


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    if request.param == "sqlite":
        return SQLiteEngine()
    return PostgresEngine(request.getfixturevalue("migrated_url"))


@pytest.fixture
def tx(engine: Engine) -> Iterator[Transaction]:
    """A bare transaction for the functions that speak SQL."""
    with engine.transaction() as opened:
        yield opened
