"""`Intake`: how an actor takes messages, and which of them are in its hand."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import trio
from trio.lowlevel import checkpoint, current_task

from trt.supervision.asker import Asker
from trt.supervision.mailbox import Mailbox
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn

M = TypeVar("M")

# The pause lets the others run, and lets a cancellation in.
TAKEN_WITHOUT_PAUSE_MAX = 64


class Intake(Generic[M]):
    """Takes from the mailbox; what was taken stays in hand until the next take or the end."""

    def __init__(
        self,
        mailbox: Mailbox[M],
        asker: Asker,
        on_dead: Callable[[Turn[M], str], None],
        *,
        drains: bool = False,
    ) -> None:
        self.mailbox = mailbox
        self._drains = drains
        self._asker = asker
        self._on_dead = on_dead
        self._in_hand: list[Turn[M]] = []
        self._taken_without_pause = 0
        self.began_at = 0.0
        self.handled = 0
        self.failed = 0
        self.idle_since: float | None = None
        """Since when the actor waits with nothing in hand and nothing queued (trio time)."""
        self._attach()

    @property
    def in_hand(self) -> Turn[M] | None:
        """The (first) message that is being handled."""
        return self._in_hand[0] if self._in_hand else None

    def open(self) -> None:
        """Let messages in, for the incarnation that begins."""
        self.idle_since = None
        self._attach()
        self.mailbox.open()

    def _attach(self) -> None:
        self.mailbox.reader = self._asker
        self.mailbox.on_dropped = lambda turn: self._on_dead(turn, "dropped")

    async def take(self, size_max: int, stop: StopSignal) -> list[Turn[M]]:
        """Finish what is in hand and wait for more, at most `size_max`; empty once stopping."""
        self.finish()
        self._asker.task = current_task()
        mailbox = self.mailbox
        while not stop.is_requested or (self._drains and stop.is_final and mailbox.depth):
            if self._taken_without_pause >= TAKEN_WITHOUT_PAUSE_MAX:
                self._taken_without_pause = 0
                await checkpoint()
                continue
            taken = mailbox.take_many(size_max)
            if not taken:
                await self._wait()
                continue
            self._taken_without_pause += len(taken)
            now = trio.current_time()
            due = [turn for turn in taken if turn.deadline > now]
            if len(due) < len(taken):
                self._put_aside(turn for turn in taken if turn.deadline <= now)
            if due:
                self._in_hand = due
                self.began_at = now
                return due
        return []

    async def _wait(self) -> None:
        self._taken_without_pause = 0
        self.idle_since = trio.current_time()
        try:
            await self.mailbox.wait()
        finally:
            self.idle_since = None

    def _put_aside(self, expired: Iterable[Turn[M]]) -> None:
        for turn in expired:
            self.mailbox.expired += 1
            self._on_dead(turn, "expired")

    def finish(self) -> None:
        """Count what is in hand as handled."""
        for turn in self._in_hand:
            if turn.slot is not None:
                turn.is_over = True
        self.handled += len(self._in_hand)
        self._in_hand = []

    def drop(self) -> list[Turn[M]]:
        """Return what is in hand, unfinished, and forget it."""
        unfinished, self._in_hand = self._in_hand, []
        self.failed += len(unfinished)
        return unfinished
