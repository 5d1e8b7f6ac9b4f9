"""Polls are evenly spaced over all tasks, and a task is never asked about too often."""

from collections import Counter

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from trt.domain.ids import TaskId
from trt.kie.poll_pacer import PacerTerms, PollPacer, PollSchedule

TERMS = PacerTerms(polls_max_per_s=40.0, task_polls_max_per_s=8.0)
SECOND = 1.0 - 1e-9
"""A second on clocks that add floats."""


def most_within(times: list[float], seconds: float) -> int:
    return max((sum(at <= other < at + seconds for other in times) for at in times), default=0)


@given(
    polls=st.lists(st.tuples(st.floats(0, 0.2), st.integers(0, 30), st.booleans()), max_size=150)
)
def test_neither_the_account_nor_a_task_is_polled_too_often(
    polls: list[tuple[float, int, bool]],
) -> None:
    schedule, now = PollSchedule(TERMS), 0.0
    asked: list[tuple[float, int, bool]] = []
    for wait, number, is_called_back in polls:
        now += wait
        at = schedule.reserve(TaskId(str(number)), now, is_called_back=is_called_back)
        assert at >= now
        asked.append((at, number, is_called_back))
    assert most_within([at for at, _, is_called_back in asked if not is_called_back], SECOND) <= 40
    for task in {number for _, number, _ in asked}:
        assert most_within([at for at, number, _ in asked if number == task], SECOND) <= 8


def test_a_task_that_called_back_goes_first_and_the_routine_makes_room() -> None:
    schedule = PollSchedule(TERMS)
    routine = [schedule.reserve(TaskId(str(number)), 0.0) for number in range(100)]
    assert routine[-1] == pytest.approx(99 / 40)
    assert schedule.reserve(TaskId("ended"), 0.0, is_called_back=True) == 0.0
    assert schedule.reserve(TaskId("next"), 0.0) == pytest.approx(101 / 40)


def test_a_burst_of_callbacks_is_no_burst_of_polls() -> None:
    schedule = PollSchedule(TERMS)
    times = [schedule.reserve(TaskId("1"), 0.0, is_called_back=True) for _ in range(20)]
    assert times == [number / 8 for number in range(20)]


def test_after_a_429_nothing_is_asked_for_a_while() -> None:
    schedule = PollSchedule(TERMS)
    schedule.refused(0.0, None)
    assert schedule.reserve(TaskId("1"), 1.0, is_called_back=True) == 2.0
    assert schedule.reserve(TaskId("2"), 1.0) >= 2.0
    schedule.refused(10.0, 1e9)
    assert schedule.reserve(TaskId("3"), 10.0) == 70.0


def test_tasks_that_ended_are_forgotten() -> None:
    schedule = PollSchedule(TERMS)
    for number in range(1000):
        schedule.reserve(TaskId(str(number)), number)
    assert len(schedule) < 3


async def test_a_thousand_jobs_share_the_polls_evenly(autojump_clock: MockClock) -> None:
    pacer, began = PollPacer(TERMS), trio.current_time()
    polls: list[tuple[float, int]] = []

    async def watch(number: int) -> None:
        for _ in range(3):
            await pacer.wait_turn(TaskId(str(number)))
            polls.append((trio.current_time() - began, number))
            await trio.sleep(5)

    async with trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(watch, number)
    times = [at for at, _ in polls]
    assert most_within(times[::10], SECOND) * 10 <= 50
    assert Counter(number for at, number in polls if at < 1000 / 40 - 0.01) == dict.fromkeys(
        range(1000), 1
    )
    assert times[-1] < 3 * 1000 / 40 + 1


async def test_a_poll_that_is_given_up_does_not_hold_up_the_callbacks(
    autojump_clock: MockClock,
) -> None:
    pacer = PollPacer(PacerTerms(polls_max_per_s=1.0))
    for number in range(10):
        with trio.move_on_after(0):
            await pacer.wait_turn(TaskId(f"another-{number}"))
    with trio.move_on_after(2.0):
        await pacer.wait_turn(TaskId("ours"))
    began = trio.current_time()
    await pacer.wait_turn(TaskId("ours"), is_called_back=True)
    assert trio.current_time() == began
