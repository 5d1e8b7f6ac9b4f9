"""Starting, stopping, restarting and deleting children while their supervisor runs."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from tests.supervision.stage import Player, every_seed, fails_with, mailbox, running
from trt.supervision import (
    ActorStopped,
    AutoShutdown,
    Backoff,
    Budget,
    Child,
    DeadLetter,
    Refusal,
    Restart,
    RestartLimitExceeded,
    StartFailed,
    State,
    Strategy,
    Supervisor,
)

NO_WAIT = Backoff(0.0, 0.0, 0.0)


class Cast:
    """Players under one supervisor, addressed by name."""

    def __init__(self, *children: tuple[str, Restart, bool], **options: Any) -> None:
        self.log: list[str] = []
        self.players = {name: Player(name, self.log) for name, _, _ in children}
        options.setdefault("backoff", NO_WAIT)
        self.root = Supervisor(
            "root",
            [
                Child(name, self.players[name], restart=restart, is_significant=is_significant)
                for name, restart, is_significant in children
            ],
            **options,
        )

    async def news(self) -> list[str]:
        """Let the dust settle and return what happened since the last look."""
        await trio.sleep(1)
        happened = list(self.log)
        self.log.clear()
        return happened

    def joins(self, name: str, restart: Restart = Restart.PERMANENT, **options: Any) -> Child[Any]:
        self.players[name] = Player(name, self.log, **options)
        return Child(name, self.players[name], restart=restart)


def abc(**options: Any) -> Cast:
    return Cast(*((name, Restart.PERMANENT, False) for name in "abc"), **options)


def significant(
    auto_shutdown: AutoShutdown, restarts: Sequence[Restart] = (Restart.TRANSIENT,) * 2
) -> Cast:
    a, b = restarts
    return Cast(
        ("a", a, True), ("b", b, True), ("c", Restart.PERMANENT, False), auto_shutdown=auto_shutdown
    )


@every_seed
async def test_a_child_stopped_by_hand_stays_stopped_until_it_is_restarted_by_hand() -> None:
    cast = abc()
    async with running(cast.root) as tree:
        await cast.news()
        assert await cast.root.stop_child("b") is None
        assert await cast.root.stop_child("b") is None
        assert await cast.news() == ["-b"]
        assert tree.snapshot().children[1].state is State.STOPPED
        assert await cast.root.restart_child("b") is None
        assert await cast.news() == ["+b"]
        assert tree.snapshot().restarts_in_window == 0
    assert cast.log == ["-c", "-b", "-a"]


@every_seed
async def test_unlike_otp_a_group_restart_does_not_wake_a_child_stopped_by_hand() -> None:
    cast = abc(strategy=Strategy.ONE_FOR_ALL)
    async with running(cast.root):
        assert await cast.root.stop_child("b") is None
        await cast.news()
        cast.players["a"].crash()
        assert await cast.news() == ["-a", "-c", "+a", "+c"]


@every_seed
async def test_a_child_that_backs_off_can_be_stopped_by_hand() -> None:
    cast = abc(backoff=Backoff(60.0, 60.0, 0.0))
    async with running(cast.root) as tree:
        cast.players["b"].crash()
        await cast.news()
        assert tree.snapshot().children[1].state is State.BACKING_OFF
        assert await cast.root.restart_child("b") is Refusal.RESTARTING
        assert await cast.root.delete_child("b") is Refusal.RESTARTING
        assert await cast.root.stop_child("b") is None
        await trio.sleep(100)
        assert await cast.news() == []


@every_seed
async def test_the_mailbox_of_a_child_stopped_by_hand_is_closed_until_its_restart() -> None:
    letters: list[DeadLetter] = []
    box = mailbox()
    child = Child(
        "deaf", Player("deaf", []), mailbox=box, on_dead_letter=letters.append, grace_s=1.0
    )
    root = Supervisor("root", [child])
    async with running(root):
        box.ref.tell_nowait("waits")
        assert await root.stop_child("deaf") is None
        assert [(letter.message, letter.reason) for letter in letters] == [("waits", "stopped")]
        with pytest.raises(ActorStopped):
            box.ref.tell_nowait("too late")
        assert await root.restart_child("deaf") is None
        box.ref.tell_nowait("welcome")
        assert box.depth == 1


@every_seed
async def test_a_child_started_by_hand_is_the_last_and_is_restarted_like_the_others() -> None:
    cast = abc()
    async with running(cast.root):
        await cast.news()
        assert await cast.root.start_child(cast.joins("d")) is None
        cast.players["d"].crash()
        assert await cast.news() == ["+d", "-d", "+d"]
    assert cast.log == ["-d", "-c", "-b", "-a"]


@every_seed
async def test_every_refusal_says_why() -> None:
    cast = abc(children_max=4)
    root = cast.root
    assert await root.stop_child("a") is Refusal.NOT_RUNNING
    async with running(root):
        assert await root.start_child(cast.joins("a")) is Refusal.ALREADY_STARTED
        assert await root.restart_child("b") is Refusal.RUNNING
        assert await root.delete_child("b") is Refusal.RUNNING
        assert await root.stop_child("b") is None
        assert await root.start_child(cast.joins("b")) is Refusal.ALREADY_PRESENT
        assert await root.delete_child("b") is None
        for order in (root.stop_child, root.restart_child, root.delete_child):
            assert await order("b") is Refusal.NOT_FOUND
        assert await root.start_child(cast.joins("b")) is None


@every_seed
async def test_the_maximum_counts_children_that_wait_for_a_restart_but_not_the_stopped() -> None:
    cast = abc(children_max=3, backoff=Backoff(60.0, 60.0, 0.0))
    async with running(cast.root):
        cast.players["a"].crash()
        await cast.news()
        assert await cast.root.start_child(cast.joins("d")) is Refusal.FULL
        assert await cast.root.stop_child("b") is None
        assert await cast.root.start_child(cast.joins("d")) is None
        assert await cast.root.restart_child("b") is Refusal.FULL


@every_seed
async def test_a_child_that_fails_to_start_by_hand_is_not_kept_and_costs_no_budget() -> None:
    cast = abc(budget=Budget(0, 1.0))
    async with running(cast.root) as tree:
        await cast.news()
        bad = cast.joins("d", fails_to_start=lambda _: True)
        error = await fails_with(StartFailed, lambda: cast.root.start_child(bad))
        assert isinstance(error.__cause__, RuntimeError)
        assert await cast.news() == ["+d", "-d"]
        assert tree.snapshot().children_total == 3


@every_seed
async def test_a_temporary_child_started_by_hand_leaves_no_trace() -> None:
    cast = abc()
    async with running(cast.root) as tree:
        for end in (Player.crash, Player.finish):
            assert await cast.root.start_child(cast.joins("t", Restart.TEMPORARY)) is None
            assert tree.snapshot().children_total == 4
            end(cast.players["t"])
            await cast.news()
            assert tree.snapshot().children_total == 3


@every_seed
async def test_a_supervisor_that_is_restarted_begins_with_its_declaration() -> None:
    log: list[str] = []
    players = {name: Player(name, log) for name in "abd"}
    sub = Supervisor("sub", [Child(n, players[n]) for n in "ab"], budget=Budget(0, 1.0))
    async with running(Supervisor("root", [Child("sub", sub)], backoff=NO_WAIT)):
        assert await sub.stop_child("a") is None
        assert await sub.start_child(Child("d", players["d"])) is None
        log.clear()
        players["b"].crash()
        await trio.sleep(1)
        assert log == ["-b", "-d", "+a", "+b"]


@every_seed
async def test_an_order_during_the_stop_is_refused() -> None:
    cast = abc()
    cast.players["c"].stop_s = 3.0
    refusals: list[Refusal | None] = []

    async def order() -> None:
        refusals.append(await cast.root.stop_child("a"))

    async with trio.open_nursery() as nursery, running(cast.root) as tree:
        nursery.start_soon(cast.root.stop_child, "c")
        await trio.sleep(1)
        nursery.start_soon(order)
        await trio.sleep(1)
        tree.request_stop()
    assert refusals == [Refusal.NOT_RUNNING]
    assert cast.log[3:] == ["-c", "-b", "-a"]


@every_seed
async def test_any_significant_child_that_ends_by_itself_ends_its_supervisor() -> None:
    cast = significant(AutoShutdown.ANY_SIGNIFICANT)
    async with running(cast.root):
        await cast.news()
        cast.players["a"].finish()
        assert await cast.news() == ["-a", "-c", "-b"]


@every_seed
async def test_all_significant_children_have_to_end_before_their_supervisor_does() -> None:
    cast = significant(AutoShutdown.ALL_SIGNIFICANT, (Restart.TRANSIENT, Restart.TEMPORARY))
    async with running(cast.root):
        await cast.news()
        cast.players["b"].crash()
        assert await cast.news() == ["-b"]
        cast.players["a"].crash()
        assert await cast.news() == ["-a", "+a"]
        cast.players["a"].finish()
        assert await cast.news() == ["-a", "-c"]


@every_seed
async def test_a_stop_by_hand_never_ends_the_supervisor() -> None:
    cast = significant(AutoShutdown.ANY_SIGNIFICANT)
    async with running(cast.root):
        await cast.news()
        for name in "ab":
            assert await cast.root.stop_child(name) is None
        assert await cast.news() == ["-a", "-b"]
        assert await cast.root.restart_child("a") is None
        assert await cast.news() == ["+a"]


@every_seed
async def test_a_stop_for_a_sibling_never_ends_the_supervisor() -> None:
    cast = Cast(
        ("a", Restart.PERMANENT, False),
        ("t", Restart.TEMPORARY, True),
        strategy=Strategy.ONE_FOR_ALL,
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    async with running(cast.root):
        await cast.news()
        cast.players["a"].crash()
        assert await cast.news() == ["-a", "-t", "+a"]


@every_seed
async def test_an_auto_shutdown_is_a_normal_end_for_the_parent() -> None:
    for restart, happened in (
        (Restart.TRANSIENT, ["-a", "-c", "-b"]),
        (Restart.PERMANENT, ["-a", "-c", "-b", "+a", "+b", "+c"]),
    ):
        cast = significant(AutoShutdown.ANY_SIGNIFICANT)
        top = Supervisor("top", [Child("root", cast.root, restart=restart)], backoff=NO_WAIT)
        async with running(top):
            await cast.news()
            cast.players["a"].finish()
            assert await cast.news() == happened


@every_seed
async def test_unlike_otp_a_supervisor_that_gives_up_under_a_transient_parent_is_a_crash() -> None:
    cast = abc(budget=Budget(0, 1.0))
    top = Supervisor(
        "top", [Child("root", cast.root, restart=Restart.TRANSIENT)], budget=Budget(0, 1.0)
    )

    async def story() -> None:
        async with running(top):
            cast.players["a"].crash()
            await trio.sleep_forever()

    await fails_with(RestartLimitExceeded, story)


def test_what_cannot_be_significant_is_refused_at_declaration() -> None:
    actor = Player("a", [])
    with pytest.raises(AssertionError, match="permanent"):
        Child("a", actor, is_significant=True)
    child = Child("a", actor, restart=Restart.TRANSIENT, is_significant=True)
    with pytest.raises(AssertionError, match="nothing follows"):
        Supervisor("root", [child])
    with pytest.raises(AssertionError, match="too many"):
        Supervisor("root", [Child("a", actor)], children_max=0)
