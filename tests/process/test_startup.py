"""A start that cannot succeed: exit code 2 and a text with the thing, the value and the mend."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from tests.process.instance import Finished, command_environment, run_command
from tests.process.loopback import HOST, KEY, TOKEN, free_port
from trt.assets import asset
from trt.sources import SystemSources
from trt.storage.migrate_sqlite import migrate_sqlite
from trt.web.listener import bind

NOBODY = f"http://{HOST}:9"


def environment(**changes: str) -> Mapping[str, str]:
    return command_environment() | {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "KIE_API_KEY": KEY,
        "HOST": HOST,
        "PORT": str(free_port()),
        "WEBHOOK_BASE_URL": "https://bot.example",
        "TELEGRAM_API_BASE": NOBODY,
        "KIE_API_BASE": NOBODY,
        "USD_TO_RUB": "78.0",
        **changes,
    }


async def refused(folder: Path, *words: str, **changes: str) -> Finished:
    """Run the service, which must refuse to start and say these words."""
    done = await run_command("run", environment=environment(**changes), folder=folder)
    assert done.code == 2, done
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err
    for secret in (TOKEN, TOKEN.partition(":")[2], KEY):
        assert secret not in done.err + done.out
    return done


async def test_a_port_in_use(tmp_path: Path) -> None:
    with bind(HOST, 0) as taken:
        port = str(taken.getsockname()[1])
        await refused(tmp_path, f"{HOST}:{port}", "in use", "with PORT", PORT=port)


async def test_an_address_of_another_machine(tmp_path: Path) -> None:
    await refused(tmp_path, "Cannot listen on 192.0.2.1", "Set HOST", HOST="192.0.2.1")
    await refused(tmp_path, "Cannot listen on 300.1.1.1", "Set HOST", HOST="300.1.1.1")


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    await refused(tmp_path, str(missing / "trt.sqlite3"), "DATA_DIR", DATA_DIR=str(missing))


async def test_a_database_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "trt.sqlite3").mkdir()
    await refused(tmp_path, "trt.sqlite3 cannot be opened", "writable")


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "trt.sqlite3").write_text("a shopping list " * 100)
    await refused(tmp_path, "trt.sqlite3 is not an SQLite database", "move it away")


async def test_a_database_of_a_newer_release(tmp_path: Path) -> None:
    spoil(tmp_path, "INSERT INTO schema_migrations VALUES (9999, '9999_future.sql', 'x', 0)")
    await refused(tmp_path, "9999_future.sql", "start the newer release")


async def test_a_migration_that_was_changed(tmp_path: Path) -> None:
    spoil(tmp_path, "UPDATE schema_migrations SET checksum = 'another' WHERE number = 1")
    await refused(tmp_path, "0001_first.sql", "checksum", "restore the file")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TELEGRAM_BOT_TOKEN": ""}, ["TELEGRAM_BOT_TOKEN is missing", "@BotFather"]),
        ({"TELEGRAM_BOT_TOKEN": "canary"}, ["TELEGRAM_BOT_TOKEN", "<digits>:<letters>"]),
        ({"PORT": "many"}, ["PORT", "'many'", "1 to 65535"]),
        (
            {"USD_TO_RUB": "", "KIE_API_KEY": "", "BOT_MODE": "carrier pigeon"},
            ["USD_TO_RUB", "KIE_API_KEY", "BOT_MODE", "carrier pigeon", "webhook, polling"],
        ),
    ],
)
async def test_variables_that_are_missing_or_malformed_are_all_named_at_once(
    changes: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    done = await refused(tmp_path, *words, **changes)
    assert "canary" not in done.err
    assert not await trio.Path(tmp_path / "trt.sqlite3").exists()


def spoil(folder: Path, sql: str) -> None:
    """Make a database and change what it remembers of its migrations."""
    path = folder / "trt.sqlite3"
    migrate_sqlite(path, asset("migrations") / "sqlite", now=SystemSources().now())
    with sqlite3.connect(path) as connection:
        connection.execute(sql)
    connection.close()
