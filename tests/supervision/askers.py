"""Askers in the background, and actors that let them down."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from attrs import field, frozen

from tests.supervision.handlers import Double
from trt.supervision import (
    Actor,
    AskTimedOut,
    Backoff,
    Budget,
    Context,
    Directory,
    Mailbox,
    Turn,
    Undelivered,
)

# Far beyond any other time here: who hears of a deadline has not heard of the end.
TIMEOUT_S = 1000.0
BACKOFF = Backoff(0.5, 8.0, 0.0)

Put = Callable[[Double], Awaitable[object]]


@frozen
class Askers:
    """Ask in tasks of their own, and note what they hear, and when."""

    nursery: trio.Nursery
    heard: list[tuple[int, object, float]] = field(factory=list)

    async def ask(self, box: Mailbox[Any], *numbers: int) -> None:
        """Put the questions in this order; returns when all wait for their answers, or for room."""
        await self._ask_all(lambda question: box.ref.ask(question, TIMEOUT_S), numbers)

    async def ask_key(self, keys: Directory[str, Any], key: str, *numbers: int) -> None:
        """Do as `ask` does."""
        await self._ask_all(lambda question: keys.ask(key, question, TIMEOUT_S), numbers)

    async def _ask_all(self, put: Put, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.nursery.start_soon(self._ask, put, Double(number))
            await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, put: Put, question: Double) -> None:
        heard: object
        try:
            heard = await put(question)
        except Undelivered as error:
            # It is handed back, or the error itself shows up where its type is expected.
            heard = type(error) if error.message is question else error
        except AskTimedOut as error:
            heard = type(error)
        self.heard.append((question.number, heard, trio.current_time()))

    def by_number(self) -> list[tuple[int, object, float]]:
        """Return what was heard in the order in which it was asked: (number, what, when)."""
        return sorted(self.heard, key=lambda heard: heard[0])


@asynccontextmanager
async def asking() -> AsyncIterator[Askers]:
    """Let askers ask within the block; it ends when all have heard something."""
    async with trio.open_nursery() as nursery:
        yield Askers(nursery)


class Ends:
    """Returns after `life_s`, or crashes then, without ever reading a message."""

    def __init__(self, life_s: float, error: Exception | None = None) -> None:
        self.life_s = life_s
        self.error = error

    async def run(self, ctx: Context[Any]) -> None:
        ctx.ready()
        if await ctx.sleep(self.life_s) and self.error is not None:
            raise self.error


async def hang(_: Turn[Any]) -> None:
    await trio.sleep_forever()


def keyed(
    make: Callable[[], Actor[Any]],
    *,
    budget: Budget = Budget(5, 60.0),  # noqa: B008
    idle_after_s: float | None = None,
) -> Directory[str, Any]:
    """Declare a directory that drops the keys it gives up."""
    return Directory(
        "keys",
        lambda _: make(),
        mailbox_capacity=4,
        live_max=4,
        idle_after_s=idle_after_s,
        budget=budget,
        backoff=BACKOFF,
        on_given_up=lambda _, __: None,
    )
