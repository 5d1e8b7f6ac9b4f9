"""Asks within turns: cycles of waits, the deadline and the correlation id that travel along."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.lowlevel
from attrs import frozen

from tests.supervision.handlers import Double, Handler
from tests.supervision.stage import every_seed, fails_with, running
from trt.supervision import (
    AskCycle,
    AskTimedOut,
    Backoff,
    Child,
    Context,
    Directory,
    Mailbox,
    Supervisor,
    Turn,
    current_turn,
)

Handle = Callable[[Turn[Any]], Awaitable[None]]


@frozen
class Troupe:
    """Actors that know each other's mailboxes by name."""

    boxes: dict[str, Mailbox[Any]]
    root: Supervisor

    async def ask(self, name: str, timeout_s: float = 100.0, cid: str | None = None) -> Any:
        return await self.boxes[name].ref.ask(Double(1), timeout_s, cid=cid)


def troupe(**handles: Callable[[Troupe], Handle]) -> Troupe:
    boxes: dict[str, Mailbox[Any]] = {name: Mailbox(name, 8) for name in handles}
    made: list[Troupe] = []

    def child(name: str, make: Callable[[Troupe], Handle]) -> Child[Any]:
        async def handle(turn: Turn[Any]) -> None:
            await make(made[0])(turn)

        return Child(name, Handler(handle), mailbox=boxes[name], grace_s=200.0)

    children = [child(name, make) for name, make in handles.items()]
    made.append(Troupe(boxes, Supervisor("root", children, backoff=Backoff(0.1, 1.0, 0.0))))
    return made[0]


def asks(name: str) -> Callable[[Troupe], Handle]:
    """Pass the question on; what comes back, also an error's name and path, is the answer."""

    def make(others: Troupe) -> Handle:
        async def handle(turn: Turn[Any]) -> None:
            try:
                turn.reply(await others.ask(name))
            except AskCycle as error:
                turn.reply(error.path)

        return handle

    return make


def answers(_: Troupe) -> Handle:
    async def handle(turn: Turn[Any]) -> None:
        turn.reply("fine")

    return handle


@every_seed
async def test_a_cycle_of_asks_is_named_at_once() -> None:
    actors = troupe(a=asks("b"), b=asks("c"), c=asks("a"))
    async with running(actors.root):
        assert await actors.ask("a") == ("root/c", "root/a", "root/b", "root/c")
        assert trio.current_time() == 0.0


@every_seed
async def test_who_asks_itself_is_told_at_once() -> None:
    actors = troupe(a=asks("a"))
    async with running(actors.root):
        assert await actors.ask("a") == ("root/a", "root/a")


@every_seed
async def test_a_chain_of_asks_is_no_cycle_and_shows_who_waits_for_whom() -> None:
    def slow(_: Troupe) -> Handle:
        async def handle(turn: Turn[Any]) -> None:
            await trio.sleep(5)
            turn.reply("fine")

        return handle

    actors = troupe(a=asks("b"), b=asks("c"), c=slow)
    async with running(actors.root) as tree, trio.open_nursery() as nursery:
        nursery.start_soon(actors.ask, "a")
        await trio.sleep(1)
        assert [c.waiting_on for c in tree.snapshot().children] == ["root/b", "root/c", None]
        await trio.sleep(10)
        assert [c.waiting_on for c in tree.snapshot().children] == [None, None, None]


@every_seed
async def test_two_that_ask_each_other_at_once_do_not_both_wait() -> None:
    actors = troupe(a=asks("b"), b=asks("a"))
    replies: list[Any] = []

    async def ask(name: str) -> None:
        replies.append(await actors.ask(name))

    async with running(actors.root):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "a")
            nursery.start_soon(ask, "b")
        assert trio.current_time() == 0.0
        assert all(isinstance(reply, tuple) for reply in replies)


@every_seed
async def test_a_question_that_was_put_off_may_be_followed_by_one_to_its_asker() -> None:
    held: list[Turn[Any]] = []

    async def answer_later() -> None:
        await trio.sleep(2)
        held[0].reply("late but fine")

    class PutsOff:
        async def run(self, ctx: Context[Any]) -> None:
            async with trio.open_nursery() as helpers:
                async for turn in ctx.turns():
                    if held:
                        # a waits for the first question, which a helper answers: no cycle.
                        turn.reply(await a.ref.ask(Double(2), 50.0))
                    else:
                        held.append(turn)
                        helpers.start_soon(answer_later)

    async def asks_b_once(turn: Turn[Any]) -> None:
        turn.reply("free" if held else await b.ref.ask(Double(1), 50.0))

    a, b = Mailbox[Any]("a", 4), Mailbox[Any]("b", 4)
    root = Supervisor(
        "root",
        [Child("a", Handler(asks_b_once), mailbox=a), Child("b", PutsOff(), mailbox=b)],
    )
    replies: list[object] = []

    async def ask() -> None:
        replies.append(await a.ref.ask(Double(1), 50.0))

    async with running(root), trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1)
        answer: object = await b.ref.ask(Double(1), 50.0)
        assert (answer, trio.current_time()) == ("free", 2.0)
        await trio.sleep(1)
        assert replies == ["late but fine"]


