"""The event log writes a few batches a second, however many events there are, and all of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import trio
from attrs import define, field

from trt.actors.event_log import BATCH_MAX, GATHER_S, EventLog
from trt.storage.app_events import AppEvent
from trt.storage.database import Database
from trt.supervision import Child, Mailbox, Supervisor, Tree
from trt.telemetry.events import Event, EventName, Level
from trt.testing.virtual_time import VirtualSources


@define
class CountingDatabase:
    """Notes how many events each transaction writes."""

    sizes: list[int] = field(factory=list)

    async def transact(self, _: object, rows: Sequence[AppEvent] = (), **__: object) -> int:
        await trio.lowlevel.checkpoint()
        if rows:
            self.sizes.append(len(rows))
        return 0


def event() -> Event:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    return Event(name=EventName.UPDATE_RECEIVED, level=Level.INFO, at=at, fields={"cid": "c"})


async def test_events_gather_and_a_stop_waits_for_none_of_them(autojump_clock: object) -> None:
    db, box = CountingDatabase(), Mailbox[Event]("event_log", 4 * BATCH_MAX)
    log = EventLog(cast("Database", db), VirtualSources(0))
    child = Child("event_log", log, mailbox=box, drains=True)
    tree = Tree(Supervisor("root", [child]), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        for _ in range(20):
            box.ref.tell_nowait(event())
            await trio.sleep(GATHER_S * 0.13)
        assert db.sizes == [1, 7, 8], "the first at once"
        for _ in range(2 * BATCH_MAX):
            box.ref.tell_nowait(event())
        stopped_at = trio.current_time()
        tree.request_stop()
    assert sum(db.sizes) == 20 + 2 * BATCH_MAX
    assert trio.current_time() == stopped_at


async def test_a_flood_is_written_without_a_pause(autojump_clock: object) -> None:
    db, box = CountingDatabase(), Mailbox[Event]("event_log", 4 * BATCH_MAX)
    log = EventLog(cast("Database", db), VirtualSources(0))
    for _ in range(3 * BATCH_MAX):
        box.ref.tell_nowait(event())
    tree = Tree(Supervisor("root", [Child("event_log", log, mailbox=box)]), on_event=lambda _: None)
    began_at = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.sleep(GATHER_S / 2)
        assert db.sizes == [BATCH_MAX] * 3
        assert trio.current_time() == began_at + GATHER_S / 2
        tree.request_stop()
