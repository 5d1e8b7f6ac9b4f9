"""When recordInfo may be asked: evenly spaced over all tasks, and not too often for one."""

import trio
from attrs import frozen

from trt.domain.ids import TaskId

KIE_POLLS_MAX = 10.0
"""docs.kie.ai: recordInfo takes 10 requests a second for each task."""


@frozen(kw_only=True)
class PacerTerms:
    """How often KIE is asked; a thousand tasks share this."""

    polls_max_per_s: float = 40.0
    task_polls_max_per_s: float = 8.0
    """For one task: a burst of callbacks must not become a burst of polls."""
    pause_s: float = 2.0
    """After a 429 without a Retry-After."""
    pause_s_max: float = 60.0

    def __attrs_post_init__(self) -> None:
        assert self.polls_max_per_s > 0
        assert 0 < self.task_polls_max_per_s < KIE_POLLS_MAX


class PollSchedule:
    """Pure: gives each poll its time, first come first served."""

    def __init__(self, terms: PacerTerms) -> None:
        self._terms = terms
        self._next_at = float("-inf")
        self._paused_until = float("-inf")
        self._last_at: dict[TaskId, float] = {}

    def reserve(self, task_id: TaskId, now: float, *, is_called_back: bool = False) -> float:
        """Return when this task may be asked about, which is `now` or later.

        Args:
            task_id: The task.
            now: Seconds on any clock.
            is_called_back: KIE has just said that the task ended, and somebody waits for it: it
                goes before the routine, which makes room. Callbacks are no more than orders.
        """
        interval_s = 1 / self._terms.polls_max_per_s
        spacing_s = 1 / self._terms.task_polls_max_per_s
        self._forget(now - spacing_s)
        at = max(
            now,
            self._paused_until,
            self._last_at.pop(task_id, float("-inf")) + spacing_s,
            now if is_called_back else self._next_at,
        )
        self._last_at[task_id] = at
        self._next_at = max(self._next_at, at if not is_called_back else now) + interval_s
        return at

    def give_back(self, task_id: TaskId, at: float) -> None:
        """Forget a time that nobody waits for any more, so that the task may be asked sooner."""
        if self._last_at.get(task_id) == at:
            del self._last_at[task_id]

    def refused(self, now: float, retry_after_s: float | None) -> None:
        """KIE said 429: ask nothing for a while."""
        pause_s = min(self._terms.pause_s_max, retry_after_s or self._terms.pause_s)
        self._paused_until = max(self._paused_until, now + pause_s)
        self._next_at = max(self._next_at, self._paused_until)

    def __len__(self) -> int:
        """Return how many tasks are remembered."""
        return len(self._last_at)

    def _forget(self, before: float) -> None:
        """Drop tasks that nothing holds up any more, oldest first."""
        while self._last_at:
            task_id = next(iter(self._last_at))
            if self._last_at[task_id] > before:
                return
            del self._last_at[task_id]


class PollPacer:
    """Holds polls back until their time has come."""

    def __init__(self, terms: PacerTerms | None = None) -> None:
        self._schedule = PollSchedule(terms or PacerTerms())

    async def wait_turn(self, task_id: TaskId, *, is_called_back: bool = False) -> None:
        """Wait until recordInfo may be called for this task; see `PollSchedule.reserve`."""
        now = trio.current_time()
        at = self._schedule.reserve(task_id, now, is_called_back=is_called_back)
        try:
            await trio.sleep_until(at)
        except trio.Cancelled:
            self._schedule.give_back(task_id, at)
            raise

    def refused(self, retry_after_s: float | None) -> None:
        """KIE answered 429."""
        self._schedule.refused(trio.current_time(), retry_after_s)
