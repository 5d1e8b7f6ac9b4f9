"""How much the tests of supervision try: a little by default, a lot at night.

`TRT_NIGHTLY=1` plays every story under 200 scheduler seeds and draws 10,000 programs and 100,000
schedules. `TRT_SEEDS` sets the number of seeds alone.
"""

import os

_environment = os.environ  # noqa: TID251 - the tests' own settings

IS_NIGHTLY = _environment.get("TRT_NIGHTLY") == "1"
SEEDS = range(int(_environment.get("TRT_SEEDS", "200" if IS_NIGHTLY else "24")))
PROGRAMS = 10_000 if IS_NIGHTLY else 200
SCHEDULES = 100_000 if IS_NIGHTLY else 1_000
