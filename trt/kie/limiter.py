"""Who may call createTask when: KIE's limit for the whole account, shared fairly by the users."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import trio
from attrs import evolve, frozen

from trt.domain.ids import UserId
from trt.kie.fair_queue import FairQueue, Ticket

KIE_CREATES_MAX, KIE_WITHIN_S = 20, 10.0
"""docs.kie.ai, start page: 20 requests in 10 s for an account; the rest is refused, not queued."""


@frozen(kw_only=True)
class LimiterTerms:
    """How much of KIE's limit is used, and how long to be quiet after a 429."""

    creates_max: int = 18
    """Two are left for an instance that has just handed over to this one."""
    within_s: float = 11.0
    """A second more than KIE's: a call that leaves late must not meet ones that leave early."""
    pause_s: float = 2.0
    """The first pause; each further 429 doubles it."""
    pause_s_max: float = 60.0

    def __attrs_post_init__(self) -> None:
        assert 0 < self.creates_max < KIE_CREATES_MAX
        assert self.within_s >= KIE_WITHIN_S
        assert 0 < self.pause_s <= self.pause_s_max

    def shared(self, among: int) -> "LimiterTerms":
        """Return the share of each when `among` of them call without asking each other.

        Where there are more of them than calls, each has one in a longer time.
        """
        return evolve(
            self,
            creates_max=max(1, self.creates_max // among),
            within_s=self.within_s * max(1.0, among / self.creates_max),
        )


@frozen(kw_only=True)
class LimiterStatistics:
    """How the queue stands."""

    waiting: int
    calls_in_window: int
    is_paused: bool


class CreateWindow:
    """Pure: at most so many calls in any stretch of so many seconds, and pauses after a 429."""

    def __init__(self, terms: LimiterTerms) -> None:
        self._terms = terms
        self._at: deque[float] = deque()
        self._paused_until = float("-inf")
        self._pauses = 0

    def opens_at(self, now: float) -> float:
        """Return when the next call may be made: `now`, or a later time."""
        self._forget(now)
        full_until = now
        if len(self._at) >= self._terms.creates_max:
            full_until = self._at[0] + self._terms.within_s
        return max(now, full_until, self._paused_until)

    def take(self, now: float) -> None:
        """Count a call that is about to be made."""
        assert self.opens_at(now) <= now, "the window is closed"
        self._at.append(now)

    def remember(self, now: float, ages_s: Sequence[float]) -> None:
        """Count calls that somebody else made with our key, so many seconds ago."""
        self._at = deque(sorted([*self._at, *(now - age_s for age_s in ages_s)]))

    def refused(self, now: float, retry_after_s: float | None) -> None:
        """KIE said 429: pause for as long as it asks, at least twice as long as the last time."""
        if now < self._paused_until:
            pause_s = 0.0  # the others of one burst: they tell nothing new
        else:
            pause_s = min(
                self._terms.pause_s_max, self._terms.pause_s * 2.0 ** min(self._pauses, 10)
            )
            self._pauses += 1
        asked_s = min(retry_after_s or 0.0, self._terms.pause_s_max)
        self._paused_until = max(self._paused_until, now + pause_s, now + asked_s)

    def accepted(self, now: float) -> None:
        """KIE let a call through: the next pause is a short one again."""
        if now >= self._paused_until:
            self._pauses = 0

    def statistics(self, now: float) -> tuple[int, bool]:
        """Return how many calls the window holds, and whether it is paused."""
        self._forget(now)
        return len(self._at), now < self._paused_until

    def _forget(self, now: float) -> None:
        while self._at and self._at[0] + self._terms.within_s <= now:
            self._at.popleft()


class SubmitLimiter:
    """The queue before createTask. The waiting tasks run it themselves: it has no task of its own.

    One of them, the driver, sleeps until the window opens and calls whose turn it is; when it is
    called or cancelled, another one drives.
    """

    def __init__(self, terms: LimiterTerms | None = None) -> None:
        self._window = CreateWindow(terms or LimiterTerms())
        self._queue = FairQueue()
        self._parked: dict[Ticket, trio.Event] = {}
        self._driver: Ticket | None = None

    @contextmanager
    def queued(self, user_id: UserId) -> Iterator[Ticket]:
        """Stand in the queue for one order; leaving the block leaves the queue."""
        ticket = Ticket(user_id)
        self._queue.join(ticket)
        try:
            yield ticket
        finally:
            self._queue.leave(ticket)

    def place(self, ticket: Ticket) -> int:
        """Return the 1-based place in the queue, or 0 when the ticket's turn has come."""
        return self._queue.place(ticket)

    async def wait_turn(self, ticket: Ticket) -> None:
        """Wait until createTask may be called for this ticket.

        Cancelling it does not give up the place: that is what leaving `queued` does.
        """
        assert ticket not in self._parked, "one waiter for a ticket"
        assert ticket is not self._driver, "one waiter for a ticket"
        try:
            while not ticket.is_called:
                if self._driver is None:
                    self._driver = ticket
                if self._driver is ticket:
                    await trio.sleep_until(self._window.opens_at(trio.current_time()))
                    self._call_due()
                else:
                    self._parked[ticket] = trio.Event()
                    await self._parked[ticket].wait()
                    del self._parked[ticket]
        finally:
            self._parked.pop(ticket, None)
            if self._driver is ticket:
                self._hand_over()

    def remember(self, ages_s: Sequence[float]) -> None:
        """Count the calls of the instance that this one takes over from, by their ages."""
        self._window.remember(trio.current_time(), ages_s)

    def refused(self, retry_after_s: float | None) -> None:
        """KIE answered 429: nobody is called for a while."""
        self._window.refused(trio.current_time(), retry_after_s)

    def accepted(self) -> None:
        """KIE answered something else."""
        self._window.accepted(trio.current_time())

    def statistics(self) -> LimiterStatistics:
        """Return how the queue stands."""
        calls, is_paused = self._window.statistics(trio.current_time())
        return LimiterStatistics(
            waiting=len(self._queue), calls_in_window=calls, is_paused=is_paused
        )

    def _call_due(self) -> None:
        now = trio.current_time()
        while self._window.opens_at(now) <= now:
            ticket = self._queue.call_next()
            if ticket is None:
                return
            self._window.take(now)
            if ticket in self._parked:
                self._parked[ticket].set()

    def _hand_over(self) -> None:
        self._driver = next((one for one in self._parked if not one.is_called), None)
        if self._driver is not None:
            self._parked[self._driver].set()
