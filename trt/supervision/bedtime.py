"""`Bedtime`: how the idle actors of a directory are sent away."""

import math
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import trio

from trt.supervision.entry import Entry
from trt.supervision.leaving import bring_down, let_go

K = TypeVar("K")
M = TypeVar("M")

# An actor is asleep at the latest a quarter after its idle time: one sweep instead of n timers.
SWEEPS_PER_IDLE_TIME = 4
LEAVING_AT_ONCE = 256


class Bedtime(Generic[K, M]):
    """Asks actors that have nothing to do to stop, unless work comes before they are asked."""

    def __init__(self, idle_after_s: float | None, nursery: trio.Nursery) -> None:
        self._idle_after_s = idle_after_s
        self._nursery = nursery
        self._is_over = False
        self.leaving = 0
        """How many are falling asleep."""
        self.next_sweep_at = math.inf
        """When to look for idle actors again (trio time)."""
        self._plan_sweep()

    def _plan_sweep(self) -> None:
        if self._idle_after_s is not None:
            pause_s = self._idle_after_s / SWEEPS_PER_IDLE_TIME
            self.next_sweep_at = trio.current_time() + pause_s

    def sweep(self, entries: Iterable[Entry[K, M]]) -> None:
        """Send away those that have been idle for long enough, if it is time to."""
        now = trio.current_time()
        if self._idle_after_s is None or now < self.next_sweep_at:
            return
        idle = [entry for entry in entries if entry.look() > SWEEPS_PER_IDLE_TIME]
        if idle:
            self.send(idle)
        self._plan_sweep()

    def send(self, entries: Sequence[Entry[K, M]]) -> None:
        """Send `entries`, which are idle, away."""
        for entry in entries:
            entry.is_falling_asleep = True
        self.leaving += len(entries)
        self._nursery.start_soon(self._put_to_sleep, entries)

    def wake(self, entry: Entry[K, M]) -> bool:
        """Note that `entry` is gone, or stays; return whether it was falling asleep."""
        was_falling_asleep, entry.is_falling_asleep = entry.is_falling_asleep, False
        self.leaving -= was_falling_asleep
        return was_falling_asleep

    def end(self) -> None:
        """Send nobody away any more: all are being stopped."""
        self._is_over = True

    async def _put_to_sleep(self, entries: Sequence[Entry[K, M]]) -> None:
        """Ask `entries` to leave, a few at a time: whoever has work meanwhile should not wait."""
        with trio.CancelScope(shield=True):
            for first in range(0, len(entries), LEAVING_AT_ONCE):
                now = trio.current_time()
                leaving = entries[first : first + LEAVING_AT_ONCE]
                for entry in leaving:
                    if entry.mailbox.is_empty:
                        entry.cell.request_stop(is_final=False, now=now)
                    else:
                        self.wake(entry)
                await let_go()
                for entry in leaving:
                    # One that has left may be back already, with new work.
                    if entry.is_falling_asleep and not self._is_over:
                        self._nursery.start_soon(bring_down, entry.cell, False)  # noqa: FBT003
