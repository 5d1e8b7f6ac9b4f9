"""The pure rules: window, backoff, strategies."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.supervision import Backoff, Budget, Strategy
from trt.supervision.restart import RestartWindow


def test_budget_of_none_is_spent_by_the_first_crash() -> None:
    assert not RestartWindow(Budget(0, 1.0)).record(0.0)


def test_a_restart_exactly_at_the_edge_of_the_window_still_counts() -> None:
    window = RestartWindow(Budget(1, 10.0))
    assert window.record(0.0)
    assert not window.record(10.0)


def test_a_restart_beyond_the_window_is_forgiven() -> None:
    window = RestartWindow(Budget(1, 10.0))
    assert window.record(0.0)
    assert window.record(10.001)
    assert window.left(10.001) == 0
    assert window.left(30.0) == 1


@given(st.lists(st.floats(0, 100), max_size=30), st.integers(0, 5), st.floats(0.5, 20))
def test_the_window_allows_exactly_its_budget(
    times: list[float], restarts: int, within_s: float
) -> None:
    window = RestartWindow(Budget(restarts, within_s))
    for n, now in enumerate(sorted(times)):
        recent = [at for at in sorted(times)[: n + 1] if at >= now - within_s]
        assert window.record(now) == (len(recent) <= restarts)


@given(st.integers(0, 5000), st.integers(), st.floats(0, 1))
def test_a_delay_is_never_above_the_cap_nor_below_what_jitter_leaves(
    failures: int, seed: int, jitter: float
) -> None:
    backoff = Backoff(0.1, 30.0, jitter)
    full_s = Backoff(0.1, 30.0, 0.0).delay_s(failures, None)
    delay_s = backoff.delay_s(failures, random.Random(seed))
    assert full_s * (1 - jitter) <= delay_s <= full_s <= 30.0


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(1.0, 5.0, 0.0)
    assert [backoff.delay_s(n, None) for n in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_first_delay_above_the_cap_is_refused() -> None:
    with pytest.raises(AssertionError):
        Backoff(2.0, 1.0)


def test_strategies_name_those_who_share_the_fate() -> None:
    children = ["a", "b", "c"]
    assert Strategy.ONE_FOR_ONE.affected(children, "b") == ["b"]
    assert Strategy.REST_FOR_ONE.affected(children, "b") == ["b", "c"]
    assert Strategy.ONE_FOR_ALL.affected(children, "b") == ["a", "b", "c"]
