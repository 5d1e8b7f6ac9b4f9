"""How much the tests of supervision try: a little by default, a lot at night.

`TRT_NIGHTLY=1` plays every story under 200 scheduler seeds and draws 10,000 programs and 100,000
schedules. `TRT_SEEDS`, `TRT_PROGRAMS` and `TRT_SCHEDULES` set one number alone.
"""

import os

_environment = os.environ  # noqa: TID251 - the tests' own settings

IS_NIGHTLY = _environment.get("TRT_NIGHTLY") == "1"


def _number(name: str, *, by_day: int, at_night: int) -> int:
    return int(_environment.get(name, at_night if IS_NIGHTLY else by_day))


SEEDS = range(_number("TRT_SEEDS", by_day=24, at_night=200))
PROGRAMS = _number("TRT_PROGRAMS", by_day=200, at_night=10_000)
SCHEDULES = _number("TRT_SCHEDULES", by_day=1_000, at_night=100_000)
# Whoever only wants to know whether a test fails need not see the smallest failure.
IS_SHRINKING = _environment.get("TRT_SHRINK") != "0"
