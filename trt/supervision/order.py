"""`Order`: what somebody wants a supervisor to do with a child, by hand."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TypeAlias

import trio

from trt.supervision.errors import StartFailed


class Refusal(StrEnum):
    """Why an order was not carried out (OTP: the reasons in `{error, Reason}`)."""

    NOT_FOUND = "not_found"
    RUNNING = "running"
    RESTARTING = "restarting"
    ALREADY_STARTED = "already_started"
    ALREADY_PRESENT = "already_present"
    FULL = "full"
    NOT_RUNNING = "not_running"  # the supervisor


Outcome: TypeAlias = Refusal | StartFailed | None


class Order:
    """Waits in line with the news of ended children, and is carried out by the supervisor."""

    def __init__(self, work: Callable[[], Awaitable[Outcome]]) -> None:
        self._work = work
        self._done = trio.Event()
        self._outcome: Outcome = Refusal.NOT_RUNNING

    async def carry_out(self) -> None:
        """Do it; whoever waits hears of it even if the supervisor is cut off in the middle."""
        try:
            self._outcome = await self._work()
        finally:
            self._done.set()

    def refuse(self) -> None:
        """Say that the supervisor has stopped."""
        self._done.set()

    async def wait(self) -> Outcome:
        """Return how it went."""
        await self._done.wait()
        return self._outcome