@every_seed
async def test_a_task_beside_the_turns_may_ask_back() -> None:
    async def ask_beside(ctx: Context[Any]) -> None:
        async with trio.open_nursery() as nursery:
            async for turn in ctx.turns():
                if replies:
                    turn.reply("served")
                else:
                    replies.append("asked")
                    nursery.start_soon(ask_b, turn)

    async def ask_b(turn: Turn[Any]) -> None:
        turn.reply(await b.ref.ask(Double(1), 50.0))

    async def back(turn: Turn[Any]) -> None:
        turn.reply(await a.ref.ask(Double(1), 50.0))

    class Beside:
        async def run(self, ctx: Context[Any]) -> None:
            await ask_beside(ctx)

    replies: list[str] = []
    a, b = Mailbox[Any]("a", 4), Mailbox[Any]("b", 4)
    root = Supervisor(
        "root", [Child("a", Beside(), mailbox=a), Child("b", Handler(back), mailbox=b)]
    )
    async with running(root):
        answer: object = await a.ref.ask(Double(1), 100.0)
        assert answer == "served"


@every_seed
async def test_an_ask_within_a_turn_waits_no_longer_than_the_one_who_asked() -> None:
    seen: list[tuple[float, float]] = []

    def impatient(others: Troupe) -> Handle:
        async def handle(turn: Turn[Any]) -> None:
            for timeout_s in (1.0, 100.0, 100.0):
                began = trio.current_time()
                with pytest.raises(AskTimedOut):
                    await others.ask("silent", timeout_s)
                seen.append((began, trio.current_time()))

        return handle

    def silent(_: Troupe) -> Handle:
        async def handle(_: Turn[Any]) -> None:
            await trio.lowlevel.checkpoint()

        return handle

    actors = troupe(a=impatient, silent=silent)
    async with running(actors.root):
        await fails_with(AskTimedOut, lambda: actors.ask("a", 3.0))
        await trio.sleep(1)
    assert seen == [(0.0, 1.0), (1.0, 3.0), (3.0, 3.0)]
    assert actors.boxes["silent"].statistics().sent == 2


@every_seed
async def test_the_correlation_id_travels_with_the_messages_of_a_turn() -> None:
    seen: list[tuple[str, str | None]] = []

    def passes_on(others: Troupe) -> Handle:
        async def handle(turn: Turn[Any]) -> None:
            about = current_turn()
            assert about is turn
            seen.append(("a", turn.cid))
            await others.boxes["b"].ref.tell("told")
            others.boxes["b"].ref.tell_nowait("named", cid="other")
            turn.reply(await others.ask("b"))

        return handle

    def notes(_: Troupe) -> Handle:
        async def handle(turn: Turn[Any]) -> None:
            seen.append((str(turn.message), turn.cid))
            if isinstance(turn.message, Double):
                turn.reply(turn.message)

        return handle

    actors = troupe(a=passes_on, b=notes)
    async with running(actors.root):
        await actors.ask("a", cid="one")
        await actors.ask("a")
        assert current_turn() is None
    question = str(Double(1))
    assert seen == [
        ("a", "one"), ("told", "one"), ("named", "other"), (question, "one"),
        ("a", None), ("told", None), ("named", "other"), (question, None),
    ]  # fmt: skip


@every_seed
async def test_an_actor_inherits_nothing_from_the_turn_that_started_it() -> None:
    seen: list[Any] = []

    class Keyed:
        async def run(self, ctx: Context[Any]) -> None:
            seen.append(current_turn())
            seen.extend([turn.cid async for turn in ctx.turns()])

    sessions: Directory[int, Any] = Directory(
        "sessions", lambda _: Keyed(), mailbox_capacity=4, live_max=4
    )

    async def start(turn: Turn[Any]) -> None:
        sessions.ensure(1)
        await trio.sleep(1)
        sessions.tell_nowait(1, "x")

    box = Mailbox[Any]("box", 4)
    root = Supervisor(
        "root", [Child("sessions", sessions), Child("starter", Handler(start), mailbox=box)]
    )
    async with running(root):
        box.ref.tell_nowait("go", cid="spawner")
        await trio.sleep(2)
    assert seen == [None, "spawner"]


@every_seed
async def test_each_of_a_batch_can_be_made_the_current_turn() -> None:
    seen: list[Any] = []

    class Batching:
        async def run(self, ctx: Context[Any]) -> None:
            async for batch in ctx.batches(8):
                seen.append(current_turn())
                for turn in batch:
                    with turn.resumed():
                        about = current_turn()
                        assert about is not None
                        seen.append(about.cid)

    box = Mailbox[Any]("box", 8)
    for cid in "ab":
        box.ref.tell_nowait(1, cid=cid)
    async with running(Supervisor("root", [Child("b", Batching(), mailbox=box)])):
        await trio.sleep(1)
    assert seen == [None, "a", "b"]


@every_seed
async def test_many_questions_answered_and_not_leave_no_deadline_behind() -> None:
    async def evens(turn: Turn[Any]) -> None:
        if turn.message.number % 2 == 0:
            turn.reply(turn.message.number)

    outcomes: list[int] = []

    async def ask(number: int) -> None:
        try:
            outcomes.append(await box.ref.ask(Double(number), 1.0 + number % 7))
        except AskTimedOut:
            assert trio.current_time() == 1.0 + number % 7
            outcomes.append(-1)

    box = Mailbox[Any]("box", 1000)
    async with running(Supervisor("root", [Child("e", Handler(evens), mailbox=box)])):
        async with trio.open_nursery() as nursery:
            for number in range(700):
                nursery.start_soon(ask, number)
        assert outcomes.count(-1) == 350
        assert sorted(n for n in outcomes if n >= 0) == list(range(0, 700, 2))
