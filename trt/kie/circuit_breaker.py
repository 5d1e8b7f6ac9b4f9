"""Stops calling a KIE that is down: pure, a state machine over time and outcomes."""

from collections import deque
from collections.abc import Callable
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import UserId


class BreakerState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """They do not: the last ones all failed."""
    HALF_OPEN = "half_open"
    """One trial call goes through and decides."""


class Health(StrEnum):
    """What a call says about KIE, not about the order."""

    WELL = "well"
    """It answered, be it with a refusal or a 429."""
    ILL = "ill"
    """5xx, maintenance, a timeout, or not reached."""
    NOTHING = "nothing"
    """The call was given up from our side."""


@frozen(kw_only=True)
class BreakerTerms:
    """When it opens and for how long."""

    failures_max: int = 5
    """In a row, without a call that went well between them."""
    users_min: int = 2
    """Whose they are: KIE says "server exception" also to one user's odd order, however often."""
    within_s: float = 120.0
    open_s: float = 15.0
    """Until the first trial; each further one takes twice as long."""
    open_s_max: float = 120.0
    trial_s_max: float = 45.0
    """After this a trial that nobody reported is over; createTask takes 30 s at most."""
    look_again_s: float = 2.0
    """While a trial is under way."""

    def __attrs_post_init__(self) -> None:
        assert 0 < self.users_min <= self.failures_max
        assert 0 < self.open_s <= self.open_s_max


@frozen(kw_only=True)
class BreakerChange:
    """The breaker went from one state to another."""

    before: BreakerState
    after: BreakerState
    next_trial_s: float | None
    """Seconds until the next trial, when it has opened."""


@frozen
class Permit:
    """Leave to make one call, whose outcome has to be reported."""

    era: int
    """Outcomes of calls made before the last change of state say nothing."""


@frozen
class NotNow:
    """No call: the next trial is in so many seconds."""

    retry_after_s: float


class CircuitBreaker:
    """Closed, open, half open; the times are seconds on any one clock."""

    def __init__(
        self,
        terms: BreakerTerms | None = None,
        on_change: Callable[[BreakerChange], None] = lambda _: None,
    ) -> None:
        self._terms = terms or BreakerTerms()
        self._on_change = on_change
        self._state = BreakerState.CLOSED
        self._era = 0
        self._failures: deque[tuple[float, UserId]] = deque(maxlen=self._terms.failures_max)
        self._openings = 0
        """In a row: how often it opened since a trial went well."""
        self._trial_at = 0.0
        """Open: when the next trial is due. Half open: when the running one is given up."""
        self._is_trial_running = False

    @property
    def state(self) -> BreakerState:
        """The state as of the last call."""
        return self._state

    def wait_s(self, now: float) -> float | None:
        """Return in how many seconds a call could go through, or None if it could now."""
        match self._state:
            case BreakerState.CLOSED:
                return None
            case BreakerState.OPEN:
                return self._trial_at - now if now < self._trial_at else None
            case BreakerState.HALF_OPEN:
                is_taken = self._is_trial_running and now < self._trial_at
                return min(self._terms.look_again_s, self._trial_at - now) if is_taken else None

    def admit(self, now: float) -> Permit | NotNow:
        """Give leave for one call, or say when to come again."""
        wait_s = self.wait_s(now)
        if wait_s is not None:
            return NotNow(wait_s)
        if self._state is not BreakerState.CLOSED:
            self._become(BreakerState.HALF_OPEN)
            self._trial_at = now + self._terms.trial_s_max
            self._is_trial_running = True
        return Permit(self._era)

    def report(self, now: float, permit: Permit, health: Health, user_id: UserId) -> None:
        """Tell how a call went.

        Args:
            now: When it ended.
            permit: What `admit` gave.
            health: What the call says about KIE.
            user_id: Whose order it was.
        """
        if permit.era != self._era:
            return
        if self._state is BreakerState.HALF_OPEN:
            self._judge_trial(now, health)
        elif health is Health.WELL:
            self._failures.clear()
        elif health is Health.ILL:
            self._failures.append((now, user_id))
            if self._is_epidemic(now):
                self._open(now)

    def _judge_trial(self, now: float, health: Health) -> None:
        self._is_trial_running = False
        if health is Health.WELL:
            self._openings = 0
            self._become(BreakerState.CLOSED)
        elif health is Health.ILL:
            self._open(now)

    def _is_epidemic(self, now: float) -> bool:
        """Return whether enough of the last calls failed, soon enough and for enough people."""
        recent = [user_id for at, user_id in self._failures if at > now - self._terms.within_s]
        return len(recent) >= self._terms.failures_max and len(set(recent)) >= self._terms.users_min

    def _open(self, now: float) -> None:
        open_s = min(self._terms.open_s_max, self._terms.open_s * 2.0 ** min(self._openings, 10))
        self._openings += 1
        self._trial_at = now + open_s
        self._become(BreakerState.OPEN, open_s)

    def _become(self, state: BreakerState, next_trial_s: float | None = None) -> None:
        before, self._state = self._state, state
        # Also a trial that follows a lost one starts an era: the lost one may still report.
        self._era += 1
        self._failures.clear()
        if before is not state:
            self._on_change(BreakerChange(before=before, after=state, next_trial_s=next_trial_s))
