"""A workload that counts: every message is handled once, refused, or put aside with a reason."""

import math
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import trio
from attrs import define, field, frozen

from tests.supervision.scale import SCHEDULES
from tests.supervision.stage import deterministic, play_once
from trt.supervision import (
    ActorCrashed,
    ActorStopped,
    Ask,
    AskTimedOut,
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    Directory,
    DirectoryFull,
    Mailbox,
    MailboxFull,
    MessageDropped,
    Overflow,
    Restart,
    RestartLimitExceeded,
    Strategy,
    Supervisor,
    Tree,
    Turn,
    WhenFull,
)

MESSAGES = 14
KEYS = 3


@frozen
class Job(Ask[int]):
    """Number so many; its turn takes `work_s` and crashes the first `crashes` times."""

    number: int
    work_s: float
    crashes: int


@define
class Books:
    """Where every message ended."""

    chance: random.Random
    sent: list[int] = field(factory=list)
    refused: list[int] = field(factory=list)
    handled: list[int] = field(factory=list)
    letters: list[DeadLetter] = field(factory=list)
    timed_out: list[int] = field(factory=list)

    def put_aside(self) -> list[int]:
        return [letter.message.number for letter in self.letters if isinstance(letter.message, Job)]

    def job(self) -> Job:
        chance = self.chance
        number = len(self.sent)
        self.sent.append(number)
        work_s = chance.choice((0.0, 0.0, 0.1, 0.6, 9.0))
        return Job(number, work_s, chance.choice((0, 0, 0, 1, 2, 3)))


@frozen
class Worker:
    """Handles a job at its very end, so a turn that is cut off has handled nothing."""

    books: Books
    patience_s: float
    linger_s: float

    async def run(self, ctx: Context[Job]) -> None:
        turns = ctx.turns()
        # Asked for the next, it has no longer the last in hand: so it asks once more at the end.
        while (turn := await self._next(turns)) is not None or not ctx.is_stopping:
            if turn is not None:
                await trio.sleep(turn.message.work_s)
                if turn.attempt <= turn.message.crashes:
                    raise ValueError
                self.books.handled.append(turn.message.number)
                turn.reply(turn.message.number)
        await trio.sleep(self.linger_s)

    async def _next(self, turns: AsyncIterator[Turn[Job]]) -> Turn[Job] | None:
        with trio.move_on_after(self.patience_s):
            try:
                return await anext(turns)
            except StopAsyncIteration:
                return None
        return None


@frozen
class BatchWorker:
    """Handles what has arrived in one go, or crashes on all of it."""

    books: Books

    async def run(self, ctx: Context[Job]) -> None:
        async for batch in ctx.batches(3):
            if any(turn.attempt <= turn.message.crashes for turn in batch):
                raise ValueError
            for turn in batch:
                self.books.handled.append(turn.message.number)
                turn.reply(turn.message.number)


