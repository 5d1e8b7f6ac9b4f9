"""The delivery takes nothing new once its branch stops; a restart of the group is not the end."""

from typing import Any, cast

import pytest
import trio
import trio.testing
from attrs import define, field

from trt.actors.delivery import Delivery, DeliveryParts, RowsWaiting
from trt.actors.last_call import Closing, LastCall
from trt.actors.result_sending import ResultCourier
from trt.actors.sending import Courier
from trt.storage.database import Database
from trt.supervision import Backoff, Child, Context, Mailbox, Strategy, Supervisor, Tree
from trt.testing.virtual_time import VirtualSources


@define
class CountingDatabase:
    """Has nothing to send, and counts who asks."""

    claims: int = 0

    async def transact(self, _: object, **__: object) -> list[object]:
        await trio.lowlevel.checkpoint()
        self.claims += 1
        return []


@define
class Witness:
    """Notes whether the word was given when it is asked to stop itself."""

    closing: Closing
    seen: list[bool] = field(factory=list)

    async def run(self, ctx: Context[None]) -> None:
        ctx.ready()
        await ctx.wait_stopping()
        self.seen.append(self.closing.is_on)


class Frail:
    """Crashes once, when it is told to."""

    def __init__(self) -> None:
        self.falls = trio.Event()

    async def run(self, ctx: Context[None]) -> None:
        ctx.ready()
        if not self.falls.is_set():
            with ctx.stop.interrupts():
                await self.falls.wait()
                raise ValueError("a crash on purpose")
        await ctx.wait_stopping()


async def test_it_gives_the_word_before_anybody_else_of_the_branch_stops(
    autojump_clock: object,
) -> None:
    closing, frail, wakes = Closing(is_on=True), Frail(), list[None]()
    witness = Witness(closing)
    children: list[Child[Any]] = [
        Child("witness", witness),
        Child("frail", frail),
        Child("last_call", LastCall(closing, lambda: wakes.append(None))),
    ]
    root = Supervisor("branch", children, strategy=Strategy.REST_FOR_ONE, backoff=Backoff(5.0, 5.0))
    tree = Tree(root, on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        assert (closing.is_on, len(wakes)) == (False, 1)
        frail.falls.set()
        await trio.sleep(1.0)  # the group waits for its restart
        assert not closing.is_on
        await trio.sleep(9.0)
        assert (closing.is_on, len(wakes)) == (False, 2)
        tree.request_stop()
    assert witness.seen == [True]


@pytest.mark.parametrize("is_on", [False, True])
async def test_delivery_claims_nothing_once_the_word_is_given(*, is_on: bool) -> None:
    db, closing, box = CountingDatabase(), Closing(), Mailbox[RowsWaiting]("delivery", 8)
    nothing = cast("Any", None)
    parts = DeliveryParts(
        db=cast("Database", db),
        sources=VirtualSources(0),
        events=nothing,
        courier=Courier(
            telegram=nothing,
            results=ResultCourier(telegram=nothing, kie=nothing, events=nothing, retry_s=1.0),
            taps=nothing,
        ),
        clerk=cast("Any", Clerkless()),
        closing=closing,
        wake=lambda: None,
    )
    root = Supervisor("root", [Child("delivery", Delivery(parts), mailbox=box)])
    tree = Tree(root, on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.testing.wait_all_tasks_blocked()
        assert db.claims == 1
        closing.is_on = is_on
        box.ref.tell_nowait(RowsWaiting())
        await trio.testing.wait_all_tasks_blocked()
        assert db.claims == (1 if is_on else 2)
        closing.is_on = False
        box.ref.tell_nowait(RowsWaiting())
        await trio.testing.wait_all_tasks_blocked()
        assert db.claims == (2 if is_on else 3)
        tree.request_stop()


class Clerkless:
    """As much of a clerk as a delivery that sends nothing needs."""

    epoch = 1
    shard = 0
