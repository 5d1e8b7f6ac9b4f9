"""Ordered, bounded stops, whatever the reason."""

import pytest
import trio

from tests.supervision.stage import Player, every_seed, fails_with, running
from trt.supervision import (
    Budget,
    Child,
    DidNotStop,
    RestartLimitExceeded,
    StartFailed,
    Supervisor,
    Tree,
)
from trt.supervision import SupervisionEvent as Event


def family(log: list[str], *, budget: Budget | None = None) -> tuple[Supervisor, list[Player]]:
    """Return a tree of two levels, a (b c) d, each needing a second to stop."""
    players = [Player(name, log, stop_s=1.0) for name in "abcd"]
    a, b, c, d = (Child(player.name, player) for player in players)
    sub = Supervisor("sub", [b, c])
    return Supervisor("root", [a, Child("sub", sub), d], budget=budget or Budget()), players


STOPPED = ["-d", "-c", "-b", "-a"]


@every_seed
async def test_a_requested_stop_goes_in_reverse_one_by_one() -> None:
    log: list[str] = []
    root, _ = family(log)
    async with running(root):
        log.clear()
        asked_at = trio.current_time()
    assert log == STOPPED
    assert trio.current_time() == asked_at + 4.0


@every_seed
async def test_the_order_holds_when_the_outer_scope_is_cancelled() -> None:
    log: list[str] = []
    root, _ = family(log)
    with trio.move_on_after(5):
        async with running(root):
            log.clear()
            await trio.sleep_forever()
    assert log == STOPPED


@every_seed
async def test_the_order_holds_when_a_child_is_interrupted_like_by_the_keyboard() -> None:
    log: list[str] = []
    root, players = family(log)

    async def story() -> None:
        async with running(root):
            log.clear()
            players[1].crash(KeyboardInterrupt())
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: ASYNC401 - however deep
        await story()
    assert caught.value.subgroup(KeyboardInterrupt) is not None
    assert log == ["-b", "-c", "-d", "-a"]


@every_seed
async def test_the_order_holds_when_a_sibling_crashes_during_the_stop() -> None:
    log: list[str] = []
    root, players = family(log)
    async with running(root) as tree:
        log.clear()
        tree.request_stop()
        await trio.sleep(0.5)
        players[0].crash()
    assert log in (["-a", "-d", "-c", "-b"], STOPPED)


@every_seed
async def test_the_order_holds_when_the_budget_is_spent() -> None:
    log: list[str] = []
    root, players = family(log, budget=Budget(0, 1.0))

    async def story() -> None:
        async with running(root):
            log.clear()
            players[3].crash()
            await trio.sleep_forever()

    await fails_with(RestartLimitExceeded, story)
    assert log == STOPPED


@every_seed
async def test_a_stop_during_the_start_stops_what_was_started() -> None:
    log: list[str] = []
    children = [Child(name, Player(name, log, start_s=2)) for name in "abc"]
    tree = Tree(Supervisor("root", children), lambda _: None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tree.run)
        await trio.sleep(3)
        tree.request_stop()
    assert log == ["+a", "+b", "-b", "-a"]


@every_seed
async def test_a_child_that_outlives_its_grace_is_cancelled_and_each_has_its_own() -> None:
    log: list[str] = []
    children = [
        Child("a", Player("a", log, stop_s=1), grace_s=5),
        Child("hung", Player("hung", log, stop_s=999), grace_s=3),
        Child("c", Player("c", log, stop_s=2), grace_s=5),
    ]
    heard: list[Event] = []
    async with running(Supervisor("root", children), heard) as tree:
        log.clear()
        asked_at = trio.current_time()
    assert log == ["-c", "-hung", "-a"]
    assert trio.current_time() == asked_at + 2 + 3 + 1
    assert tree.unstopped == ()


@every_seed
async def test_what_survives_its_cancellation_is_named_and_holds_up_nobody_else() -> None:
    log: list[str] = []
    children = [
        Child("a", Player("a", log)),
        Child("sub", Supervisor("sub", [
            Child("stone", Player("stone", log, stop_s=100, is_shielded=True), grace_s=1),
        ])),
    ]  # fmt: skip
    heard: list[Event] = []
    tree = Tree(Supervisor("root", children), heard.append)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        tree.request_stop()
        await trio.sleep(20)
        assert tree.unstopped == ("root/sub/stone",)
        assert log[-1] == "-a"
    assert log[-1] == "-stone"
    assert sum(isinstance(event, DidNotStop) for event in heard) == 1


@every_seed
async def test_an_error_in_a_cancelled_clean_up_stays_in_its_room() -> None:
    log: list[str] = []
    a = Player("a", log)

    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError

    class Nursing:
        async def run(self, _: object) -> None:
            async with trio.open_nursery() as nursery:  # noqa: ASYNC112 - the group is tested
                nursery.start_soon(fail_late)

    root = Supervisor("root", [Child("a", a), Child("n", Nursing(), start_timeout_s=1)])
    await fails_with(StartFailed, Tree(root, lambda _: None).run)
    assert log == ["+a", "-a"]
