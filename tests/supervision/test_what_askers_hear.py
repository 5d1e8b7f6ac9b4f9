"""Whoever asks an actor that ends hears of it when it ends, not at the deadline of the question."""

from typing import Any

import trio
import trio.testing

from tests.supervision.askers import BACKOFF, TIMEOUT_S, Ends, asking, hang, keyed
from tests.supervision.handlers import Handler, double, one
from tests.supervision.stage import Player, every_seed, fails_with, mailbox, running
from trt.supervision import (
    ActorCrashed,
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Context,
    Restart,
    RestartLimitExceeded,
    StartFailed,
    Strategy,
    Supervisor,
    Tree,
    Turn,
)


class ReadsOne:
    """Answers one question after `work_s`, and has done its work."""

    def __init__(self, work_s: float) -> None:
        self.work_s = work_s

    async def run(self, ctx: Context[Any]) -> None:
        async for turn in ctx.turns():
            await trio.sleep(self.work_s)
            await double(turn)
            return


# The actor ends by itself, for good


@every_seed
async def test_a_completed_actor_leaves_no_asker_waiting_neither_in_its_mailbox_nor_for_room() -> (
    None
):
    for restart in (Restart.TRANSIENT, Restart.TEMPORARY):
        began, box = trio.current_time(), mailbox(2)
        root = Supervisor("root", [Child("one", ReadsOne(3.0), mailbox=box, restart=restart)])
        async with running(root), asking() as askers:
            await askers.ask(box, 1, 2, 3, 4)
            assert box.statistics().waiting_senders == 1
        at = began + 3.0
        assert askers.by_number() == [
            (1, 2, at), (2, ActorStopped, at), (3, ActorStopped, at), (4, ActorStopped, at),
        ]  # fmt: skip


@every_seed
async def test_a_crash_that_nobody_restarts_leaves_no_asker_waiting() -> None:
    async def crash(_: Turn[Any]) -> None:
        await trio.sleep(3)
        raise ValueError

    box = mailbox()
    root = Supervisor("root", [Child("t", Handler(crash), mailbox=box, restart=Restart.TEMPORARY)])
    async with running(root), asking() as askers:
        await askers.ask(box, 1, 2)
    # Also the one that was in hand: it had its retries left, but there is nobody to try it.
    assert askers.by_number() == [(1, ActorStopped, 3.0), (2, ActorStopped, 3.0)]


# Somebody ends it


@every_seed
async def test_the_end_of_a_branch_is_heard_by_who_asked_in_it() -> None:
    waiting, handling = mailbox(), mailbox()

    class Keeper:
        async def run(self, ctx: Context[Any]) -> None:
            ctx.ready()
            children = [
                Child("never", Ends(TIMEOUT_S), mailbox=waiting),
                Child("hangs", Handler(hang), mailbox=handling, grace_s=2.0),
            ]
            await ctx.run_subtree(Supervisor("branch", children), self.five_seconds)
            await ctx.wait_stopping()

        async def five_seconds(self) -> None:
            await trio.sleep(5)

    async with running(Supervisor("root", [Child("keeper", Keeper())])), asking() as askers:
        await askers.ask(handling, 1, 2)
        await askers.ask(waiting, 3)
    at = 5.0 + 2.0
    assert askers.by_number() == [
        (1, ActorStopped, at), (2, ActorStopped, at), (3, ActorStopped, at),
    ]  # fmt: skip


@every_seed
async def test_a_question_whose_turn_the_final_stop_cuts_off_ends_with_it() -> None:
    class HangsInBatch:
        async def run(self, ctx: Context[Any]) -> None:
            async for _ in ctx.batches(8):
                await trio.sleep_forever()

    for actor, waiting in ((Handler(hang), 1), (HangsInBatch(), 0)):
        began, box = trio.current_time(), mailbox()
        root = Supervisor("root", [Child("one", actor, mailbox=box, grace_s=2.0)])
        async with asking() as askers:
            await askers.ask(box, 1, 2)
            async with running(root):
                await trio.testing.wait_all_tasks_blocked()
                assert box.depth == waiting
        at = began + 2.0
        assert askers.by_number() == [(1, ActorStopped, at), (2, ActorStopped, at)]


