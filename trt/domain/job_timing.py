"""When to look after a job again: pure functions of its age."""

_SCHEDULE: tuple[tuple[float, float], ...] = ((30.0, 3.0), (120.0, 7.0), (600.0, 15.0))
"""(age up to, interval): KIE's own advice is 2-3 s for 30 s, 5-10 s until 2 min, then 15-30 s."""
_INTERVAL_S_MAX = 25.0
_JITTER = 0.2

RECORD_GRACE_S = 90.0
"""Right after createTask recordInfo may not know the task yet (422, 404)."""


def poll_delay_s(age_s: float, chance: float) -> float:
    """Return the seconds until the next look at a task.

    Args:
        age_s: Seconds since the task was submitted.
        chance: A random number from 0 to 1 that spreads the polls of many jobs.
    """
    interval_s = next((every for up_to, every in _SCHEDULE if age_s < up_to), _INTERVAL_S_MAX)
    return interval_s * (1 - _JITTER / 2 + _JITTER * chance)


def submit_delay_s(attempt: int, chance: float) -> float:
    """Return the seconds until createTask may be called again after `attempt` calls in vain.

    KIE allows 20 creates in 10 s for the whole account and does not queue the rest.
    """
    return float(min(20.0, 2.0 * 2 ** min(attempt - 1, 4))) * (0.75 + chance / 2)
