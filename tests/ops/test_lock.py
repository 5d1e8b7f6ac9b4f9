"""Who leads is said truly, on either engine, and deposing is safe."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec
import pytest

from trt.domain.ids import Shard
from trt.ops import deposition
from trt.ops.database_door import Door
from trt.ops.deposition import Deposed, HolderChanged, NobodyHolds
from trt.ops.lock_page import lock_page
from trt.ops.lock_state import Leadership, Locks, LockState, read_locks, settled_shards
from trt.storage import installation, lease
from trt.storage.database import Transaction
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.errors import Fenced
from trt.storage.lease import Acquired
from trt.storage.lease_row import LeaseRow, TakeoverReason
from trt.storage.postgres_lease import open_postgres_leases
from trt.storage.sqlite_connection import connect
from trt.telemetry.events import CATALOGUE, EventName

NAME = "shard-0"
TTL_S = 60.0


async def take(door: Door, holder: str, *, name: str = NAME) -> LeaseRow:
    outcome = await door.leases.acquire(name, holder=holder, pid=4242, ttl_s=TTL_S)
    assert isinstance(outcome, Acquired)
    return outcome.row


async def lock_of(door: Door, shard: int = 0) -> LockState:
    [lock] = (await read_locks(door, [Shard(shard)])).shards
    return lock


async def page_of(door: Door) -> str:
    return lock_page(await read_locks(door, [Shard(0)]))


def run_out(tx: Transaction) -> None:
    tx.execute("UPDATE lease SET expires_at = expires_at - 120, renewed_at = renewed_at - 120")


def write(tx: Transaction) -> None:
    tx.execute("UPDATE sessions SET epoch = epoch")


async def test_a_lease_that_nobody_ever_held_says_so(door: Door) -> None:
    locks = await read_locks(door, [Shard(0)])
    assert locks == Locks(shards=(LockState(name=NAME, leadership=Leadership.NEVER_HELD),))
    assert not locks.are_all_led
    assert lock_page(locks) == (
        "shard-0: NOBODY LEADS, nobody ever did: start the service with `trt run`\n"
    )


async def test_the_holder_is_shown_with_its_ages_by_the_databases_clock(door: Door) -> None:
    row = await take(door, "first")
    locks = await read_locks(door, [Shard(0)])
    [lock] = locks.shards
    assert locks.are_all_led
    assert (lock.leadership, lock.holder, lock.pid, lock.epoch) == (
        Leadership.LED,
        "first",
        4242,
        1,
    )
    assert lock.since == row.acquired_at
    assert lock.heartbeat_age_s is not None
    assert 0 <= lock.heartbeat_age_s < 5
    assert lock.expires_in_s is not None
    assert TTL_S - 5 < lock.expires_in_s <= TTL_S
    page = lock_page(locks)
    assert page.startswith("shard-0: led by first (pid 4242) for 0.")
    assert "no takeover yet" in page


async def test_a_holder_that_fell_silent_does_not_lead(door: Door) -> None:
    await take(door, "first")
    await door.db.transact(run_out)
    locks = await read_locks(door, [Shard(0)])
    assert locks.shards[0].leadership is Leadership.SILENT
    assert not locks.are_all_led
    page = lock_page(locks)
    assert "NOBODY LEADS: first (pid 4242) is overdue by 1 min 0 s" in page
    assert "expires    1 min 0 s ago" in page


async def test_a_lease_that_was_given_up_names_who_had_it(door: Door) -> None:
    row = await take(door, "first")
    await door.leases.release(NAME, holder="first", epoch=row.epoch)
    lock = await lock_of(door)
    assert (lock.leadership, lock.released_by) == (Leadership.FREE, "first")
    assert "NOBODY LEADS: first gave it up 0." in await page_of(door)


async def test_the_history_says_when_from_whom_to_whom_and_why(door: Door) -> None:
    first = await take(door, "first")
    await door.leases.release(NAME, holder="first", epoch=first.epoch)
    await take(door, "second")
    await door.db.transact(run_out)
    await take(door, "third")
    handovers = [handover.takeover for handover in (await lock_of(door)).handovers]
    assert [(done.from_holder, done.to_holder, done.reason) for done in handovers] == [
        ("second", "third", TakeoverReason.EXPIRED),
        ("first", "second", TakeoverReason.RELEASED),
    ]
    assert handovers[0].gap_s == pytest.approx(120, abs=5)
    lines = (await page_of(door)).splitlines()
    [expired] = [line for line in lines if line.endswith("expired")]
    assert expired.split()[2:] == ["2", "min", "0", "s", "3", "second", "third", "expired"]


async def test_a_deposed_holder_can_write_nothing_and_who_waits_takes_over(door: Door) -> None:
    row = await take(door, "first")
    fenced = door.db.fenced(NAME, row.epoch)
    await fenced.transact(write)
    outcome = await deposition.depose(
        door, NAME, epoch=row.epoch, by="ann at console", because="it hangs"
    )
    assert isinstance(outcome, Deposed)
    assert outcome.lease.holder == "first"
    with pytest.raises(Fenced):
        await fenced.transact(write)
    renewed = await door.leases.renew(NAME, holder="first", epoch=row.epoch, ttl_s=TTL_S)
    assert renewed is None
    second = await take(door, "second")
    assert second.takeover is not None
    assert second.takeover.reason is TakeoverReason.DEPOSED


async def test_who_deposed_and_why_is_shown_before_and_after_the_takeover(door: Door) -> None:
    row = await take(door, "first")
    await deposition.depose(door, NAME, epoch=row.epoch, by="ann at console", because="it hangs")
    free = await page_of(door)
    assert "NOBODY LEADS: first was deposed 0." in free
    assert "by ann at console: it hangs" in free
    second = await take(door, "second")
    assert "deposed by ann at console: it hangs" in await page_of(door)
    await deposition.depose(door, NAME, epoch=second.epoch, by="bob", because="wrong one")
    await take(door, "third")
    words = [handover.word for handover in (await lock_of(door)).handovers]
    assert [word and word.because for word in words] == ["wrong one", "it hangs"]


async def test_the_word_is_an_event_as_the_catalogue_has_it(door: Door) -> None:
    row = await take(door, "first")
    await deposition.depose(door, NAME, epoch=row.epoch, by="ann at console", because="it hangs")
    [(name, level, payload)] = await door.db.transact(_noted)
    kind = CATALOGUE[EventName(name)]
    assert (name, level) == ("LOCK_DEPOSED", kind.level)
    said = msgspec.json.decode(payload)
    assert kind.problem(said) is None
    assert said == {
        "lease": NAME,
        "epoch": row.epoch,
        "holder": "first",
        "by": "ann at console",
        "because": "it hangs",
    }


def _noted(tx: Transaction) -> list[tuple[Any, ...]]:
    return list(tx.execute("SELECT event, level, payload FROM app_events"))


async def test_the_word_about_another_shard_is_not_taken_for_ours(door: Door) -> None:
    for name in (NAME, "shard-1"):
        row = await take(door, "first", name=name)
        await deposition.depose(door, name, epoch=row.epoch, by="ann", because=f"of {name}")
    for shard in (0, 1):
        word = (await lock_of(door, shard)).word
        assert word is not None
        assert word.because == f"of shard-{shard}"


async def test_nobody_is_deposed_when_nobody_holds_or_the_holder_changed(door: Door) -> None:
    nobody = await deposition.depose(door, NAME, epoch=1, by="ann", because="why not")
    assert nobody == NobodyHolds()
    await take(door, "first")
    await door.db.transact(run_out)
    second = await take(door, "second")
    changed = await deposition.depose(door, NAME, epoch=1, by="ann", because="why not")
    assert changed == HolderChanged()
    await door.db.fenced(NAME, second.epoch).transact(write)
    assert (await lock_of(door)).holder == "second"


async def test_an_instance_that_waits_is_listed_where_the_server_knows(
    address: DatabaseAddress, door: Door
) -> None:
    if not isinstance(address, PostgresAddress):
        assert (await lock_of(door)).waiting is None
        return
    async with (
        open_postgres_leases(address.url.reveal(), holder="first") as first,
        open_postgres_leases(address.url.reveal(), holder="second") as second,
    ):
        await first.acquire(NAME, holder="first", pid=1, ttl_s=TTL_S)
        await second.acquire(NAME, holder="second", pid=2, ttl_s=TTL_S)
        lock = await lock_of(door)
        assert (lock.holder, lock.waiting) == ("first", ("second",))
        assert lock.has_session_lock
        page = await page_of(door)
    assert "1 instance: second" in page
    assert "is seen at once" in page


async def test_the_json_has_what_the_page_has(door: Door) -> None:
    row = await take(door, "first")
    await deposition.depose(door, NAME, epoch=row.epoch, by="ann", because="it hangs")
    await take(door, "second")
    encoded = msgspec.json.encode(await read_locks(door, [Shard(0)]))
    shown: Mapping[str, list[dict[str, object]]] = msgspec.json.decode(encoded)
    [lock] = shown["shards"]
    assert (lock["leadership"], lock["holder"], lock["epoch"]) == ("led", "second", 2)
    assert isinstance(lock["handovers"], list)
    assert lock["handovers"][0]["word"]["because"] == "it hangs"


async def test_the_number_of_shards_is_the_databases_word(door: Door) -> None:
    assert await door.read(settled_shards) is None
    await door.db.transact(installation.settle, shards=3)
    assert await door.read(settled_shards) == 3


async def test_a_look_at_a_file_holds_up_no_writer(address: DatabaseAddress, door: Door) -> None:
    if not isinstance(address, SQLiteAddress):
        return
    with closing(connect(address.path, busy_timeout_s=0)) as service:

        def look_while_somebody_writes(tx: Transaction) -> LeaseRow | None:
            before = lease.read(tx, NAME)
            service.execute("BEGIN IMMEDIATE")
            service.execute("DELETE FROM lease")
            service.execute("COMMIT")
            assert lease.read(tx, NAME) is not None, "a look is at one moment"
            return before

        await take(door, "first")
        seen = await door.read(look_while_somebody_writes)
        assert seen is not None
        assert await door.read(lease.read, NAME) is None