@every_seed
async def test_a_question_whose_turn_crashes_during_the_final_stop_ends_with_it() -> None:
    async def crash(_: Turn[Any]) -> None:
        await trio.sleep(3)
        raise ValueError

    box = mailbox()
    async with running(one(box, Handler(crash))) as tree, asking() as askers:
        await askers.ask(box, 1, 2)
        tree.request_stop()
    assert askers.by_number() == [(1, ActorStopped, 3.0), (2, ActorStopped, 3.0)]


@every_seed
async def test_a_stop_by_hand_is_heard_at_once_also_while_the_child_backs_off() -> None:
    box = mailbox()
    child = Child("one", Ends(1.0, ValueError()), mailbox=box)
    root = Supervisor("root", [child], backoff=Backoff(60.0, 60.0, 0.0))
    async with running(root), asking() as askers:
        await askers.ask(box, 1)
        await trio.sleep(5)
        assert askers.heard == []
        assert await root.stop_child("one") is None
    assert askers.heard == [(1, ActorStopped, 5.0)]


@every_seed
async def test_who_waits_for_a_drained_answer_gets_it_and_who_comes_too_late_for_it_is_told() -> (
    None
):
    async def slowly(turn: Turn[Any]) -> None:
        await trio.sleep(2)
        await double(turn)

    box = mailbox()
    child = Child("one", Handler(slowly), mailbox=box, drains=True, grace_s=5.0)
    async with running(Supervisor("root", [child])) as tree, asking() as askers:
        await askers.ask(box, 1, 2, 3)
        tree.request_stop()
    assert askers.by_number() == [(1, 2, 2.0), (2, 4, 4.0), (3, ActorStopped, 5.0)]


# What is above it fails


@every_seed
async def test_a_tree_that_gives_up_tells_all_who_asked_however_deep() -> None:
    log: list[str] = []
    player, boxes = Player("player", log), [mailbox() for _ in range(3)]
    sub = Supervisor("sub", [Child("deep", Handler(hang), mailbox=boxes[0], grace_s=2.0)])
    keys = keyed(lambda: Handler(hang))
    children = [
        Child("sub", sub),
        Child("keys", keys),
        Child("beside", Ends(TIMEOUT_S), mailbox=boxes[1]),
        Child("player", player, mailbox=boxes[2]),
    ]
    tree = Tree(Supervisor("root", children, budget=Budget(0)), lambda _: None)
    async with asking() as askers:

        async def run() -> None:
            await fails_with(RestartLimitExceeded, tree.run)

        askers.nursery.start_soon(run)
        await trio.testing.wait_all_tasks_blocked()
        for number, box in enumerate(boxes, 1):
            await askers.ask(box, number)
        await askers.ask_key(keys, "a", 4, 5)
        player.crash()
    assert [heard[:2] for heard in askers.by_number()] == [(n, ActorStopped) for n in range(1, 6)]
    assert max(at for _, _, at in askers.heard) <= 5.0 + 2.0


@every_seed
async def test_a_tree_that_does_not_come_up_tells_who_asked_its_actors_meanwhile() -> None:
    box, boxes = mailbox(), [mailbox(), mailbox()]
    bad = Child("bad", Player("bad", [], fails_to_start=lambda _: True), mailbox=box)
    before, after = (Child(f"c{n}", Ends(TIMEOUT_S), mailbox=boxes[n]) for n in (0, 1))
    tree = Tree(Supervisor("root", [before, bad, after]), lambda _: None)
    async with asking() as askers:
        for number, asked in enumerate((*boxes, box)):
            await askers.ask(asked, number)
        await fails_with(StartFailed, tree.run)
    stopped = [(number, ActorStopped, 0.0) for number in range(3)]
    assert askers.by_number() == stopped
    # The same by hand, in a tree that is up.
    root = Supervisor("root", [])
    async with running(root), asking() as askers:
        box = mailbox()
        await askers.ask(box, 0)
        bad = Child("bad", Player("bad", [], fails_to_start=lambda _: True), mailbox=box)
        await fails_with(StartFailed, lambda: root.start_child(bad))
    assert askers.by_number() == stopped[:1]


@every_seed
async def test_a_tree_that_is_stopped_before_it_runs_tells_who_asked_its_actors() -> None:
    box = mailbox()
    tree = Tree(Supervisor("root", [Child("one", Handler(double), mailbox=box)]), lambda _: None)
    async with asking() as askers:
        await askers.ask(box, 1)
        tree.request_stop()
        await tree.run()
    assert askers.heard == [(1, ActorStopped, 0.0)]


