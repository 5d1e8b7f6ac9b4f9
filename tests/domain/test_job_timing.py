"""Polls: as often as KIE advises, soon enough for the user, and slower when KIE is in trouble."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.job_timing import (
    Forecast,
    forecast,
    late_look_s,
    place_shown_s,
    poll_delay_s,
    submit_delay_s,
)
from trt.domain.model_card import OutputKind

ADVICE = ((30.0, 2.0, 3.0), (120.0, 5.0, 10.0), (float("inf"), 15.0, 30.0))
"""(age up to, from, to): KIE's documentation; jitter may take a tenth more or less."""
OBSERVED = {
    OutputKind.IMAGE: [12, 28, 45, 48, 55, 66, 112],
    OutputKind.VIDEO: [56, 63, 113, 127, 130, 154, 165, 188, 313, 785],
    OutputKind.AUDIO: [5, 20, 60, 120, 180],
}
"""Seconds that recorded tasks took, and guesses for sound."""


def polls(kind: OutputKind, ends_s: float, chance: float = 0.5) -> tuple[int, float]:
    """Return how many polls a task takes and how long after its end the last one comes."""
    age_s, count = 0.0, 0
    while age_s < ends_s:
        age_s += poll_delay_s(age_s, chance, kind)
        count += 1
    return count, age_s - ends_s


@given(age_s=st.floats(0, 3600), chance=st.floats(0, 1), kind=st.sampled_from(OutputKind))
def test_every_kind_is_polled_as_kie_advises(age_s: float, chance: float, kind: OutputKind) -> None:
    if kind is OutputKind.AUDIO and 120 <= age_s < 180:
        return  # music is ready in just this minute: asked at 6 s, of which KIE allows far more
    least_s, most_s = next((least, most) for up_to, least, most in ADVICE if age_s < up_to)
    assert least_s * 0.9 <= poll_delay_s(age_s, chance, kind) <= most_s * 1.1


@pytest.mark.parametrize(
    ("kind", "polls_max", "late_s_max"),
    [(OutputKind.IMAGE, 32, 5.5), (OutputKind.VIDEO, 70, 27.5), (OutputKind.AUDIO, 42, 6.6)],
)
def test_without_callbacks_a_result_is_still_found_soon(
    kind: OutputKind, polls_max: int, late_s_max: float
) -> None:
    for ends_s in OBSERVED[kind]:
        for chance in (0.0, 0.5, 1.0):
            count, late_s = polls(kind, ends_s, chance)
            assert count <= polls_max
            assert late_s <= late_s_max


@pytest.mark.parametrize("troubles", [0, 2])
def test_chance_spreads_the_polls_of_many_jobs_over_a_fifth_of_the_interval(troubles: int) -> None:
    soonest, usual, latest = (
        poll_delay_s(60.0, chance, OutputKind.IMAGE, troubles) for chance in (0.0, 0.5, 1.0)
    )
    assert soonest == pytest.approx(0.9 * usual)
    assert latest == pytest.approx(1.1 * usual)


def test_pictures_are_looked_at_more_often_than_clips() -> None:
    assert polls(OutputKind.IMAGE, 60)[0] > polls(OutputKind.VIDEO, 60)[0]
    assert poll_delay_s(0.0, 0.5) == poll_delay_s(0.0, 0.5, OutputKind.VIDEO)


def test_troubles_slow_the_polls_down_within_bounds() -> None:
    delays = [poll_delay_s(0.0, 0.5, OutputKind.IMAGE, troubles) for troubles in range(6)]
    assert delays == [2.5, 5.0, 10.0, 20.0, 20.0, 20.0]
    assert poll_delay_s(3600.0, 0.5, troubles=9) == 60.0


def test_another_try_comes_no_sooner_than_it_was_asked_for() -> None:
    assert [submit_delay_s(attempt, 0.5) for attempt in range(1, 7)] == [2, 4, 8, 16, 20, 20]
    assert submit_delay_s(1, 0.5, retry_after_s=15.0) == 15.0
    assert submit_delay_s(6, 0.5, retry_after_s=15.0) == 20.0


def test_a_long_queue_takes_less_than_half_of_what_telegram_lets_a_bot_write() -> None:
    edits_per_s = sum(1 / place_shown_s(place) for place in range(1, 1001))
    assert edits_per_s < 15
    assert place_shown_s(1) == 5.0


def test_a_late_result_is_looked_for_about_eight_times_in_a_day() -> None:
    age_s, looks = 0.0, 0
    while (pause_s := late_look_s(age_s)) is not None:
        age_s += pause_s
        looks += 1
    assert 24 * 3600 <= age_s <= 48 * 3600
    assert 6 <= looks <= 9


def test_a_forecast_needs_some_jobs_and_is_not_led_astray_by_one() -> None:
    assert forecast([9.0] * 4) is None
    assert forecast([9.0] * 5) == Forecast(usual_s=9.0, long_s=9.0)
    measured = [float(number) for number in range(1, 51)]
    assert forecast([*measured[:-1], 9999.0]) == Forecast(usual_s=25.0, long_s=45.0)


@given(st.lists(st.floats(0, 1e6), min_size=5))
def test_half_are_ready_sooner_than_usual_and_nine_in_ten_than_long(durations: list[float]) -> None:
    expected = forecast(durations)
    assert expected is not None
    assert expected.usual_s <= expected.long_s
    assert 2 * sum(each <= expected.usual_s for each in durations) >= len(durations)
    assert 10 * sum(each <= expected.long_s for each in durations) >= 9 * len(durations)
