"""The schema can be read in one file, and a step that was applied stays what it was."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from attrs import frozen

from tests.migration_targets import PostgresTarget, SQLiteTarget, Target
from trt.secret import Secret
from trt.storage.engines import PostgresAddress, SQLiteAddress
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
from trt.storage.migrate import migrate
from trt.storage.migrate_postgres import Patience, migrate_postgres
from trt.storage.migrate_series import read_folder
from trt.storage.migrate_sqlite import migrate_sqlite, statements
from trt.storage.sqlite_connection import connect
from trt.testing.postgres_server import PostgresServer

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[1] / "migrations"
DESTRUCTIVE = re.compile(
    r"\bDROP TABLE\b|\bALTER TABLE\b[^;]*\bDROP\b(?! CONSTRAINT| DEFAULT)|\bRENAME\b"
    r"|\bDELETE FROM\b|^\s*TRUNCATE\b",
    re.IGNORECASE | re.MULTILINE,
)
"""An index, a trigger or a rule may go: what was written is still there."""


@frozen
class Series:
    """A folder of steps and the database they are for."""

    root: Path
    target: Target

    @property
    def folder(self) -> Path:
        return self.root / self.target.series

    def write(self, name: str, sql: str) -> None:
        (self.folder / name).write_text(sql)

    def migrate(self) -> tuple[str, ...]:
        return migrate(self.target.address, self.root, now=NOW)

    def tables(self) -> set[str]:
        return self.target.tables()


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "sqlite":
        return SQLiteTarget(tmp_path / "trt.sqlite3")
    return PostgresTarget(request.getfixturevalue("postgres_url"))


@pytest.fixture
def second_target(
    target: Target, tmp_path: Path, postgres_server: PostgresServer
) -> Iterator[Target]:
    """Another empty database of the same engine."""
    if isinstance(target, SQLiteTarget):
        yield SQLiteTarget(tmp_path / "second.sqlite3")
        return
    with postgres_server.fresh_database() as url:
        yield PostgresTarget(url)


@pytest.fixture
def series(target: Target, tmp_path: Path) -> Series:
    made = Series(tmp_path / "steps", target)
    made.folder.mkdir(parents=True)
    made.write("0001_one.sql", "CREATE TABLE one (x INTEGER);\n")
    made.write("0002_two.sql", "CREATE TABLE two (x INTEGER);\n")
    return made


def test_the_steps_build_exactly_the_picture(target: Target, second_target: Target) -> None:
    migrate(target.address, MIGRATIONS, now=NOW)
    second_target.run((MIGRATIONS / f"schema.{target.series}.sql").read_text())
    assert target.schema() == second_target.schema()
    assert len(target.schema()) > 30
    accounts = "SELECT * FROM accounts ORDER BY account_id"
    assert target.run(accounts) == second_target.run(accounts)


@pytest.mark.parametrize(
    "step", sorted(MIGRATIONS.glob("*/*.sql")), ids=lambda step: f"{step.parent.name}/{step.name}"
)
def test_no_step_takes_anything_away(step: Path) -> None:
    """What an older release has written stays, and it may still run beside the newer one."""
    assert not DESTRUCTIVE.findall(step.read_text())


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE t;",
        "ALTER TABLE t DROP COLUMN c;",
        "ALTER TABLE t\n  ADD COLUMN d TEXT, DROP c;",
        "ALTER TABLE t RENAME TO u;",
        "ALTER TABLE t RENAME COLUMN c TO d;",
        "CREATE TABLE u (c TEXT);\nTRUNCATE t;",
        "delete from t;",
    ],
)
def test_a_step_that_takes_something_away_would_be_seen(sql: str) -> None:
    assert DESTRUCTIVE.search(sql)


def test_both_engines_have_the_same_tables_and_columns(tmp_path: Path, postgres_url: str) -> None:
    """But for what an older release left behind in files."""
    left_behind = {f"lease.takeover_{name}" for name in ("from", "to", "at", "reason", "gap_s")}
    file, server = SQLiteTarget(tmp_path / "trt.sqlite3"), PostgresTarget(postgres_url)
    for each in (file, server):
        migrate(each.address, MIGRATIONS, now=NOW)
    in_file = {
        f"{table}.{column}"
        for table in file.tables()
        for (column,) in file.run(f"SELECT name FROM pragma_table_info('{table}')")
    }
    on_server = {
        name.removeprefix("column ") for name in server.schema() if name.startswith("column ")
    }
    assert in_file - left_behind == on_server
    assert left_behind < in_file


def test_each_step_is_applied_once_and_noted(series: Series) -> None:
    assert series.migrate() == ("0001_one.sql", "0002_two.sql")
    assert series.migrate() == ()
    series.write("0003_three.sql", "CREATE TABLE three (x INTEGER);")
    assert series.migrate() == ("0003_three.sql",)
    assert series.tables() == {"one", "two", "three", "schema_migrations"}
    notes = series.target.run("SELECT number, name, applied_at FROM schema_migrations")
    assert notes[0] == (1, "0001_one.sql", NOW.timestamp())


def test_a_step_that_fails_leaves_nothing_and_keeps_those_before(series: Series) -> None:
    series.write("0002_two.sql", "CREATE TABLE two (x INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(MigrationFailed, match=r"0002_two\.sql failed .*nowhere.*mend its SQL"):
        series.migrate()
    assert series.tables() == {"one", "schema_migrations"}
    series.write("0002_two.sql", "CREATE TABLE two (x INTEGER);\n")
    assert series.migrate() == ("0002_two.sql",)


def test_a_step_that_was_changed_after_it_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    series.write("0001_one.sql", "CREATE TABLE one (x INTEGER, y INTEGER);\n")
    with pytest.raises(MigrationChanged, match=r"0001_one\.sql differs .*restore the file"):
        series.migrate()


def test_a_step_that_was_renamed_after_it_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    (series.folder / "0001_one.sql").rename(series.folder / "0001_uno.sql")
    with pytest.raises(MigrationChanged, match=r"0001_uno\.sql differs from 0001_one\.sql"):
        series.migrate()


def test_a_series_with_a_hole_is_refused(series: Series) -> None:
    series.write("0004_four.sql", "CREATE TABLE four (x INTEGER);\n")
    with pytest.raises(MigrationMissing, match=r"0004_four\.sql .*0003 was expected.*restore"):
        series.migrate()
    if isinstance(series.target, SQLiteTarget):
        assert not series.target.path.exists()


def test_an_applied_step_whose_file_is_gone_is_refused(series: Series) -> None:
    series.write("0003_three.sql", "CREATE TABLE three (x INTEGER);")
    series.migrate()
    (series.folder / "0002_two.sql").unlink()
    with pytest.raises(MigrationMissing, match=r"0003_three\.sql .*0002 was expected"):
        series.migrate()


def test_a_hole_in_what_was_applied_is_refused(series: Series) -> None:
    series.migrate()
    series.target.run("DELETE FROM schema_migrations WHERE number = 1")
    with pytest.raises(MigrationMissing, match=r"0001_one\.sql was never applied"):
        series.migrate()


def test_a_database_of_a_newer_release_is_refused(series: Series) -> None:
    series.migrate()
    (series.folder / "0002_two.sql").unlink()
    with pytest.raises(DatabaseIsNewer, match=r"0002_two\.sql .*0001_one\.sql.*newer release"):
        series.migrate()


def test_two_steps_of_one_number_are_refused(series: Series) -> None:
    series.write("0002_zwei.sql", "CREATE TABLE zwei (x INTEGER);\n")
    with pytest.raises(MigrationDuplicate, match=r"0002_two\.sql and 0002_zwei\.sql.*renumber"):
        series.migrate()


def test_a_file_that_is_no_step_is_refused(series: Series) -> None:
    series.write("3_three.sql", "CREATE TABLE three (x INTEGER);\n")
    with pytest.raises(MigrationMisnamed, match=r"3_three\.sql is not called NNNN_name\.sql"):
        series.migrate()


def test_an_unwritable_path_is_named(tmp_path: Path) -> None:
    address = SQLiteAddress(tmp_path / "missing" / "trt.sqlite3")
    with pytest.raises(DatabaseUnopenable, match="missing"):
        migrate(address, MIGRATIONS, now=NOW)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://trt:canary@127.0.0.1:1/trt", "does not let us in .*start it"),
        ("host canary", "not a postgresql:// URL: mend it"),
        ("postgresql://trt:canary@127.0.0.1:1/trt?wrong=1", "not a postgresql:// URL"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_the_password(url: str, said: str) -> None:
    with pytest.raises(DatabaseUnopenable, match=said) as raised:
        migrate(PostgresAddress(Secret(url)), MIGRATIONS, now=NOW)
    assert "canary" not in str(raised.value)
    assert raised.value.__suppress_context__ or "canary" not in str(raised.value.__cause__)


def test_a_role_without_rights_is_told_what_to_grant(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    name = postgres_url.rpartition("/")[2]
    with postgres_server.admin(name) as admin:
        admin.execute("CREATE ROLE guest LOGIN")
    try:
        address = PostgresAddress(Secret(postgres_server.url(name, user="guest")))
        with pytest.raises(DatabaseUnopenable, match="GRANT CREATE ON SCHEMA public"):
            migrate(address, MIGRATIONS, now=NOW)
    finally:
        with postgres_server.admin(name) as admin:
            admin.execute("DROP ROLE guest")


def test_processes_that_start_together_apply_each_step_once(target: Target) -> None:
    applied: list[str] = []
    errors: list[Exception] = []
    together = threading.Barrier(6)

    def start() -> None:
        together.wait()
        try:
            applied.extend(migrate(target.address, MIGRATIONS, now=NOW))
        except Exception as error:  # noqa: BLE001 - the test shows whatever it is
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(applied) == [step.name for step in read_folder(MIGRATIONS / target.series)]


def test_nothing_is_decided_without_the_write_lock_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trt.sqlite3"
    impatient = connect(path, busy_timeout_s=0)
    with closing(impatient), closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable):
            migrate_sqlite(impatient, MIGRATIONS / "sqlite", now=NOW)
        other.execute("ROLLBACK")
        assert migrate_sqlite(impatient, MIGRATIONS / "sqlite", now=NOW)


def test_nothing_is_decided_without_the_lock_that_every_release_takes(postgres_url: str) -> None:
    url, folder = Secret(postgres_url), MIGRATIONS / "postgres"
    with psycopg.connect(postgres_url) as other:
        # The number may never change: releases that overlap know each other by it.
        other.execute("SELECT pg_advisory_xact_lock(92712580508007)")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            migrate_postgres(url, folder, now=NOW, patience=Patience(others_s=0.05))
        assert PostgresTarget(postgres_url).tables() == set()
        other.rollback()
        assert migrate_postgres(url, folder, now=NOW)


def test_a_step_does_not_wait_long_for_a_table_in_use(postgres_url: str, tmp_path: Path) -> None:
    """Whoever comes after it would wait behind it: the start fails, and is tried again."""
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "0001_one.sql").write_text("CREATE TABLE one (x INTEGER);")
    url = Secret(postgres_url)
    migrate_postgres(url, folder, now=NOW)
    (folder / "0002_two.sql").write_text("ALTER TABLE one ADD COLUMN y INTEGER;")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT * FROM one")
        with pytest.raises(DatabaseUnavailable, match="lock timeout"):
            migrate_postgres(url, folder, now=NOW, patience=Patience(tables_s=0.05))
        other.rollback()
        assert migrate_postgres(url, folder, now=NOW) == ("0002_two.sql",)


def test_a_file_of_the_first_release_keeps_its_holder_and_its_history(tmp_path: Path) -> None:
    """The old instance still runs and leads when the new one migrates the file."""
    path = tmp_path / "trt.sqlite3"
    steps = tmp_path / "steps"
    steps.mkdir()
    first = next(iter((MIGRATIONS / "sqlite").glob("0001_*.sql")))
    (steps / first.name).write_text(first.read_text())
    migrate_sqlite(path, steps, now=NOW)
    target = SQLiteTarget(path)
    target.run("""
        INSERT INTO lease (name, holder, epoch, acquired_at, renewed_at, expires_at,
          takeover_from, takeover_to, takeover_at, takeover_reason, takeover_gap_s)
        VALUES ('shard-0', 'old', 7, 1, 2, 3, 'older', 'old', 1, 'released', 0.5)
    """)
    migrate_sqlite(path, MIGRATIONS / "sqlite", now=NOW)
    assert target.run("SELECT name, epoch FROM fences") == [("shard-0", 7)]
    assert target.run("SELECT * FROM lease_takeovers") == [
        ("shard-0", 7, "older", "old", 1.0, "released", 0.5)
    ]
    assert target.run("SELECT shards FROM installation") == [(1,)]
    # It takes the lease again in its own words, with a zombie of the new release about.
    target.run("""
        INSERT INTO lease (name, epoch, acquired_at, renewed_at, expires_at)
        VALUES ('shard-0', 1, 0, 0, 0)
        ON CONFLICT (name) DO UPDATE SET holder = 'old', epoch = 9
    """)
    assert target.run("SELECT name, epoch FROM fences") == [("shard-0", 9)]


def test_a_script_is_cut_into_statements_and_a_trigger_stays_whole() -> None:
    script = (
        "-- a word; before\nCREATE TABLE t (\n  x\n);\n"
        "CREATE TRIGGER g BEFORE DELETE ON t\nBEGIN\n  SELECT 1;\n  SELECT ';';\nEND;\n\n"
    )
    table, trigger = statements(script)
    assert table.endswith("x\n);\n")
    assert trigger.startswith("CREATE TRIGGER")
    assert trigger.endswith("END;\n")