@every_seed
async def test_a_fallen_supervisor_that_never_rises_again_tells_who_waited_for_it() -> None:
    log: list[str] = []
    player, box = Player("player", log), mailbox()
    keys = keyed(lambda: Ends(TIMEOUT_S))
    children = [
        Child("one", Ends(TIMEOUT_S), mailbox=box),
        Child("keys", keys),
        Child("player", player),
    ]
    sub = Supervisor("sub", children, budget=Budget(0))
    root = Supervisor("root", [Child("sub", sub)], backoff=Backoff(60.0, 60.0, 0.0))
    async with asking() as askers, running(root) as tree:
        await askers.ask(box, 1)
        await askers.ask_key(keys, "a", 2)
        player.crash()
        await trio.sleep(5)
        assert askers.heard == []
        await askers.ask(box, 3)
        await askers.ask_key(keys, "b", 4)
        tree.request_stop()
    assert askers.by_number() == [(n, ActorStopped, 5.0) for n in range(1, 5)]


@every_seed
async def test_a_child_that_a_restarted_supervisor_forgets_leaves_no_asker_waiting() -> None:
    log: list[str] = []
    player, box = Player("player", log), mailbox()
    sub = Supervisor("sub", [Child("player", player)], budget=Budget(0))
    async with (
        running(Supervisor("root", [Child("sub", sub)], backoff=BACKOFF)),
        asking() as askers,
    ):
        assert await sub.start_child(Child("extra", Ends(TIMEOUT_S), mailbox=box)) is None
        await askers.ask(box, 1)
        player.crash()
    assert askers.heard == [(1, ActorStopped, 0.5)]


@every_seed
async def test_a_temporary_child_that_a_group_restart_stops_leaves_no_asker_waiting() -> None:
    log: list[str] = []
    player, box = Player("player", log), mailbox()
    root = Supervisor(
        "root",
        [
            Child("player", player),
            Child("t", Handler(hang), mailbox=box, restart=Restart.TEMPORARY, grace_s=2.0),
        ],
        strategy=Strategy.REST_FOR_ONE,
    )
    async with running(root), asking() as askers:
        await askers.ask(box, 1, 2)
        player.crash()
    assert askers.by_number() == [(1, ActorStopped, 2.0), (2, ActorStopped, 2.0)]


# Poison, and what is tried again


@every_seed
async def test_who_asked_poison_is_told_at_its_last_crash_and_the_others_are_answered() -> None:
    async def crash_on_one(turn: Turn[Any]) -> None:
        if turn.message.number == 1:
            raise ValueError
        await double(turn)

    box = mailbox()
    async with running(one(box, Handler(crash_on_one))), asking() as askers:
        await askers.ask(box, 1, 2)
    # Two retries; `one` waits 0.1, 0.2 and 0.4 s after its crashes.
    ((_, first, first_at), (_, second, second_at)) = askers.by_number()
    assert (first, round(first_at, 6)) == (ActorCrashed, 0.3)
    assert (second, round(second_at, 6)) == (4, 0.7)


@every_seed
async def test_a_question_that_is_tried_again_is_answered_by_the_next_incarnation() -> None:
    async def crash_twice(turn: Turn[Any]) -> None:
        if turn.attempt < 3:
            raise ValueError
        await double(turn)

    box = mailbox()
    keys = keyed(lambda: Handler(crash_twice))
    root = Supervisor(
        "root",
        [Child("one", Handler(crash_twice), mailbox=box), Child("keys", keys)],
        backoff=BACKOFF,
    )
    async with running(root), asking() as askers:
        await askers.ask(box, 1)
        await askers.ask_key(keys, "a", 2)
    at = BACKOFF.first_s * (1 + 2)
    assert askers.by_number() == [(1, 2, at), (2, 4, at)]


@every_seed
async def test_a_branch_that_a_stop_keeps_from_running_tells_who_asked_in_it() -> None:
    box = mailbox()

    class Late:
        async def run(self, ctx: Context[Any]) -> None:
            ctx.ready()
            await ctx.wait_stopping()
            branch = Supervisor("branch", [Child("one", Handler(double), mailbox=box)])
            await ctx.run_subtree(branch, trio.sleep_forever)

    async with asking() as askers, running(Supervisor("root", [Child("late", Late())])):
        await askers.ask(box, 1)
    assert askers.heard == [(1, ActorStopped, 0.0)]