@define
class Place:
    """A tree with one worker behind a mailbox, a troublesome sibling, and workers by key."""

    books: Books
    box: Mailbox[Job] = field(init=False)
    keyed: Directory[int, Job] = field(init=False)
    root: Supervisor = field(init=False)

    def __attrs_post_init__(self) -> None:
        chance, letters = self.books.chance, self.books.letters
        self.box = Mailbox("box", chance.choice((1, 2, 8)), overflow=chance.choice(tuple(Overflow)))
        self.keyed = Directory(
            "keyed",
            lambda _: self._worker(),
            mailbox_capacity=chance.choice((1, 4)),
            live_max=2,
            when_full=chance.choice(tuple(WhenFull)),
            idle_after_s=chance.choice((None, 0.4)),
            grace_s=1.0,
            budget=Budget(chance.choice((0, 50)), 60.0),
            backoff=Backoff(0.1, 0.4, 0.0),
            on_dead_letter=lambda _, letter: letters.append(letter),
            on_given_up=lambda *_: None,
        )
        self.root = Supervisor(
            "root",
            [
                Child(
                    "worker",
                    self._worker(),
                    mailbox=self.box,
                    restart=chance.choice((Restart.PERMANENT, Restart.TRANSIENT)),
                    grace_s=1.0,
                    on_dead_letter=letters.append,
                ),
                Child("trouble", Trouble(chance.choice((0.7, 2.0)))),
                Child("keyed", self.keyed),
            ],
            strategy=chance.choice(tuple(Strategy)),
            budget=Budget(chance.choice((1, 200)), 60.0),
            backoff=Backoff(0.1, 0.4, 0.0),
        )

    def _worker(self) -> Worker | BatchWorker:
        chance = self.books.chance
        patience_s = chance.choice((math.inf, math.inf, 0.3))
        lingering = Worker(self.books, patience_s, chance.choice((0.0, 0.0, 0.3, 3.0)))
        return chance.choice((lingering, lingering, BatchWorker(self.books)))

    async def send(self) -> None:
        """Send one job in some way and write down if it was refused."""
        chance, job = self.books.chance, self.books.job()
        key = chance.choice((None, *range(KEYS)))
        try:
            match chance.choice(("now", "wait", "wait a little", "ask")):
                case "now" if key is None:
                    self.box.ref.tell_nowait(job)
                case "now" if key is not None:
                    self.keyed.tell_nowait(key, job)
                case "ask":
                    await self._ask(key, job)
                case how:
                    with trio.move_on_after(0.5 if how == "wait a little" else 60.0) as waiting:
                        await self._tell(key, job)
                    if waiting.cancelled_caught:
                        self.books.refused.append(job.number)
        except (ActorStopped, MailboxFull, DirectoryFull) as error:
            self._note_refusal(error.message)

    async def _tell(self, key: int | None, job: Job) -> None:
        if key is None:
            await self.box.ref.tell(job)
        else:
            await self.keyed.tell(key, job)

    async def _ask(self, key: int | None, job: Job) -> None:
        timeout_s = self.books.chance.choice((0.2, 30.0))
        try:
            if key is None:
                await self.box.ref.ask(job, timeout_s)
            else:
                await self.keyed.ask(key, job, timeout_s)
        except (ActorCrashed, MessageDropped):
            pass  # it has a dead letter too
        except ActorStopped:
            if job.number not in self.books.put_aside():
                raise
        except AskTimedOut:
            self.books.timed_out.append(job.number)

    def _note_refusal(self, message: object) -> None:
        assert isinstance(message, Job)
        self.books.refused.append(message.number)


@frozen
class Trouble:
    """Crashes every so often, so that its siblings are restarted for its sake."""

    every_s: float

    async def run(self, ctx: Context[Any]) -> None:
        ctx.ready()
        if await ctx.sleep(self.every_s):
            raise ValueError


async def work_through(chance: random.Random) -> None:
    books = Books(chance)
    place = Place(books)
    tree = Tree(place.root, lambda _: None)

    async def run(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - the tree tells
        with suppress(RestartLimitExceeded):
            await tree.run(task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        for _ in range(MESSAGES):
            nursery.start_soon(place.send)
            await trio.sleep(chance.choice((0.0, 0.0, 0.1, 0.4)))
            if chance.random() < 0.1:
                nursery.start_soon(by_hand, place.root, chance.choice(("worker", "keyed")))
        await trio.sleep(chance.choice((0.0, 1.0, 20.0)))
        tree.request_stop()
    assert tree.unstopped == ()
    check(books)


async def by_hand(root: Supervisor, name: str) -> None:
    await root.stop_child(name)
    await trio.sleep(0.2)
    await root.restart_child(name)


def check(books: Books) -> None:
    """Every message has exactly one end; one whose asker gave up waiting for room has none."""
    ends = Counter([*books.handled, *books.refused, *books.put_aside()])
    twice = {number: n for number, n in ends.items() if n > 1}
    assert not twice, f"ended more than once: {twice}"
    lost = [n for n in books.sent if n not in ends and n not in books.timed_out]
    assert not lost, f"lost: {lost}"


def test_nothing_is_lost_or_handled_twice_whatever_happens_when() -> None:
    with deterministic():
        for seed in range(SCHEDULES):

            async def story(seed: int = seed) -> None:
                await work_through(random.Random(seed))

            play_once(story, seed)
