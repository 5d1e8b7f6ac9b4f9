"""Poison, stops and cancellation: no message vanishes, none is handled twice."""

from typing import Any

import pytest
import trio
import trio.testing

from tests.supervision.handlers import BatchHandler, Double, Handler, one
from tests.supervision.stage import every_seed, mailbox, running
from trt.supervision import (
    ActorCrashed,
    ActorStopped,
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    DeadLettered,
    Mailbox,
    MailboxFull,
    Restart,
    Strategy,
    SupervisionEvent,
    Supervisor,
    Turn,
)


@every_seed
async def test_poison_is_put_aside_after_its_retries_and_its_asker_is_told() -> None:
    attempts: list[int] = []

    async def crash(turn: Turn[Any]) -> None:
        attempts.append(turn.attempt)
        raise ValueError

    box = mailbox()
    letters: list[DeadLetter] = []
    heard: list[SupervisionEvent] = []
    async with running(one(box, Handler(crash), letters), heard) as tree:
        with pytest.raises(ActorCrashed):
            await box.ref.ask(Double(1), 60.0)
        assert tree.snapshot().children[0].failed == 3
    assert attempts == [1, 2, 3]
    (letter,) = letters
    assert (letter.reason, letter.attempts, letter.path) == ("poison", 3, "root/one")
    assert isinstance(letter.error, ValueError)
    assert [e.letter for e in heard if isinstance(e, DeadLettered)] == letters


@every_seed
async def test_only_the_guilty_message_of_a_batch_becomes_poison() -> None:
    box = mailbox()
    letters: list[DeadLetter] = []
    actor = BatchHandler(8)
    for message in ("a", "poison", "b"):
        box.ref.tell_nowait(message)
    async with running(one(box, actor, letters)):
        await trio.sleep(5)
    assert actor.seen == [
        ("a", "poison", "b"), ("a",), ("poison",), ("poison",), ("b",),
    ]  # fmt: skip
    assert [letter.message for letter in letters] == ["poison"]


@every_seed
async def test_a_batch_is_all_that_has_arrived_up_to_its_bound() -> None:
    box = mailbox()
    for n in range(5):
        box.ref.tell_nowait(n)
    actor = BatchHandler(3)
    async with running(one(box, actor)):
        await trio.sleep(1)
    assert actor.seen == [(0, 1, 2), (3, 4)]


@every_seed
async def test_at_the_final_stop_nothing_is_cleared_silently() -> None:
    async def slowly(turn: Turn[Any]) -> None:
        await trio.sleep(3)
        done.append(turn.message)

    done: list[Any] = []
    refused: list[str] = []

    async def ask() -> None:
        try:
            await box.ref.ask(Double(1), 60.0)
        except ActorStopped:
            refused.append("queued")

    async def tell() -> None:
        try:
            await box.ref.tell("no room")
        except ActorStopped as error:
            refused.append(str(error.message))

    box = mailbox(2)
    letters: list[DeadLetter] = []
    root = one(box, Handler(slowly), letters)
    async with trio.open_nursery() as nursery, running(root) as tree:
        box.ref.tell_nowait("in hand")
        await trio.sleep(1)
        box.ref.tell_nowait("waiting")
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(tell)
        await trio.testing.wait_all_tasks_blocked()
        tree.request_stop()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ActorStopped):
            box.ref.tell_nowait("too late")
        assert done == []
    assert done == ["in hand"]
    assert [(x.message, x.reason) for x in letters] == [
        ("waiting", "stopped"),
        (Double(1), "stopped"),
    ]
    assert sorted(refused) == ["no room", "queued"]


@every_seed
async def test_a_turn_that_outlives_the_grace_is_a_dead_letter_too() -> None:
    async def hang(_: Turn[Any]) -> None:
        await trio.sleep_forever()

    box = mailbox()
    letters: list[DeadLetter] = []
    async with running(one(box, Handler(hang), letters, grace_s=2)):
        box.ref.tell_nowait("hung")
        await trio.sleep(1)
    assert [(x.message, x.reason, x.attempts) for x in letters] == [("hung", "stopped", 1)]


@every_seed
async def test_a_completed_child_leaves_no_message_behind() -> None:
    class Single:
        async def run(self, ctx: Context[Any]) -> None:
            async for _ in ctx.turns():
                return

    box = mailbox()
    letters: list[DeadLetter] = []
    box.ref.tell_nowait("read")
    box.ref.tell_nowait("unread")
    child = Child(
        "s", Single(), mailbox=box, restart=Restart.TRANSIENT, on_dead_letter=letters.append
    )
    async with running(Supervisor("root", [child])):
        await trio.sleep(1)
        assert [x.message for x in letters] == ["unread"]
        with pytest.raises(ActorStopped):
            await box.ref.tell("more")


@every_seed
async def test_no_message_is_lost_or_doubled_by_cancelled_waits_and_group_restarts() -> None:
    handled: list[int] = []

    class Impatient:
        async def run(self, ctx: Context[int]) -> None:
            turns = ctx.turns()
            while not ctx.is_stopping:
                with trio.move_on_after(0.3):
                    async for turn in turns:
                        number = turn.message
                        handled.append(number)

    class Crashing:
        async def run(self, ctx: Context[Any]) -> None:
            ctx.ready()
            if await ctx.sleep(0.5):
                raise ValueError

    box = Mailbox[int]("box", 4)
    letters: list[DeadLetter] = []
    root = Supervisor(
        "root",
        [
            Child("i", Impatient(), mailbox=box, on_dead_letter=letters.append),
            Child("c", Crashing()),
        ],
        strategy=Strategy.ONE_FOR_ALL,
        budget=Budget(99, 60.0),
        backoff=Backoff(0.1, 0.1, 0.0),
    )
    async with running(root):
        for n in range(60):
            await box.ref.tell(n)
            await trio.sleep(0.1)
        await trio.sleep(2)
    assert handled == sorted(set(handled))
    assert sorted([*handled, *(int(str(x.message)) for x in letters)]) == list(range(60))


