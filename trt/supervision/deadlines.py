"""`Deadlines`: one clock for all pending questions, where a cancel scope each would cost more."""

import heapq
import math
from collections.abc import Callable
from itertools import count

import trio
from trio.lowlevel import RunVar, spawn_system_task

from trt.supervision.question import ReplySlot

# Answered questions stay in the heap until they are this many, and the majority.
ANSWERED_MAX = 256

_of_this_run: RunVar["Deadlines"] = RunVar("trt_ask_deadlines")


class Deadlines:
    """Fails the questions that are still open when their time comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, ReplySlot, Callable[[], Exception]]] = []
        self._order = count()
        self._answered = 0
        self._scope = trio.CancelScope()
        self._sleeps_until = math.inf

    def watch(self, slot: ReplySlot, deadline: float, late: Callable[[], Exception]) -> None:
        """Let `slot` fail with `late()` at `deadline` (trio time), if it is still open then."""
        heapq.heappush(self._heap, (deadline, next(self._order), slot, late))
        if deadline < self._sleeps_until:
            self._sleeps_until = self._scope.deadline = deadline

    def forget_one(self) -> None:
        """Note that one of the watched questions is no longer open."""
        self._answered += 1
        if self._answered > ANSWERED_MAX and self._answered * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if _is_open(entry[2])]
            heapq.heapify(self._heap)
            self._answered = 0

    async def run(self) -> None:
        """Sleep until the next deadline, for ever."""
        while True:
            self._sleeps_until = self._heap[0][0] if self._heap else math.inf
            with trio.CancelScope(deadline=self._sleeps_until) as self._scope:
                await trio.sleep_forever()
            self._fail_due()

    def _fail_due(self) -> None:
        now = trio.current_time()
        while self._heap and (self._heap[0][0] <= now or not _is_open(self._heap[0][2])):
            _, _, slot, late = heapq.heappop(self._heap)
            if _is_open(slot):
                slot.fail(late())
            else:
                self._answered = max(0, self._answered - 1)


def of_this_run() -> Deadlines:
    """Return the clock of the present `trio.run`, which is started at the first question."""
    try:
        return _of_this_run.get()
    except LookupError:
        found = Deadlines()
        _of_this_run.set(found)
        spawn_system_task(found.run, name="ask deadlines")
        return found


def _is_open(slot: ReplySlot) -> bool:
    return not (slot.is_filled or slot.is_abandoned)
