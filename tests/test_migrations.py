"""The schema can be read in one file, and a step that was applied stays what it was."""

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import frozen

from trt.storage.errors import (
    DatabaseIsNewer,
    DatabaseUnavailable,
    DatabaseUnopenable,
    MigrationChanged,
    MigrationDuplicate,
    MigrationFailed,
    MigrationMisnamed,
    MigrationMissing,
)
from trt.storage.migrate import migrate, read_folder, statements
from trt.storage.sqlite_connection import connect

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[1] / "migrations"


def schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT type || ' ' || name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
    )
    return {name: " ".join(sql.split()) for name, sql in rows}


@frozen
class Series:
    """A folder of steps and the database they are for."""

    folder: Path
    database: Path

    def write(self, name: str, sql: str) -> None:
        (self.folder / name).write_text(sql)

    def migrate(self) -> tuple[str, ...]:
        return migrate(self.database, self.folder, now=NOW)

    def tables(self) -> set[str]:
        with closing(connect(self.database)) as connection:
            return {name.removeprefix("table ") for name in schema_of(connection)}


@pytest.fixture
def series(tmp_path: Path) -> Series:
    folder = tmp_path / "steps"
    folder.mkdir()
    made = Series(folder, tmp_path / "trt.sqlite3")
    made.write("0001_one.sql", "CREATE TABLE one (x);\n")
    made.write("0002_two.sql", "CREATE TABLE two (x);\n")
    return made


def test_the_steps_build_exactly_the_picture() -> None:
    with closing(connect(":memory:")) as built, closing(connect(":memory:")) as drawn:
        migrate(built, MIGRATIONS / "sqlite", now=NOW)
        drawn.executescript((MIGRATIONS / "schema.sqlite.sql").read_text())
        assert schema_of(built) == schema_of(drawn)
        accounts = "SELECT * FROM accounts ORDER BY account_id"
        assert built.execute(accounts).fetchall() == drawn.execute(accounts).fetchall()


def test_each_step_is_applied_once_and_noted(series: Series) -> None:
    assert series.migrate() == ("0001_one.sql", "0002_two.sql")
    assert series.migrate() == ()
    series.write("0003_three.sql", "CREATE TABLE three (x);")
    assert series.migrate() == ("0003_three.sql",)
    assert series.tables() == {"one", "two", "three", "schema_migrations"}
    with closing(connect(series.database)) as connection:
        notes = connection.execute("SELECT number, name, applied_at FROM schema_migrations")
        assert notes.fetchall()[0] == (1, "0001_one.sql", NOW.timestamp())


def test_a_step_that_fails_leaves_nothing_and_keeps_those_before(series: Series) -> None:
    series.write("0002_two.sql", "CREATE TABLE two (x);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(MigrationFailed, match=r"0002_two\.sql failed .*nowhere.*mend its SQL"):
        series.migrate()
    assert series.tables() == {"one", "schema_migrations"}
    series.write("0002_two.sql", "CREATE TABLE two (x);\n")
    assert series.migrate() == ("0002_two.sql",)


def test_a_step_that_was_changed_after_it_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    series.write("0001_one.sql", "CREATE TABLE one (x, y);\n")
    with pytest.raises(MigrationChanged, match=r"0001_one\.sql differs .*restore the file"):
        series.migrate()


def test_a_step_that_was_renamed_after_it_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    (series.folder / "0001_one.sql").rename(series.folder / "0001_uno.sql")
    with pytest.raises(MigrationChanged, match=r"0001_uno\.sql differs from 0001_one\.sql"):
        series.migrate()


def test_a_series_with_a_hole_is_refused(series: Series) -> None:
    series.write("0004_four.sql", "CREATE TABLE four (x);\n")
    with pytest.raises(MigrationMissing, match=r"0004_four\.sql .*0003 was expected.*restore"):
        series.migrate()
    assert not series.database.exists()


def test_an_applied_step_whose_file_is_gone_is_refused(series: Series) -> None:
    series.write("0003_three.sql", "CREATE TABLE three (x);")
    series.migrate()
    (series.folder / "0002_two.sql").unlink()
    with pytest.raises(MigrationMissing, match=r"0003_three\.sql .*0002 was expected"):
        series.migrate()


def test_a_hole_in_what_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    with closing(connect(series.database)) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE number = 1")
    with pytest.raises(MigrationMissing, match=r"0001_one\.sql was never applied"):
        series.migrate()


def test_a_database_of_a_newer_release_is_refused(series: Series) -> None:
    series.migrate()
    (series.folder / "0002_two.sql").unlink()
    with pytest.raises(DatabaseIsNewer, match=r"0002_two\.sql .*0001_one\.sql.*newer release"):
        series.migrate()


def test_two_steps_of_one_number_are_refused(series: Series) -> None:
    series.write("0002_zwei.sql", "CREATE TABLE zwei (x);\n")
    with pytest.raises(MigrationDuplicate, match=r"0002_two\.sql and 0002_zwei\.sql.*renumber"):
        series.migrate()


def test_a_file_that_is_no_step_is_refused(series: Series) -> None:
    series.write("3_three.sql", "CREATE TABLE three (x);\n")
    with pytest.raises(MigrationMisnamed, match=r"3_three\.sql is not called NNNN_name\.sql"):
        series.migrate()


def test_an_unwritable_path_is_named(series: Series, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnopenable, match="missing"):
        migrate(tmp_path / "missing" / "trt.sqlite3", series.folder, now=NOW)


def test_processes_that_start_together_apply_each_step_once(tmp_path: Path) -> None:
    database = tmp_path / "trt.sqlite3"
    applied: list[str] = []
    errors: list[Exception] = []
    together = threading.Barrier(6)

    def start() -> None:
        together.wait()
        try:
            applied.extend(migrate(database, MIGRATIONS / "sqlite", now=NOW))
        except Exception as error:  # noqa: BLE001 - the test shows whatever it is
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert applied == [step.name for step in read_folder(MIGRATIONS / "sqlite")]


def test_nothing_is_decided_without_the_write_lock(series: Series) -> None:
    series.migrate()
    impatient = connect(series.database, busy_timeout_s=0)
    with closing(impatient), closing(connect(series.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable):
            migrate(impatient, series.folder, now=NOW)
        other.execute("ROLLBACK")
        assert migrate(impatient, series.folder, now=NOW) == ()


def test_a_script_is_cut_into_statements_and_a_trigger_stays_whole() -> None:
    script = (
        "-- a word; before\nCREATE TABLE t (\n  x\n);\n"
        "CREATE TRIGGER g BEFORE DELETE ON t\nBEGIN\n  SELECT 1;\n  SELECT ';';\nEND;\n\n"
    )
    table, trigger = statements(script)
    assert table.endswith("x\n);\n")
    assert trigger.startswith("CREATE TRIGGER")
    assert trigger.endswith("END;\n")
