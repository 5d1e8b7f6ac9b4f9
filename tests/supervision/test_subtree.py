"""An actor that runs a supervisor beneath itself, for as long as something holds."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.supervision.stage import Player, every_seed, mailbox, running
from trt.supervision import (
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    SupervisionEvent,
    Supervisor,
    Tree,
)


class Keeper:
    """Runs a branch until `until()` returns, again and again."""

    def __init__(
        self, make: Callable[[], Supervisor], until: Callable[[], Awaitable[None]]
    ) -> None:
        self.make = make
        self.until = until
        self.rounds = 0

    async def run(self, ctx: Context[Any]) -> None:
        ctx.ready()
        while not ctx.is_stopping:
            self.rounds += 1
            await ctx.run_subtree(self.make(), self.until)


def keeping(keeper: Keeper) -> Supervisor:
    return Supervisor("root", [Child("keeper", keeper)], backoff=Backoff(0.1, 1.0, 0.0))


async def ten_seconds() -> None:
    await trio.sleep(10)


@every_seed
async def test_a_branch_lives_exactly_as_long_as_its_lease() -> None:
    log: list[str] = []

    def branch() -> Supervisor:
        return Supervisor("active", [Child(n, Player(n, log, stop_s=1)) for n in "ab"])

    async with running(keeping(Keeper(branch, ten_seconds))) as tree:
        await trio.sleep(11.5)
        assert log == ["+a", "+b", "-b"]
        await trio.sleep(4)
        assert log == ["+a", "+b", "-b", "-a", "+a", "+b"]
        (keeper,) = tree.snapshot().children
        assert [c.path for c in keeper.children] == ["root/keeper/active"]
        assert [c.path for c in keeper.children[0].children] == [
            "root/keeper/active/a",
            "root/keeper/active/b",
        ]
    assert log[-2:] == ["-b", "-a"]


@every_seed
async def test_the_grace_of_the_keeper_leaves_room_for_its_branch() -> None:
    log: list[str] = []

    def branch() -> Supervisor:
        return Supervisor("active", [Child("a", Player("a", log, stop_s=8), grace_s=9)])

    async with running(keeping(Keeper(branch, trio.sleep_forever))):
        await trio.sleep(1)
        asked_at = trio.current_time()
    assert trio.current_time() == asked_at + 8
    assert log == ["+a", "-a"]


@every_seed
async def test_a_branch_that_gives_up_is_a_crash_of_its_keeper() -> None:
    log: list[str] = []
    player = Player("a", log)

    def branch() -> Supervisor:
        return Supervisor("active", [Child("a", player)], budget=Budget(0, 1.0))

    keeper = Keeper(branch, trio.sleep_forever)
    async with running(keeping(keeper)) as tree:
        await trio.sleep(1)  # the keeper is ready before its branch is
        player.crash()
        await trio.sleep(1)
        assert keeper.rounds == 2
        assert tree.snapshot().children[0].last_error == "RestartLimitExceeded"


@every_seed
async def test_an_error_of_until_comes_out_after_the_ordered_stop() -> None:
    log: list[str] = []

    class LeaseLost(Exception):  # noqa: N818
        pass

    async def lose() -> None:
        await trio.sleep(1)
        raise LeaseLost

    def branch() -> Supervisor:
        return Supervisor("active", [Child(n, Player(n, log)) for n in "ab"])

    async with running(keeping(Keeper(branch, lose))) as tree:
        await trio.sleep(1.05)
        assert log == ["+a", "+b", "-b", "-a"]
        assert tree.snapshot().children[0].last_error == "LeaseLost"


@every_seed
async def test_a_mailbox_may_serve_one_branch_after_another() -> None:
    seen: list[tuple[int, Any]] = []
    box = mailbox()

    class Reader:
        def __init__(self, number: int) -> None:
            self.number = number

        async def run(self, ctx: Context[Any]) -> None:
            async for turn in ctx.turns():
                message = turn.message
                seen.append((self.number, message))

    def branch() -> Supervisor:
        return Supervisor("active", [Child("r", Reader(keeper.rounds), mailbox=box)])

    keeper = Keeper(branch, ten_seconds)
    async with running(keeping(keeper)):
        await box.ref.tell("a")
        await trio.sleep(15)
        await box.ref.tell("b")
        await trio.sleep(1)
    assert seen == [(1, "a"), (2, "b")]
    with pytest.raises(ActorStopped):
        box.ref.tell_nowait("c")


@every_seed
async def test_the_keeper_has_its_own_grace_left_when_its_branch_took_long_to_stop() -> None:
    log: list[str] = []

    class Releasing:
        async def run(self, ctx: Context[Any]) -> None:
            ctx.ready()
            slow = Child("a", Player("a", log, stop_s=8), grace_s=9)
            await ctx.run_subtree(Supervisor("active", [slow]), trio.sleep_forever)
            await trio.sleep(1)
            log.append("released")

    async with running(Supervisor("root", [Child("keeper", Releasing(), grace_s=2)])):
        await trio.sleep(1)
    assert log == ["+a", "-a", "released"]


@every_seed
async def test_what_a_branch_leaves_in_its_mailboxes_is_a_dead_letter_at_once() -> None:
    class Slow:
        async def run(self, ctx: Context[Any]) -> None:
            async for _ in ctx.turns():
                await trio.sleep(15)

    box = mailbox()
    letters: list[DeadLetter] = []

    def branch() -> Supervisor:
        child = Child("s", Slow(), mailbox=box, on_dead_letter=letters.append, grace_s=20)
        return Supervisor("active", [child])

    async with running(keeping(Keeper(branch, ten_seconds))):
        box.ref.tell_nowait("in hand")
        box.ref.tell_nowait("left")
        await trio.sleep(16)
        assert [(letter.message, letter.reason) for letter in letters] == [("left", "stopped")]


@every_seed
async def test_a_tree_that_is_stopped_before_it_runs_starts_no_child() -> None:
    heard: list[SupervisionEvent] = []
    log: list[str] = []
    tree = Tree(Supervisor("root", [Child("a", Player("a", log))]), heard.append)
    async with trio.open_nursery() as nursery:
        tree.request_stop()
        await nursery.start(tree.run)
    assert [type(event).__name__ for event in heard] == ["Started", "StopRequested", "Stopped"]
    assert log == []
