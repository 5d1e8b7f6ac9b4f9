"""The circuit breaker: closed, open, half open, and what makes it go from one to the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import UserId
from trt.kie.circuit_breaker import (
    BreakerChange,
    BreakerState,
    BreakerTerms,
    CircuitBreaker,
    Health,
    NotNow,
    Permit,
)

ANNA, BORIS = UserId(1), UserId(2)
TERMS = BreakerTerms(failures_max=3, users_min=2, within_s=60.0, open_s=10.0, open_s_max=25.0)
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN


class Bench:
    """A breaker with a clock and a note of its changes."""

    def __init__(self, terms: BreakerTerms = TERMS) -> None:
        self.changes: list[BreakerChange] = []
        self.breaker = CircuitBreaker(terms, self.changes.append)
        self.now = 0.0

    def call(self, health: Health, user: UserId = ANNA) -> Permit | NotNow:
        permit = self.breaker.admit(self.now)
        if isinstance(permit, Permit):
            self.breaker.report(self.now, permit, health, user)
        return permit

    def opened(self) -> "Bench":
        for user in (ANNA, BORIS, ANNA):
            self.call(Health.ILL, user)
        assert self.breaker.state is OPEN
        return self


def test_it_opens_after_failures_in_a_row_and_says_when_to_come_again() -> None:
    bench = Bench().opened()
    bench.now = 4.0
    assert bench.call(Health.WELL) == NotNow(6.0)
    assert bench.changes == [BreakerChange(before=CLOSED, after=OPEN, next_trial_s=10.0)]


def test_one_call_that_goes_well_makes_them_no_longer_a_row() -> None:
    bench = Bench()
    for health in (Health.ILL, Health.ILL, Health.WELL, Health.ILL, Health.NOTHING, Health.ILL):
        bench.call(health, BORIS)
        bench.call(Health.NOTHING, ANNA)
    assert bench.breaker.state is CLOSED


def test_one_users_odd_order_closes_the_shop_to_nobody() -> None:
    bench = Bench()
    for _ in range(20):
        bench.call(Health.ILL, ANNA)
    assert bench.breaker.state is CLOSED
    bench.call(Health.ILL, BORIS)
    assert bench.breaker.state is OPEN


def test_failures_far_apart_are_no_outage() -> None:
    bench = Bench()
    for number in range(10):
        bench.now += 30.0
        bench.call(Health.ILL, UserId(number))
    assert bench.breaker.state is CLOSED


def test_half_open_lets_one_trial_through_and_it_decides() -> None:
    bench = Bench().opened()
    bench.now = 10.0
    trial = bench.breaker.admit(bench.now)
    assert isinstance(trial, Permit)
    assert bench.breaker.state is HALF_OPEN
    assert bench.breaker.admit(bench.now) == NotNow(TERMS.look_again_s)
    bench.breaker.report(bench.now, trial, Health.WELL, ANNA)
    assert [change.after for change in bench.changes] == [OPEN, HALF_OPEN, CLOSED]
    assert isinstance(bench.call(Health.WELL), Permit)


def test_each_trial_in_vain_doubles_the_time_until_the_next() -> None:
    bench = Bench().opened()
    pauses = []
    for _ in range(4):
        wait_s = bench.breaker.wait_s(bench.now)
        assert wait_s is not None
        pauses.append(wait_s)
        bench.now += wait_s
        bench.call(Health.ILL)
    assert pauses == [10.0, 20.0, 25.0, 25.0]
    bench.now += 25.0
    bench.call(Health.WELL)
    assert bench.opened().breaker.wait_s(bench.now) == 10.0


def test_a_trial_that_was_given_up_is_followed_by_another() -> None:
    bench = Bench().opened()
    bench.now = 10.0
    bench.call(Health.NOTHING)
    assert bench.breaker.state is HALF_OPEN
    bench.call(Health.WELL)
    assert bench.breaker.state is CLOSED


def test_a_trial_that_nobody_reports_is_over_after_a_while() -> None:
    bench = Bench().opened()
    bench.now = 10.0
    lost = bench.breaker.admit(bench.now)
    bench.now += TERMS.trial_s_max
    trial = bench.breaker.admit(bench.now)
    assert isinstance(lost, Permit)
    assert isinstance(trial, Permit)
    bench.breaker.report(bench.now, lost, Health.WELL, ANNA)
    assert bench.breaker.state is HALF_OPEN
    bench.breaker.report(bench.now, trial, Health.ILL, ANNA)
    assert bench.breaker.state is OPEN


def test_calls_from_before_a_change_decide_nothing() -> None:
    bench = Bench()
    early = [bench.breaker.admit(0.0) for _ in range(3)]
    bench.opened()
    for permit in early:
        assert isinstance(permit, Permit)
        bench.breaker.report(1.0, permit, Health.WELL, ANNA)
    assert bench.breaker.state is OPEN


@pytest.mark.parametrize("users_min", [0, 4])
def test_terms_that_could_never_be_met_are_impossible(users_min: int) -> None:
    with pytest.raises(AssertionError):
        BreakerTerms(failures_max=3, users_min=users_min)


STEPS = st.lists(
    st.tuples(
        st.floats(0, 40),
        st.sampled_from(["admit", "report"]),
        st.sampled_from(Health),
        st.integers(0, 2),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_whatever_happens_an_open_breaker_lets_one_call_through_at_a_time_and_never_locks_up(
    steps: list[tuple[float, str, Health, int]],
) -> None:
    bench = Bench()
    under_way: list[tuple[float, Permit]] = []
    for wait, what, health, user in steps:
        bench.now += wait
        before = bench.breaker.state
        if what == "report" and under_way:
            bench.breaker.report(bench.now, under_way.pop()[1], health, UserId(user))
            continue
        permit = bench.breaker.admit(bench.now)
        if isinstance(permit, NotNow):
            assert before is not CLOSED
            assert 0 < permit.retry_after_s <= TERMS.open_s_max
            continue
        if before is not CLOSED:
            assert bench.breaker.state is HALF_OPEN
            trials = [
                at
                for at, other in under_way
                if other.era == permit.era and bench.now - at < TERMS.trial_s_max
            ]
            assert not trials, "two trials at once"
        under_way.append((bench.now, permit))
    bench.now += TERMS.open_s_max + TERMS.trial_s_max
    assert isinstance(bench.call(Health.WELL), Permit)
    assert bench.breaker.state is CLOSED
    for change, following in zip(bench.changes, bench.changes[1:], strict=False):
        assert change.after is following.before
        assert change.before is not change.after
