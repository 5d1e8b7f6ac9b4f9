"""A complaint is looked up by index: no table is read from end to end while people are served."""

import re
from collections.abc import Callable
from datetime import datetime

from attrs import field, frozen

from tests.ops.samples import CID, NOW, USER, play_delivered_job
from trt.ops.database_door import Door
from trt.ops.story_rows import cids_of_user, traces_of
from trt.storage.database import Parameters, Rows, Transaction

SCANNED = re.compile(r"Seq Scan on (\w+)|SCAN (?:TABLE )?(\w+)")
NO_TABLE = {"taps", "CONSTANT"}
"""What the engines call the rows of a subquery."""


@frozen
class Explaining:
    """A transaction that asks for the plan of each statement before it runs it."""

    tx: Transaction
    explain: str
    scanned: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)

    def execute(self, sql: str, parameters: Parameters = (), /) -> Rows:
        self.asked.append(sql)
        for row in self.tx.execute(self.explain + sql, parameters):
            for names in SCANNED.findall(" ".join(str(column) for column in row)):
                self.scanned.extend(name for name in names if name and name not in NO_TABLE)
        return self.tx.execute(sql, parameters)

    def clock(self) -> datetime:
        return self.tx.clock()

    def notify(self, topic: str) -> None:
        self.tx.notify(topic)


async def scanned_by(door: Door, work: Callable[[Transaction], object]) -> tuple[list[str], int]:
    """Return the tables that are read from end to end, and how many statements were looked at."""

    def run(tx: Transaction) -> tuple[list[str], int]:
        explain = "EXPLAIN QUERY PLAN "
        if door.engine.startswith("PostgreSQL"):
            explain = "EXPLAIN "
            tx.execute("SET LOCAL enable_seqscan = off")  # so small it would read all of it
        explaining = Explaining(tx, explain)
        work(explaining)
        return explaining.scanned, len(explaining.asked)

    return await door.db.transact(run)


async def test_the_story_of_a_tap_scans_no_table(door: Door) -> None:
    await door.db.transact(play_delivered_job)
    assert await scanned_by(door, lambda tx: traces_of(tx, CID)) == ([], 8)


async def test_the_taps_of_a_user_scan_no_table(door: Door) -> None:
    await door.db.transact(play_delivered_job)
    found = await scanned_by(door, lambda tx: cids_of_user(tx, USER, since=NOW, limit=9))
    assert found == ([], 1)


async def test_a_scan_would_be_seen(door: Door) -> None:
    sql = "SELECT 1 FROM jobs WHERE model_id || cid = 'x'"
    assert await scanned_by(door, lambda tx: tx.execute(sql)) == (["jobs"], 1)