@every_seed
async def test_a_stop_and_a_message_in_one_tick_lose_nothing() -> None:
    handled: list[Any] = []

    async def see(turn: Turn[Any]) -> None:
        handled.append(turn.message)

    box = mailbox()
    letters: list[DeadLetter] = []
    async with running(one(box, Handler(see), letters)) as tree:
        await trio.testing.wait_all_tasks_blocked()
        box.ref.tell_nowait("now")
        tree.request_stop()
    assert [*handled, *(x.message for x in letters)] == ["now"]


@every_seed
async def test_a_second_answer_is_a_crash_but_an_answer_in_a_retry_is_only_late() -> None:
    async def answer_then_crash(turn: Turn[Any]) -> None:
        turn.reply(turn.attempt)
        if turn.attempt == 1:
            turn.reply(turn.attempt)

    box = mailbox()
    async with running(one(box, Handler(answer_then_crash))) as tree:
        assert await box.ref.ask(Double(1), 5.0) == 1
        await trio.sleep(1)
        assert box.statistics().late_replies == 1
        shown = tree.snapshot().children[0]
        assert (shown.last_error, shown.restarts, shown.handled) == ("AssertionError", 1, 1)


@every_seed
async def test_the_snapshot_shows_the_turn_in_hand_but_no_content() -> None:
    async def slowly(_: Turn[Any]) -> None:
        await trio.sleep(10)

    box = mailbox()
    async with running(one(box, Handler(slowly), grace_s=20)) as tree:
        box.ref.tell_nowait(Double(4711))
        await trio.sleep(4)
        shown = tree.snapshot().children[0]
        assert (shown.current_message, shown.busy_s, shown.handled) == ("Double", 4.0, 0)
        assert "4711" not in repr(tree.snapshot())


@every_seed
async def test_a_hook_that_fails_does_not_break_the_stop() -> None:
    def fail(_: DeadLetter) -> None:
        raise ValueError

    async def never(_: Turn[Any]) -> None:
        await trio.sleep_forever()

    box = mailbox()
    child = Child("one", Handler(never), mailbox=box, on_dead_letter=fail, grace_s=1)
    heard: list[SupervisionEvent] = []
    async with running(Supervisor("root", [child]), heard):
        box.ref.tell_nowait(1)
        box.ref.tell_nowait(2)
        await trio.sleep(1)
    assert sum(isinstance(e, DeadLettered) for e in heard) == 2


def test_errors_and_records_show_no_message() -> None:
    letter = DeadLetter(path="p", message="secret", reason="stopped", error=ValueError("secret"))
    for shown in (str(MailboxFull("box", "secret")), repr(letter), repr(mailbox().ref)):
        assert "secret" not in shown


@every_seed
async def test_a_child_that_drains_handles_what_it_holds_before_it_stops() -> None:
    box, actor, letters = mailbox(32), BatchHandler(4), list[DeadLetter]()
    held = trio.Event()

    class Slow:
        async def run(self, ctx: Context[Any]) -> None:
            async for batch in ctx.batches(4):
                actor.seen.append(tuple(turn.message for turn in batch))
                await held.wait()

    child = Child("slow", Slow(), mailbox=box, drains=True, on_dead_letter=letters.append)
    async with running(Supervisor("root", [child])) as tree:
        for number in range(20):
            box.ref.tell_nowait(number)
        await trio.testing.wait_all_tasks_blocked()
        tree.request_stop()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(ActorStopped):
            box.ref.tell_nowait(99)
        held.set()
    assert [number for batch in actor.seen for number in batch] == list(range(20))
    assert letters == []


@every_seed
async def test_a_turn_that_group_restarts_cut_off_is_not_poison() -> None:
    box, letters, seen = mailbox(), list[DeadLetter](), list[int]()
    crash = trio.Event()

    class Crashing:
        async def run(self, ctx: Context[Any]) -> None:
            ctx.ready()
            await crash.wait()
            raise ValueError

    class Patient:
        async def run(self, ctx: Context[Any]) -> None:
            async for turn in ctx.turns():
                seen.append(turn.attempt)
                if turn.attempt == 4:
                    raise ValueError
                await trio.sleep(0 if turn.attempt > 4 else 3600)

    root = Supervisor(
        "root",
        [
            Child("crashing", Crashing(), grace_s=0.1),
            Child("patient", Patient(), mailbox=box, grace_s=0.1, on_dead_letter=letters.append),
        ],
        strategy=Strategy.ONE_FOR_ALL,
        budget=Budget(9, 60.0),
        backoff=Backoff(0.1, 1.0, 0.0),
    )
    async with running(root):
        box.ref.tell_nowait("slow")
        for _ in range(3):
            await trio.sleep(1)
            crash.set()
            crash = trio.Event()
        await trio.sleep(5)
    assert seen == [1, 2, 3, 4, 5]
    assert letters == []
