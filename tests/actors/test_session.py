"""Sessions: few are at work at a time, and a stop finds nobody in line."""

from typing import Any, cast

import trio
import trio.testing
from attrs import define, evolve, field

from tests.actors.test_in_hand import board, row
from trt.actors.handling import AlreadyEnded
from trt.actors.in_hand import InHand
from trt.actors.session import HandleUpdate, SessionActor, SessionParts
from trt.domain.ids import Shard, UpdateId, UserId
from trt.storage.database import Database
from trt.storage.inbox import InboxRow
from trt.supervision import Child, Directory, Supervisor, Tree
from trt.testing.virtual_time import VirtualSources

AT_WORK_MAX = 2


@define
class SlowDatabase:
    """Ends no transaction before it is told to."""

    opens: trio.Event = field(factory=trio.Event)
    begun: list[UpdateId] = field(factory=list)

    async def transact(self, _: object, row: InboxRow, *__: object) -> AlreadyEnded:
        self.begun.append(row.update_id)
        await self.opens.wait()
        return AlreadyEnded()


def sessions(db: SlowDatabase, in_hand: InHand) -> Directory[UserId, HandleUpdate]:
    nothing = cast("Any", None)
    parts = SessionParts(
        db=cast("Database", db),
        sources=VirtualSources(0),
        events=nothing,
        shop=nothing,
        books=nothing,
        epoch=1,
        shard=Shard(0),
        wake_delivery=lambda: None,
        start_job=lambda _: None,
        in_hand=in_hand,
        leash=trio.CancelScope,
        at_work=trio.CapacityLimiter(AT_WORK_MAX),
    )
    return Directory("sessions", lambda _: SessionActor(parts), mailbox_capacity=8, live_max=100)


async def test_a_stop_waits_for_who_is_at_work_and_hands_back_who_is_in_line() -> None:
    db, (in_hand, _, _) = SlowDatabase(), board()
    users = sessions(db, in_hand)
    tree = Tree(Supervisor("root", [Child("sessions", users)]), on_event=lambda _: None)
    rows = [evolve(row(number), user_id=UserId(number)) for number in range(4)]
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        for each in rows:
            assert in_hand.take(each)
            users.tell_nowait(each.user_id, HandleUpdate(each))
        await trio.testing.wait_all_tasks_blocked()
        assert len(db.begun) == AT_WORK_MAX
        tree.request_stop()
        await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
    assert len(db.begun) == AT_WORK_MAX
    handed_back = [each.update_id for each in rows if in_hand.take(each)]
    assert handed_back == [each.update_id for each in rows if each.update_id not in db.begun]


async def test_who_is_in_line_comes_in_when_another_is_done() -> None:
    db, (in_hand, _, _) = SlowDatabase(), board()
    users = sessions(db, in_hand)
    tree = Tree(Supervisor("root", [Child("sessions", users)]), on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        for number in range(4):
            each = evolve(row(number), user_id=UserId(number))
            in_hand.take(each)
            users.tell_nowait(each.user_id, HandleUpdate(each))
        await trio.testing.wait_all_tasks_blocked()
        db.opens.set()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(db.begun) == [UpdateId(number) for number in range(4)]
        tree.request_stop()
