"""When to look after a job again, and how long it will take: pure functions."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from trt.domain.job import RESULT_LIFE_S
from trt.domain.model_card import OutputKind

Schedule = tuple[tuple[float, float], ...]
"""(age in seconds up to, interval in seconds)."""

_SCHEDULES: Mapping[OutputKind, Schedule] = {
    # Pictures take 12 to 112 s, half of them less than a minute.
    OutputKind.IMAGE: ((30.0, 2.5), (120.0, 5.0), (600.0, 15.0)),
    # Clips take one to five minutes, some thirteen.
    OutputKind.VIDEO: ((30.0, 3.0), (120.0, 7.0), (600.0, 15.0)),
    # Speech is there in seconds, music after one to three minutes.
    OutputKind.AUDIO: ((30.0, 2.5), (180.0, 6.0), (600.0, 15.0)),
}
"""KIE's own advice is 2-3 s for 30 s, 5-10 s until 2 min, then 15-30 s."""
_INTERVAL_S_MAX = 25.0
_TROUBLES_DOUBLED = 3
_TROUBLE_S_MAX = 60.0
_JITTER = 0.2

RECORD_GRACE_S = 90.0
"""Right after createTask recordInfo may not know the task yet (422, 404)."""


def poll_delay_s(
    age_s: float, chance: float, kind: OutputKind = OutputKind.VIDEO, troubles: int = 0
) -> float:
    """Return the seconds until the next look at a task.

    Args:
        age_s: Seconds since the task was submitted.
        chance: A random number from 0 to 1 that spreads the polls of many jobs.
        kind: What the job makes.
        troubles: How many of the last looks in a row got no usable answer; each doubles the pause,
            up to eight times and a minute.
    """
    interval_s = next(
        (every for up_to, every in _SCHEDULES[kind] if age_s < up_to), _INTERVAL_S_MAX
    )
    if troubles > 0:
        interval_s = min(_TROUBLE_S_MAX, interval_s * 2.0 ** min(troubles, _TROUBLES_DOUBLED))
    return interval_s * (1 - _JITTER / 2 + _JITTER * chance)


def submit_delay_s(attempt: int, chance: float, retry_after_s: float | None = None) -> float:
    """Return the seconds until createTask may be called again after `attempt` calls in vain.

    Args:
        attempt: How often it was called.
        chance: A random number from 0 to 1.
        retry_after_s: What KIE or the circuit breaker asked for; never less than that.
    """
    backoff_s = float(min(20.0, 2.0 * 2 ** min(attempt - 1, 4))) * (0.75 + chance / 2)
    return max(backoff_s, retry_after_s or 0.0)


PLACE_SHOWN_S_MIN: Final = 5.0


def place_shown_s(place: int) -> float:
    """Return for how long a place in the queue stays on the screen before a new one is shown.

    Telegram limits how often we may write at all: far back the place is shown less often, so that a
    long queue does not keep results waiting.
    """
    return max(PLACE_SHOWN_S_MIN, place / 2)


LATE_LOOK_S_MIN: Final = 600.0


def late_look_s(age_s: float) -> float | None:
    """Return the seconds until KIE is asked again about a job that was given up.

    Args:
        age_s: Seconds since it was given up.

    Returns:
        As long as it has been waited already, so there are about eight looks; None when it is over.
    """
    return None if age_s >= RESULT_LIFE_S else max(LATE_LOOK_S_MIN, age_s)


FORECAST_FROM: Final = 50
"""How many of a model's last jobs a forecast is made from."""
_FORECAST_JOBS_MIN = 5


@frozen(kw_only=True)
class Forecast:
    """How long a model takes, measured."""

    usual_s: float
    """Half of its jobs were ready sooner."""
    long_s: float
    """Nine in ten were ready sooner."""


def forecast(durations_s: Sequence[float]) -> Forecast | None:
    """Return what to expect after jobs that took so long; None if there were too few."""
    if len(durations_s) < _FORECAST_JOBS_MIN:
        return None
    in_order = sorted(durations_s)

    def percentile(percent: int) -> float:
        return in_order[(len(in_order) * percent - 1) // 100]

    return Forecast(usual_s=percentile(50), long_s=percentile(90))
