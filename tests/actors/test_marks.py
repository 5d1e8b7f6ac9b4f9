"""What became of sends is written in few transactions, and none of it is lost."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
import trio
import trio.testing
from attrs import define, field

from trt.actors.marks import Marks
from trt.domain.ids import MessageId
from trt.storage.database import Database
from trt.storage.outbox import OutboxId, Outcome, Sent, Skipped
from trt.testing.virtual_time import VirtualSources


@define
class SlowDatabase:
    """Ends no transaction before it is told to; notes what each of them marks."""

    opens: trio.Event = field(factory=trio.Event)
    marked: list[list[int]] = field(factory=list)
    failures: list[Exception] = field(factory=list)

    async def transact(self, _: object, outcomes: Sequence[Outcome], **__: object) -> None:
        self.marked.append([each.outbox_id for each in outcomes])
        await self.opens.wait()
        if self.failures:
            raise self.failures.pop()


def marks(db: SlowDatabase) -> Marks:
    return Marks(cast("Database", db), VirtualSources(0), epoch=1)


def sent(number: int) -> Sent:
    return Sent(outbox_id=OutboxId(number), message_id=MessageId(number))


async def test_outcomes_that_come_during_a_transaction_share_the_next_one() -> None:
    db = SlowDatabase()
    writer, written = marks(db), list[int]()

    async def write(number: int) -> None:
        await writer.write(sent(number))
        written.append(number)

    async with trio.open_nursery() as nursery:
        for number in (5, 9, 3, 7):
            nursery.start_soon(write, number)
            await trio.testing.wait_all_tasks_blocked()
        assert len(db.marked) == 1
        assert written == [], "nobody goes on before it is committed"
        db.opens.set()
    assert db.marked == [[5], [3, 7, 9]], "in the order of their numbers"
    assert sorted(written) == [3, 5, 7, 9]


async def test_the_next_in_line_writes_what_a_failed_transaction_was_to_write() -> None:
    db = SlowDatabase(failures=[ValueError("not this time")])
    writer, failed = marks(db), list[int]()

    async def write(number: int) -> None:
        try:
            await writer.write(sent(number))
        except ValueError:
            failed.append(number)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write, 1)
        await trio.testing.wait_all_tasks_blocked()
        db.failures.append(ValueError("nor this time"))
        for number in (2, 3):
            nursery.start_soon(write, number)
            await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
    assert db.marked == [[1], [2, 3], [2, 3]]
    assert failed == [1, 2], "who wrote hears of it, and nobody else"


async def test_what_happened_is_written_also_when_its_writer_is_cancelled_in_line() -> None:
    db = SlowDatabase()
    writer, gone = marks(db), trio.CancelScope()

    async def write(number: int, scope: trio.CancelScope) -> None:
        with scope:
            await writer.write(Skipped(outbox_id=OutboxId(number)))

    async with trio.open_nursery() as nursery:
        for number, scope in ((1, trio.CancelScope()), (2, gone), (3, trio.CancelScope())):
            nursery.start_soon(write, number, scope)
            await trio.testing.wait_all_tasks_blocked()
        gone.cancel()
        await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
    assert db.marked == [[1], [2, 3]]


@pytest.mark.parametrize("count", [1, 2])
async def test_outcomes_one_after_the_other_need_a_transaction_each(count: int) -> None:
    db: Any = SlowDatabase()
    db.opens.set()
    writer = marks(db)
    for number in range(count):
        await writer.write(sent(number))
    assert db.marked == [[number] for number in range(count)]
