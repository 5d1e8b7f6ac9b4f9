"""How often the pretended KIE lets itself be called."""

from collections import deque

import trio
from attrs import field, frozen

from trt.sandbox.kie_envelope import Declined

CREATES_MAX, CREATES_WITHIN_S = 20, 10.0
POLLS_MAX, POLLS_WITHIN_S = 10, 1.0
TOO_OFTEN = "Your call frequency is too high. Please try again later."


@frozen
class Window:
    """Counts the calls of the last seconds; what is too much is refused and not queued."""

    calls_max: int
    within_s: float
    _at: deque[float] = field(factory=deque)

    def count(self) -> None:
        """Count a call.

        Raises:
            Declined: 429, it is one too many.
        """
        now = trio.current_time()
        while self._at and self._at[0] <= now - self.within_s:
            self._at.popleft()
        if len(self._at) >= self.calls_max:
            raise too_often()
        self._at.append(now)


def creates() -> Window:
    """Return the limit of createTask, one for the account."""
    return Window(CREATES_MAX, CREATES_WITHIN_S)


def polls() -> Window:
    """Return the limit of recordInfo, one for each task."""
    return Window(POLLS_MAX, POLLS_WITHIN_S)


def too_often() -> Declined:
    """Return the refusal."""
    return Declined(429, TOO_OFTEN)
