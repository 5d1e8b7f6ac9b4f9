"""A migrated database of each engine, and an operator's door to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ops.samples import NOW, now
from trt.assets import asset
from trt.ops.database_door import Door, open_door
from trt.secret import Secret
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.migrate import migrate


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseAddress:
    """Where an empty, migrated database is."""
    if request.param == "sqlite":
        return migrated(SQLiteAddress(tmp_path / "trt.sqlite3"))
    return migrated(PostgresAddress(Secret(request.getfixturevalue("postgres_url"))))


@pytest.fixture
async def door(address: DatabaseAddress) -> AsyncIterator[Door]:
    async with open_door(address, now=now) as opened:
        yield opened


def migrated(address: DatabaseAddress) -> DatabaseAddress:
    migrate(address, asset("migrations"), now=NOW)
    return address
