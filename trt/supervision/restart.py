"""The rules of restarting, pure: who, how often, how soon.

They follow Erlang/OTP's `supervisor`, with backoff added.
"""

import random
from collections.abc import Sequence
from enum import Enum, auto
from typing import TypeVar, assert_never

from attrs import field, frozen, validators

T = TypeVar("T")


class Restart(Enum):
    """When a child is started again (OTP: restart types)."""

    PERMANENT = auto()  # always; its normal return counts as a crash
    TRANSIENT = auto()  # after a crash; a normal return completes it
    TEMPORARY = auto()  # never


class Strategy(Enum):
    """Which siblings share the fate of a child that is restarted (OTP: strategies)."""

    ONE_FOR_ONE = auto()  # none
    REST_FOR_ONE = auto()  # those that were started after it
    ONE_FOR_ALL = auto()  # all

    def affected(self, children: Sequence[T], failed: T) -> list[T]:
        """Return the children that restart when `failed` does, itself included, in order."""
        match self:
            case Strategy.ONE_FOR_ONE:
                return [failed]
            case Strategy.REST_FOR_ONE:
                return list(children[children.index(failed) :])
            case Strategy.ONE_FOR_ALL:
                return list(children)
            case _:
                assert_never(self)


class AutoShutdown(Enum):
    """Which ends of significant children end their supervisor (OTP 24: `auto_shutdown`).

    What counts is an end by itself, for good. A stop by hand or for a sibling's sake does not.
    """

    NEVER = auto()
    ANY_SIGNIFICANT = auto()  # the first
    ALL_SIGNIFICANT = auto()  # the last

    def follows(self, *, others_are_up: bool) -> bool:
        """Return whether the supervisor ends when a significant child has ended."""
        match self:
            case AutoShutdown.NEVER:
                return False
            case AutoShutdown.ANY_SIGNIFICANT:
                return True
            case AutoShutdown.ALL_SIGNIFICANT:
                return not others_are_up
            case _:
                assert_never(self)


@frozen
class Budget:
    """How many restarts are tolerated in a sliding window; one more, and the supervisor gives up.

    `restarts=0` gives up at the first crash.
    """

    restarts: int = field(default=3, validator=validators.ge(0))
    within_s: float = field(default=30.0, validator=validators.gt(0.0))


class RestartWindow:
    """The restarts that still count against a `Budget`."""

    __slots__ = ("_restarts_at", "budget")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._restarts_at: tuple[float, ...] = ()

    def record(self, now: float) -> bool:
        """Count one restart at `now`; return whether the budget still allows it."""
        self._restarts_at = (*self._restarts_at, now)
        return self.count(now) <= self.budget.restarts

    def count(self, now: float) -> int:
        """Return how many restarts lie in the window; one exactly at its edge still counts."""
        while self._restarts_at and self._restarts_at[0] < now - self.budget.within_s:
            self._restarts_at = self._restarts_at[1:]
        return len(self._restarts_at)

    def left(self, now: float) -> int:
        """Return how many more restarts are tolerated at `now`."""
        return max(0, self.budget.restarts - self.count(now))


@frozen
class Backoff:
    """How long to wait before a restart: doubling from `first_s` up to `cap_s`.

    `jitter` (0 to 1) is the share of the delay that chance may take away, so that actors that fell
    together do not rise together; the delay never exceeds `cap_s`. A child that was up for `cap_s`
    begins at `first_s` again.
    """

    first_s: float = field(default=0.1, validator=validators.ge(0.0))
    cap_s: float = field(default=30.0, validator=validators.ge(0.0))
    jitter: float = field(default=0.5, validator=[validators.ge(0.0), validators.le(1.0)])

    def __attrs_post_init__(self) -> None:
        assert self.first_s <= self.cap_s, "the first delay is at most the cap"

    def delay_s(self, failures: int, chance: random.Random | None) -> float:
        """Return the delay after `failures` earlier failures in a row; no `chance`, no jitter."""
        # 2**64 times any sensible first delay is beyond any cap, and beyond it floats overflow.
        full_s = min(self.cap_s, self.first_s * 2.0 ** min(failures, 64))
        return full_s if chance is None else full_s * (1.0 - self.jitter * chance.random())
