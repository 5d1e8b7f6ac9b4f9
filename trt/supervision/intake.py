"""`Intake`: how an actor takes messages, and which of them are in its hand."""

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from trt.supervision.envelope import Envelope
from trt.supervision.mailbox import Mailbox
from trt.supervision.stop_signal import StopSignal

M = TypeVar("M")

# A receive that waits costs fifty times one that does not; the pause lets the others run.
TAKEN_WITHOUT_PAUSE_MAX = 64


class Intake(Generic[M]):
    """Takes from the mailbox; what was taken stays in hand until the next take or the end."""

    def __init__(self, mailbox: Mailbox[M], on_expired: Callable[[Envelope[M]], None]) -> None:
        self.mailbox = mailbox
        self._on_expired = on_expired
        self._in_hand: list[Envelope[M]] = []
        self._taken_without_pause = 0
        self.began_at = 0.0
        self.handled = 0
        self.failed = 0
        self.idle_since: float | None = None
        """Since when the actor waits with nothing in hand and nothing queued (trio time)."""

    @property
    def in_hand(self) -> Envelope[M] | None:
        """The (first) envelope that is being handled."""
        return self._in_hand[0] if self._in_hand else None

    async def take(self, size_max: int, stop: StopSignal) -> list[Envelope[M]]:
        """Finish what is in hand and wait for more, at most `size_max`; empty once stopping."""
        self.finish()
        while not stop.is_requested:
            first = await self._take_first(stop)
            if first is None:
                break
            taken = [
                envelope for envelope in self._gather(first, size_max) if self._is_due(envelope)
            ]
            if taken:
                self._in_hand = taken
                self.began_at = trio.current_time()
                return taken
        return []

    def finish(self) -> None:
        """Count what is in hand as handled."""
        self.handled += len(self._in_hand)
        self._in_hand = []

    def drop(self) -> list[Envelope[M]]:
        """Return what is in hand, unfinished, and forget it."""
        unfinished, self._in_hand = self._in_hand, []
        self.failed += len(unfinished)
        return unfinished

    async def _take_first(self, stop: StopSignal) -> Envelope[M] | None:
        if self._taken_without_pause < TAKEN_WITHOUT_PAUSE_MAX:
            ready = self.mailbox.receive_nowait()
            if ready is not None:
                return ready
        self._taken_without_pause = 0
        if self.mailbox.is_empty:
            self.idle_since = trio.current_time()
        received: Envelope[M] | None = None
        with stop.interrupts():
            received = await self.mailbox.receive()
        self.idle_since = None
        if received is not None and stop.is_requested:
            # Stop and message came in the same tick; the message waits for whoever comes next.
            self.mailbox.give_back([received])
            return None
        return received

    def _gather(self, first: Envelope[M], size_max: int) -> list[Envelope[M]]:
        taken = [first]
        # A message that was in hand at a crash comes alone, so that only the guilty one is poison.
        while first.attempt == 1 and len(taken) < size_max:
            envelope = self.mailbox.receive_nowait()
            if envelope is None:
                break
            taken.append(envelope)
        self._taken_without_pause += len(taken)
        return taken

    def _is_due(self, envelope: Envelope[M]) -> bool:
        if trio.current_time() < envelope.deadline:
            return True
        self.mailbox.expired += 1
        self._on_expired(envelope)
        return False
