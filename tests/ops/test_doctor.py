"""The doctor finds what is wrong, on either engine, and stops where nothing more can be known."""

from pathlib import Path
from typing import Any

import pytest

from tests.ops.samples import (
    CID,
    inbox_row,
    new_job,
    now,
    play_crashed_tap,
    play_delivered_job,
    settle,
)
from trt.assets import asset
from trt.domain.ids import Cid, Shard, UserId
from trt.ops.database_door import Door, open_door
from trt.ops.database_facts import read_audit
from trt.ops.doctor import Patient, examine_database, examine_webhook
from trt.ops.finding import Finding, Verdict
from trt.secret import Secret
from trt.storage import inbox, jobs, lease, ledger
from trt.storage.database import Transaction
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.lease_store import DatabaseLeaseStore
from trt.testing.postgres_server import PostgresServer


def patient(address: DatabaseAddress | None, **more: Any) -> Patient:
    return Patient(stock=None, database=address, secrets=(), **more)


async def examined(address: DatabaseAddress | None, **more: Any) -> list[Finding]:
    return await examine_database(patient(address, **more), now=now)


def verdicts(found: list[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in found}


def one(found: list[Finding], check: str) -> Finding:
    [finding] = [finding for finding in found if finding.check == check]
    return finding


def not_ok(found: list[Finding]) -> set[str]:
    return {finding.check for finding in found if finding.verdict is not Verdict.OK}


async def lead(door: Door, shard: int = 0) -> None:
    leases = DatabaseLeaseStore(door.db, door.read)
    await leases.acquire(f"shard-{shard}", holder="first", pid=1, ttl_s=60)


@pytest.fixture
def expected_trouble(address: DatabaseAddress) -> set[str]:
    """The clock of these tests stands still in the past, and a server's does not."""
    return {"clocks"} if isinstance(address, PostgresAddress) else set()


async def test_an_installation_at_work_is_well(
    address: DatabaseAddress, door: Door, expected_trouble: set[str]
) -> None:
    await door.db.transact(play_delivered_job)
    await lead(door)
    found = await examined(address, shards=1)
    assert not_ok(found) == expected_trouble
    assert {"database", "schema", "shards", "lock", "takeovers", "inbox", "outbox"} < set(
        verdicts(found)
    )
    assert {"jobs", "crashed taps", "books"} < set(verdicts(found))


async def test_the_engine_decides_what_else_is_looked_at(address: DatabaseAddress) -> None:
    checks = set(verdicts(await examined(address)))
    if isinstance(address, SQLiteAddress):
        assert "disk" in checks
        assert not {"clocks", "connection"} & checks
    else:
        assert {"clocks", "connection"} <= checks
        assert "disk" not in checks


def spoil(tx: Transaction) -> None:
    """Make everything wrong at once."""
    settle(tx)
    inbox.store(tx, [inbox_row(1)])
    play_crashed_tap(tx, cid=Cid("deadbeef"), at_s=2)
    jobs.insert(tx, new_job(), shard=Shard(0), epoch=1)
    tx.execute("UPDATE jobs SET deadline_at = 1")
    tx.execute("UPDATE inbox SET received_at = 1 WHERE state = 'new'")
    tx.execute("UPDATE accounts SET credits_posted = credits_posted + 1 WHERE kind = 'user'")


def kill_recently(tx: Transaction) -> None:
    now_s = tx.clock().timestamp()
    tx.execute("UPDATE inbox SET finished_at = :now WHERE state = 'dead'", {"now": now_s})


async def test_everything_that_is_wrong_is_found(
    address: DatabaseAddress, door: Door, expected_trouble: set[str]
) -> None:
    await door.db.transact(spoil)
    await door.db.transact(kill_recently)
    found = await examined(address, shards=2)
    assert not_ok(found) - expected_trouble == {
        "shards",
        "lock",
        "inbox",
        "jobs",
        "crashed taps",
        "books",
    }
    assert CID in one(found, "jobs").mend
    assert "deadbeef" in one(found, "crashed taps").mend
    assert "1 update not handled" in one(found, "inbox").what
    assert "the sums are not those of its transfers" in repr(found)


def open_accounts_of_which_the_last_is_wrong(tx: Transaction) -> None:
    for number in range(1, 6):
        ledger.open_account(tx, UserId(number), shard=Shard(0))
    tx.execute("UPDATE accounts SET credits_posted = 1 WHERE account_id = 5")


async def test_the_books_of_every_user_are_looked_at(door: Door) -> None:
    await door.db.transact(open_accounts_of_which_the_last_is_wrong)
    for slice_max in (1, 2, 5, 6):
        audit = await read_audit(door, slice_max=slice_max)
        assert [problem.split(":")[0] for problem in audit.problems] == ["account 5"]


async def test_every_shard_is_looked_at(address: DatabaseAddress, door: Door) -> None:
    await door.db.transact(lambda tx: tx.execute("INSERT INTO installation VALUES (1, 2)"))
    await lead(door, shard=1)
    found = [finding for finding in await examined(address, shards=2) if finding.check == "lock"]
    assert [finding.verdict for finding in found] == [Verdict.WARN, Verdict.OK]


def flap(tx: Transaction) -> None:
    for number in range(9):
        lease.acquire(tx, "shard-0", holder=f"holder-{number}", pid=1, ttl_s=60)
        tx.execute("UPDATE lease SET expires_at = 1")


async def test_a_flapping_lease_is_found(address: DatabaseAddress, door: Door) -> None:
    await door.db.transact(flap)
    found = await examined(address)
    assert "8 takeovers in the last hour (8 expired)" in one(found, "takeovers").what
    assert one(found, "takeovers").verdict is Verdict.WARN


async def test_a_newer_schema_is_a_failure_and_the_rest_is_looked_at(
    address: DatabaseAddress, door: Door
) -> None:
    await door.db.transact(
        lambda tx: tx.execute("INSERT INTO schema_migrations VALUES (999, '0999_x.sql', 'x', 1)")
    )
    found = await examined(address)
    assert one(found, "schema").verdict is Verdict.FAIL
    assert "start the newer release" in one(found, "schema").mend
    assert one(found, "books").verdict is Verdict.OK


async def test_a_schema_that_is_not_there_yet_ends_the_examination(
    tmp_path: Path, postgres_url: str
) -> None:
    (tmp_path / "empty.sqlite3").touch()
    for address in (
        SQLiteAddress(tmp_path / "empty.sqlite3"),
        PostgresAddress(Secret(postgres_url)),
    ):
        found = await examined(address)
        assert (found[-1].check, found[-1].verdict) == ("schema", Verdict.WARN)


async def test_an_older_schema_ends_the_examination(address: DatabaseAddress, door: Door) -> None:
    last = max(
        path.name
        for path in (
            asset("migrations") / ("postgres" if door.file is None else "sqlite")
        ).iterdir()
    )
    await door.db.transact(
        lambda tx: tx.execute("DELETE FROM schema_migrations WHERE name = :name", {"name": last})
    )
    found = await examined(address)
    assert (found[-1].check, found[-1].verdict) == ("schema", Verdict.WARN)
    assert last in found[-1].what


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "trt.sqlite3"
    [found] = await examined(SQLiteAddress(path))
    assert found.verdict is Verdict.WARN
    assert str(path) in found.what
    assert not path.exists()


async def test_what_is_no_database_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "trt.sqlite3"
    path.write_bytes(b"a letter to my mother" * 100)
    [found] = await examined(SQLiteAddress(path))
    assert (found.check, found.verdict) == ("database", Verdict.FAIL)


async def test_a_server_that_does_not_let_us_in_is_a_failure_without_its_password(
    postgres_server: PostgresServer,
) -> None:
    url = f"postgresql://nobody-knows:canary@127.0.0.1:{postgres_server.port}/nowhere"
    [found] = await examined(PostgresAddress(Secret(url)))
    assert (found.check, found.verdict) == ("database", Verdict.FAIL)
    assert "canary" not in repr(found)


async def test_without_an_address_nothing_is_asked() -> None:
    assert await examined(None) == []


def test_telegram_is_not_asked_with_a_broken_configuration() -> None:
    [found] = examine_webhook(patient(None), now=now)
    assert found.verdict is Verdict.WARN


async def test_looking_changes_nothing(address: DatabaseAddress, door: Door) -> None:
    def content(tx: Transaction) -> list[list[tuple[Any, ...]]]:
        names = ("inbox", "jobs", "outbox", "lease", "transfers", "installation", "app_events")
        return [list(tx.execute(f"SELECT * FROM {name}")) for name in names]

    await door.db.transact(play_delivered_job)
    before = await door.read(content)
    await examined(address)
    async with open_door(address, now=now) as again:
        assert await again.read(content) == before
