"""What `trt bench runtime` measures of our own runtime; each function returns a rate or a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from statistics import median
from time import perf_counter

import trio
import trio.testing
from attrs import frozen

from trt.bench.runtime_bare import BATCH_MAX, CAPACITY, TIMEOUT_S, Door
from trt.supervision import (
    Ask,
    Backoff,
    Budget,
    Child,
    Context,
    Directory,
    Mailbox,
    MailboxFull,
    Poison,
    Restart,
    Supervisor,
    Tree,
)


@frozen
class Add(Ask[int]):
    """A question: the sum after adding `amount`."""

    amount: int


class Sink:
    """Adds up what it gets, and lets go whoever waits for the sum to reach `count`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.is_full = trio.Event()

    async def run(self, ctx: Context[int]) -> None:
        """Take batches."""
        total = 0
        async for batch in ctx.batches(BATCH_MAX):
            for turn in batch:
                total += turn.message
            if total >= self._count:
                self.is_full.set()


class Adder:
    """Answers each question with the sum so far."""

    async def run(self, ctx: Context[Add]) -> None:
        """Take one message at a time."""
        total = 0
        async for turn in ctx.turns():
            total += turn.message.amount
            turn.reply(total)


class Idle:
    """Has nothing to do; says at the door that it came."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def run(self, ctx: Context[int]) -> None:
        """Wait for messages that never come."""
        self._door.come()
        async for _ in ctx.turns():
            pass


class Faller:
    """Crashes on every message, and notes how long it takes to be back."""

    def __init__(self) -> None:
        self._fell_at: float | None = None
        self.gaps_s: list[float] = []
        self.is_back = trio.Event()

    async def run(self, ctx: Context[int]) -> None:
        """Note the time since the crash, then crash on the next message."""
        if self._fell_at is not None:
            self.gaps_s.append(perf_counter() - self._fell_at)
        self.is_back.set()
        async for _ in ctx.turns():
            self._fell_at = perf_counter()
            raise RuntimeError("a crash on purpose")


@asynccontextmanager
async def running(root: Supervisor) -> AsyncIterator[None]:
    """Run a tree while the block runs, and stop it in order afterwards."""
    tree = Tree(root, on_event=lambda _: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        yield
        tree.request_stop()


def keyed(count: int, door: Door, *, idle_after_s: float | None = None) -> Directory[int, int]:
    """Return a directory for `count` actors with nothing to do."""
    return Directory(
        "idlers",
        lambda _: Idle(door),
        mailbox_capacity=CAPACITY,
        live_max=count,
        idle_after_s=idle_after_s,
    )


def tell(count: int) -> float:
    """Return messages handled per second, from one sender to one actor, statistics on."""

    async def measure() -> float:
        sink, mailbox = Sink(count), Mailbox[int]("sink", CAPACITY)
        async with running(Supervisor("root", [Child("sink", sink, mailbox=mailbox)])):
            ref = mailbox.ref
            began = perf_counter()
            for _ in range(count):
                try:
                    ref.tell_nowait(1)
                except MailboxFull:
                    await ref.tell(1)
            await sink.is_full.wait()
            return count / (perf_counter() - began)

    return trio.run(measure)


def ask(count: int) -> float:
    """Return answers per second, each asked with a deadline after the one before it."""

    async def measure() -> float:
        mailbox = Mailbox[Add]("adder", CAPACITY)
        async with running(Supervisor("root", [Child("adder", Adder(), mailbox=mailbox)])):
            answer = 0
            began = perf_counter()
            for _ in range(count):
                answer = await mailbox.ref.ask(Add(1), TIMEOUT_S)
            spent_s = perf_counter() - began
            assert answer == count, "every question was answered once"
            return count / spent_s

    return trio.run(measure)


def spawn_many(count: int) -> float:
    """Return keyed actors per second, all started until each runs, then all stopped."""

    async def measure() -> float:
        door = Door(count)
        directory = keyed(count, door)
        async with trio.open_nursery() as nursery:
            tree = Tree(Supervisor("root", [Child("idlers", directory)]), on_event=lambda _: None)
            await nursery.start(tree.run)
            began = perf_counter()
            for key in range(count):
                directory.ensure(key)
            await door.all_came.wait()
            tree.request_stop()
        return count / (perf_counter() - began)

    return trio.run(measure)


def spawn_each(count: int) -> float:
    """Return children per second, each started until ready and stopped before the next."""

    async def measure() -> float:
        root, door = Supervisor("root", []), Door(count)
        async with running(root):
            began = perf_counter()
            for _ in range(count):
                mailbox = Mailbox[int]("idle", CAPACITY)
                child = Child("idle", Idle(door), mailbox=mailbox, restart=Restart.TEMPORARY)
                await root.start_child(child)
                await root.stop_child("idle")
            return count / (perf_counter() - began)

    return trio.run(measure)


def restart(count: int) -> float:
    """Return the median time from a crash until the next incarnation runs, in seconds."""

    async def measure() -> float:
        faller, mailbox = Faller(), Mailbox[int]("faller", CAPACITY)
        child = Child("faller", faller, mailbox=mailbox, poison=Poison(0))
        root = Supervisor(
            "root", [child], budget=Budget(count, within_s=600.0), backoff=Backoff(0.0, 0.0)
        )
        async with running(root):
            for _ in range(count):
                faller.is_back = trio.Event()
                mailbox.ref.tell_nowait(1)
                await faller.is_back.wait()
        return median(faller.gaps_s)

    return trio.run(measure)


async def rest(count: int, look: Callable[[], None]) -> None:
    """Call `look` while `count` keyed actors are alive and idle."""
    door = Door(count)
    directory = keyed(count, door)
    async with running(Supervisor("root", [Child("idlers", directory)])):
        for key in range(count):
            directory.ensure(key)
        await door.all_came.wait()
        await trio.testing.wait_all_tasks_blocked()
        look()
