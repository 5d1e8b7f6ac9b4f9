"""What keeps an actor at rest small and quick changes nothing that anybody sees."""

from typing import Any

import trio
import trio.testing

from tests.supervision.stage import every_seed
from trt.supervision import Backoff, Budget, Child, Context, Mailbox, Poison, Supervisor, Tree
from trt.supervision.stop_signal import StopSignal


@every_seed
async def test_a_stop_is_heard_before_and_after_somebody_waits() -> None:
    stop = StopSignal()
    stop.request(is_final=True)
    with trio.fail_after(1.0):
        await stop.wait()
    stop = StopSignal()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop.wait)
        await trio.testing.wait_all_tasks_blocked()
        stop.request(is_final=False)


@every_seed
async def test_the_age_of_a_message_counts_from_when_it_was_sent() -> None:
    """Also of one that came while its actor was busy, or while it waited for its restart."""
    box = Mailbox[str]("actor", 100)
    ages = dict[str, float]()

    class Busy:
        async def run(self, ctx: Context[Any]) -> None:
            async for turn in ctx.turns():
                if turn.message == "crash":
                    raise ValueError
                ages[turn.message] = turn.age_s
                await trio.sleep(10)

    child = Child("actor", Busy(), mailbox=box, poison=Poison(0))
    root = Supervisor("root", [child], budget=Budget(9), backoff=Backoff(8.0, 8.0))
    tree = Tree(root, on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.sleep(5)
        box.ref.tell_nowait("at rest")
        await trio.sleep(4)
        box.ref.tell_nowait("while busy")
        assert box.statistics().oldest_age_s == 0.0
        await trio.sleep(20)
        box.ref.tell_nowait("crash")
        await trio.sleep(5)
        box.ref.tell_nowait("while down")
        assert box.statistics().oldest_age_s == 0.0
        await trio.sleep(5)
        tree.request_stop()
    assert ages == {"at rest": 0.0, "while busy": 6.0, "while down": 3.0}
