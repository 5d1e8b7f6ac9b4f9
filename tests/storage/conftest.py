"""One suite for every engine: the fixture `database` is each of them in turn."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.storage.samples import new_connection, new_file
from trt.storage.database import Database, Transaction
from trt.storage.sqlite import open_sqlite, open_sqlite_inline
from trt.storage.sqlite_connection import SQLiteTransaction


@pytest.fixture(params=["file", "inline"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "file":
        async with open_sqlite(new_file(tmp_path)) as opened:
            yield opened
    else:
        with closing(new_connection()) as connection, open_sqlite_inline(connection) as opened:
            yield opened


@pytest.fixture
def tx() -> Iterator[Transaction]:
    """A bare transaction for the functions that speak SQL: each statement stands for itself."""
    with closing(new_connection()) as connection:
        yield SQLiteTransaction(connection)
