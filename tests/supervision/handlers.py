"""Small actors whose messages the tests follow."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

from trt.supervision import (
    Ask,
    Backoff,
    Budget,
    Child,
    Context,
    DeadLetter,
    Mailbox,
    Poison,
    Restart,
    Supervisor,
    Turn,
)

Handle = Callable[[Turn[Any]], Awaitable[None]]


@frozen
class Double(Ask[int]):
    number: int


class Handler:
    """Handles one message at a time with the given function."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def run(self, ctx: Context[Any]) -> None:
        async for turn in ctx.turns():
            await self._handle(turn)


class BatchHandler:
    """Handles what has arrived, and notes it in `seen`."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.seen: list[tuple[Any, ...]] = []

    async def run(self, ctx: Context[Any]) -> None:
        async for batch in ctx.batches(self.size_max):
            self.seen.append(tuple(turn.message for turn in batch))
            if any(turn.message == "poison" for turn in batch):
                raise ValueError


def one(
    box: Mailbox[Any],
    actor: Handler | BatchHandler,
    letters: list[DeadLetter] | None = None,
    *,
    restart: Restart = Restart.PERMANENT,
    grace_s: float | None = None,
) -> Supervisor:
    child = Child(
        "one",
        actor,
        mailbox=box,
        restart=restart,
        grace_s=grace_s,
        poison=Poison(retries=2),
        on_dead_letter=None if letters is None else letters.append,
    )
    return Supervisor("root", [child], budget=Budget(9, 60.0), backoff=Backoff(0.1, 1.0, 0.0))


async def double(turn: Turn[Any]) -> None:
    turn.reply(turn.message.number * 2)
