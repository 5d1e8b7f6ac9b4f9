"""What restarts keep, whoever restarts whom: the mailbox, what waits in it, and its order."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from attrs import field, frozen

from tests.supervision.stage import Player, every_seed, mailbox, running
from trt.supervision import (
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Context,
    Crashed,
    DeadLetter,
    Mailbox,
    Refusal,
    Restart,
    Restarting,
    State,
    Strategy,
    SupervisionEvent,
    Supervisor,
)

BACKOFF = Backoff(2.0, 2.0, 0.0)


@frozen
class Reader:
    """Handles a message in a second, and notes it with its attempt."""

    seen: list[tuple[Any, int]] = field(factory=list)

    async def run(self, ctx: Context[Any]) -> None:
        async for turn in ctx.turns():
            await trio.sleep(1)
            self.seen.append((turn.message, turn.attempt))


@frozen
class Desk:
    """A reader, its mailbox and its dead letters, and somebody whose crash restarts it."""

    grace_s: float = 5.0
    drains: bool = False
    restart: Restart = Restart.PERMANENT
    box: Mailbox[Any] = field(factory=lambda: mailbox(4))
    reader: Reader = field(factory=Reader)
    letters: list[DeadLetter] = field(factory=list)
    trouble: Player = field(factory=lambda: Player("trouble", []))

    def reads(self) -> Child[Any]:
        return Child(
            "reader",
            self.reader,
            mailbox=self.box,
            restart=self.restart,
            grace_s=self.grace_s,
            drains=self.drains,
            on_dead_letter=self.letters.append,
        )

    def crashes(self) -> Child[Any]:
        return Child("trouble", self.trouble)

    def undelivered(self) -> list[tuple[object, str]]:
        return [(letter.message, letter.reason) for letter in self.letters]


def under(*children: Child[Any], strategy: Strategy = Strategy.ONE_FOR_ONE) -> Supervisor:
    return Supervisor("root", children, strategy=strategy, backoff=BACKOFF)


def sub(*children: Child[Any], budget: Budget = Budget(3, 30.0)) -> Child[Any]:  # noqa: B008
    return Child("sub", Supervisor("sub", children, budget=budget, backoff=BACKOFF))


WAYS: dict[str, Callable[[Desk], Supervisor]] = {
    "its supervisor gives up": lambda desk: under(
        sub(desk.reads(), desk.crashes(), budget=Budget(0))
    ),
    "its supervisor gives up two floors below": lambda desk: under(
        sub(sub(desk.reads()), desk.crashes(), budget=Budget(0))
    ),
    "its supervisor restarts for the rest": lambda desk: under(
        desk.crashes(), sub(desk.reads()), strategy=Strategy.REST_FOR_ONE
    ),
    "its supervisor restarts with all": lambda desk: under(
        sub(desk.reads()), desk.crashes(), strategy=Strategy.ONE_FOR_ALL
    ),
    "it restarts for the rest": lambda desk: under(
        desk.crashes(), desk.reads(), strategy=Strategy.REST_FOR_ONE
    ),
    "it restarts with all": lambda desk: under(
        desk.reads(), desk.crashes(), strategy=Strategy.ONE_FOR_ALL
    ),
}

each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@each_way
def test_what_waits_in_a_mailbox_and_for_room_in_it_outlives_the_restart_in_order(
    way: Callable[[Desk], Supervisor],
) -> None:
    """The turn in hand ends within its grace, or comes first once more."""

    async def story() -> None:
        for grace_s, first in ((5.0, [(0, 1)]), (0.25, [(0, 2)])):
            desk = Desk(grace_s)
            ref = desk.box.ref
            async with running(way(desk)), trio.open_nursery() as senders:
                for number in range(7):
                    senders.start_soon(ref.tell, number)
                    await trio.testing.wait_all_tasks_blocked()
                assert desk.box.statistics().waiting_senders == 2
                await trio.sleep(0.5)
                desk.trouble.crash()
                await trio.sleep(0.75)
                # Nobody reads now, but the ref is good.
                senders.start_soon(ref.tell, 7)
                await trio.sleep(60)
                assert desk.reader.seen == [*first, *((number, 1) for number in range(1, 8))]
            assert desk.trouble.incarnation == 2
            assert desk.letters == []

    every_seed(story)()


@every_seed
async def test_a_draining_child_drains_at_a_stop_by_hand() -> None:
    desk = Desk(grace_s=2.5, drains=True)
    root = under(desk.reads())
    async with running(root):
        for number in range(4):
            desk.box.ref.tell_nowait(number)
        await trio.testing.wait_all_tasks_blocked()
        assert await root.stop_child("reader") is None
        assert trio.current_time() == 2.5
        assert desk.reader.seen == [(0, 1), (1, 1)]
        assert desk.undelivered() == [(2, "stopped"), (3, "stopped")]
        with pytest.raises(ActorStopped):
            desk.box.ref.tell_nowait(4)


@each_way
def test_a_draining_child_does_not_drain_for_a_restart(way: Callable[[Desk], Supervisor]) -> None:
    async def story() -> None:
        desk = Desk(drains=True)
        async with running(way(desk)):
            for number in range(4):
                desk.box.ref.tell_nowait(number)
            await trio.testing.wait_all_tasks_blocked()
            desk.trouble.crash()
            await trio.sleep(1.25)
            assert (desk.reader.seen, desk.box.depth) == ([(0, 1)], 3)
            await trio.sleep(10)
            assert desk.reader.seen == [(number, 1) for number in range(4)]
        assert desk.letters == []

    every_seed(story)()


@every_seed
async def test_a_restart_by_hand_serves_the_same_mailbox_and_touches_no_other() -> None:
    stopped, beside = Desk(), Desk()
    neighbour = Child("neighbour", beside.reader, mailbox=beside.box)
    root = under(stopped.reads(), neighbour)
    async with running(root):
        for number in range(3):
            stopped.box.ref.tell_nowait(number)
            beside.box.ref.tell_nowait(number)
        await trio.testing.wait_all_tasks_blocked()
        assert await root.stop_child("reader") is None
        assert stopped.undelivered() == [(1, "stopped"), (2, "stopped")]
        assert await root.restart_child("reader") is None
        for number in (3, 4):
            stopped.box.ref.tell_nowait(number)
        await trio.sleep(10)
        assert stopped.reader.seen == [(0, 1), (3, 1), (4, 1)]
        assert beside.reader.seen == [(0, 1), (1, 1), (2, 1)]


@every_seed
async def test_a_supervisor_that_is_restarted_by_hand_serves_the_same_mailboxes() -> None:
    desk = Desk()
    root = under(sub(desk.reads()))
    async with running(root):
        desk.box.ref.tell_nowait(0)
        desk.box.ref.tell_nowait(1)
        await trio.testing.wait_all_tasks_blocked()
        assert await root.stop_child("sub") is None
        assert desk.undelivered() == [(1, "stopped")]
        with pytest.raises(ActorStopped):
            desk.box.ref.tell_nowait(2)
        assert await root.restart_child("sub") is None
        desk.box.ref.tell_nowait(3)
        await trio.sleep(10)
    assert desk.reader.seen == [(0, 1), (3, 1)]


@every_seed
async def test_a_declared_temporary_child_that_has_ended_can_be_restarted_by_hand() -> None:
    for end, state in ((Player.crash, State.FAILED), (Player.finish, State.STOPPED)):
        player, box = Player("t", []), mailbox()
        root = under(Child("t", player, mailbox=box, restart=Restart.TEMPORARY))
        async with running(root) as tree:
            for incarnation in (1, 2):
                end(player)
                await trio.sleep(1)
                assert tree.snapshot().children[0].state is state
                with pytest.raises(ActorStopped):
                    box.ref.tell_nowait("too late")
                assert await root.restart_child("t") is None
                assert await root.restart_child("t") is Refusal.RUNNING
                assert player.incarnation == incarnation + 1
                box.ref.tell_nowait("welcome")
            assert tree.snapshot().restarts_in_window == 0


@every_seed
async def test_a_temporary_child_started_by_hand_cannot_be_restarted_once_it_has_ended() -> None:
    for end in (Player.crash, Player.finish):
        player = Player("t", [])
        root = under()
        async with running(root):
            assert await root.start_child(Child("t", player, restart=Restart.TEMPORARY)) is None
            assert await root.restart_child("t") is Refusal.RUNNING
            end(player)
            await trio.sleep(1)
            assert await root.restart_child("t") is Refusal.NOT_FOUND
            assert await root.stop_child("t") is Refusal.NOT_FOUND
            assert await root.start_child(Child("t", player, restart=Restart.TEMPORARY)) is None
            assert await root.stop_child("t") is None
            assert await root.restart_child("t") is Refusal.NOT_FOUND


# Two of four crash in the same instant


async def crash_at_once(strategy: Strategy, *names: str) -> tuple[list[str], list[str], int]:
    """Return who crashed, in order, who was started after that, in order, and what it cost."""
    log: list[str] = []
    players = {name: Player(name, log) for name in "abcd"}
    root = under(*(Child(name, player) for name, player in players.items()), strategy=strategy)
    heard: list[SupervisionEvent] = []
    async with running(root, heard) as tree:
        log.clear()
        for name in names:
            players[name].crash()
        await trio.sleep(10)
        counted = tree.snapshot().restarts_in_window
        crashed = [event.path[-1] for event in heard if isinstance(event, Crashed)]
        assert sum(isinstance(event, Restarting) for event in heard) == counted
        assert all(player.is_up for player in players.values())
    return crashed, [entry[1:] for entry in log if entry.startswith("+")], counted


@every_seed
async def test_two_crashes_at_once_restart_all_of_one_for_all_once_and_count_once() -> None:
    for names in ("ab", "ba", "bd", "db", "da"):
        crashed, started, counted = await crash_at_once(Strategy.ONE_FOR_ALL, *names)
        assert crashed[0] in names
        assert (started, counted) == (list("abcd"), 1)


@every_seed
async def test_two_crashes_at_once_restart_the_rest_once_and_count_once_for_each_group() -> None:
    """If the later one crashes first, the earlier one is not of its group, and counts as well."""
    for names in ("bd", "db", "cd"):
        crashed, started, counted = await crash_at_once(Strategy.REST_FOR_ONE, *names)
        assert sorted(crashed) == sorted(names)
        first = min(names)
        assert started == [name for name in "abcd" if name >= first]
        assert counted == (1 if crashed[0] == first else 2)
