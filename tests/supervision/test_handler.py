"""Actors as classes with a method per message type, and what a type checker makes of them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen
from typing_extensions import override

from tests.supervision.stage import every_seed, fails_with, running
from trt.supervision import (
    ActorStopped,
    Ask,
    Backoff,
    Child,
    Context,
    Crashed,
    Handler,
    Mailbox,
    SupervisionEvent,
    Supervisor,
    handles,
)


@frozen
class Add(Ask[int]):
    amount: int


@frozen
class Reset:
    pass


class Counter(Handler[Add | Reset]):
    def __init__(self, log: list[str] | None = None, stop_s: float = 0.0) -> None:
        self.log = [] if log is None else log
        self.stop_s = stop_s
        self.total = 0

    @override
    async def on_start(self, ctx: Context[Add | Reset]) -> None:
        self.total = 0
        self.log.append("start")

    @override
    async def on_stop(self) -> None:
        await trio.sleep(self.stop_s)
        self.log.append("stop")

    @handles(Add)
    async def add(self, message: Add) -> int:
        if message.amount < 0:
            raise ValueError
        if message.amount > 1000:
            await trio.sleep_forever()
        self.total += message.amount
        return self.total

    @handles(Reset)
    async def reset(self, message: Reset) -> None:
        self.log.append(type(message).__name__)
        self.total = 0


def counting(
    counter: Counter, grace_s: float | None = None
) -> tuple[Mailbox[Add | Reset], Supervisor]:
    box = Mailbox[Add | Reset]("counter", 8)
    child = Child("counter", counter, mailbox=box, grace_s=grace_s)
    return box, Supervisor("root", [child], backoff=Backoff(0.0, 0.0, 0.0))


@every_seed
async def test_each_message_finds_its_method_and_each_question_its_answer() -> None:
    box, root = counting(Counter())
    async with running(root):
        assert await box.ref.ask(Add(2), 1.0) == 2
        await box.ref.tell(Reset())
        await box.ref.tell(Add(5))
        assert await box.ref.ask(Add(1), 1.0) == 6


@every_seed
async def test_a_crash_runs_on_stop_and_the_next_incarnation_on_start() -> None:
    counter = Counter()
    box, root = counting(counter)
    async with running(root):
        box.ref.tell_nowait(Add(-1))
        await trio.sleep(1)
        assert await box.ref.ask(Add(1), 1.0) == 1
    assert counter.log == ["start", "stop"] * 4


@every_seed
async def test_on_stop_is_shielded_within_the_grace_and_cut_off_after_it() -> None:
    for stop_s, log, took_s in ((2.0, ["start", "stop"], 2.0), (9.0, ["start"], 3.0)):
        counter = Counter(stop_s=stop_s)
        _, root = counting(counter, grace_s=3.0)
        heard: list[SupervisionEvent] = []
        async with running(root, heard):
            asked_at = trio.current_time()
        assert (counter.log, trio.current_time() - asked_at) == (log, took_s)
        errors = [type(e.error).__name__ for e in heard if isinstance(e, Crashed)]
        assert errors == ([] if log[-1] == "stop" else ["TooSlowError"])


@every_seed
async def test_on_stop_gets_a_moment_even_when_the_turn_used_up_the_grace() -> None:
    counter = Counter(stop_s=0.4)
    box, root = counting(counter, grace_s=2.0)
    async with running(root):
        box.ref.tell_nowait(Add(9999))
        await trio.sleep(1)
        asked_at = trio.current_time()
    assert counter.log == ["start", "stop"]
    assert trio.current_time() == pytest.approx(asked_at + 2.4)


def test_a_declared_type_without_a_method_is_an_error_of_the_class() -> None:
    with pytest.raises(TypeError, match="declares Reset and does not handle it"):

        class Forgetful(Handler[Add | Reset]):
            @handles(Add)
            async def add(self, message: Add) -> int:
                return message.amount


def test_a_method_for_an_undeclared_type_is_an_error_of_the_class() -> None:
    with pytest.raises(TypeError, match="handles Reset and does not declare it"):

        class Eager(Handler[Add]):
            @handles(Add)
            async def add(self, message: Add) -> int:
                return message.amount

            @handles(Reset)
            async def reset(self, message: Reset) -> None:
                pass


def test_a_handler_without_message_types_is_an_error_of_the_class() -> None:
    with pytest.raises(TypeError, match="must be a Handler"):

        class Vague(Handler):  # type: ignore[type-arg]
            pass


SNIPPET = """
from attrs import frozen
from trt.supervision import Ask, Handler, Mailbox, Ref, handles

@frozen
class Add(Ask[int]):
    amount: int

@frozen
class Multiply(Ask[int]):
    factor: int

@frozen
class Reset:
    pass

class Counter(Handler[Add | Reset]):
    @handles(Add)
    async def add(self, message: Add) -> int:
        return 1

    @handles(Reset)
    async def reset(self, message: Reset) -> None: ...

class Wrong(Handler[Add | Reset]):
    @handles(Add)
    async def add(self, message: Add) -> str:  # 1 the answer is an int
        return ""

    @handles(Reset)
    async def reset(self, message: Add) -> None: ...  # 2 another type of message

async def use(ref: Ref[Add | Reset]) -> None:
    reveal_type(await ref.ask(Add(1), 1.0))
    ref.tell_nowait(Reset())
    narrower: Ref[Add] = ref
    ref.tell_nowait(1)  # 3 not one of its messages
    await ref.tell(Multiply(1))  # 4 nor this
    await ref.ask(Multiply(1), 1.0)  # 5 nor this question
    await ref.ask(Reset(), 1.0)  # 6 no question
    text: str = await ref.ask(Add(1), 1.0)  # 7 the answer is an int
"""


def test_a_type_checker_refuses_wrong_messages_and_knows_the_answers(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *("--cache-dir", str(tmp_path / "cache"), "--follow-imports=silent", str(snippet)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = SNIPPET.splitlines()
    said: dict[int, str] = {}
    for line in checked.stdout.splitlines():
        if line.startswith(str(snippet)):
            _, number, text = line.split(":", 2)
            said.setdefault(int(number), text)
    revealed = next(n for n, line in enumerate(lines, 1) if "reveal_type" in line)
    assert 'Revealed type is "int"' in said.pop(revealed).replace("builtins.", "")
    decorated = {lines[n - 1] for n in said if "@handles" in lines[n - 1]}
    wrong = {number for n in said for number in lines[n - 1].partition("  # ")[2][:1]}
    assert wrong == {"3", "4", "5", "6", "7"}, checked.stdout
    assert len(decorated) == 2, checked.stdout
    assert len(said) == 7, checked.stdout


@every_seed
async def test_a_message_that_no_method_takes_crashes_the_actor() -> None:
    box, root = counting(Counter())
    heard: list[Any] = []
    async with running(root, heard):
        box.ref.tell_nowait("surprise")  # type: ignore[arg-type]
        await trio.sleep(1)
        crashes = [type(e.error).__name__ for e in heard if isinstance(e, Crashed)]
        assert crashes == ["KeyError"] * 3
        assert await box.ref.ask(Add(1), 1.0) == 1
    await fails_with(ActorStopped, lambda: box.ref.tell(Reset()))
