"""`kill -9` between any two steps of a job: one result and one charge, or the money back."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from tests.process.kill_points import POINTS, Ending, live_through

AT_ONCE = 5
"""Each story waits most of its time for the dead one's lease; more would crowd a small machine."""

Endings = Mapping[str, Ending | Exception]


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Endings:
    """Live through every point, some side by side, because together they wait less."""
    found: dict[str, Ending | Exception] = {}
    limit = trio.CapacityLimiter(AT_ONCE)

    async def find(name: str, folder: Path) -> None:
        async with limit:
            try:
                found[name] = await live_through(POINTS[name], folder)
            except Exception as error:  # noqa: BLE001 - belongs to the test of this point
                found[name] = error

    async def find_all() -> None:
        async with trio.open_nursery() as nursery:
            for name in POINTS:
                nursery.start_soon(find, name, tmp_path_factory.mktemp("killed"))

    trio.run(find_all)
    return found


@pytest.mark.parametrize("name", POINTS)
def test_a_killed_process_owes_nobody_anything(name: str, endings: Endings) -> None:
    ending, point = endings[name], POINTS[name]
    if isinstance(ending, Exception):
        raise ending
    assert (ending.killed_code, ending.exit_code) == (-9, 0)
    assert ending.audit.is_balanced, ending.audit.problems
    assert ending.unsent == 0
    assert ending.final_id == ending.confirmation_id
    assert ending.texts_below == 0
    assert ending.price_kopecks > 0
    is_delivered = ending.tasks > 0 if point.is_delivered is None else point.is_delivered
    if is_delivered:
        assert ending.job_states == ("delivered",)
        assert ending.resolutions == ("post",)
        assert ending.spent_kopecks == ending.price_kopecks
        assert ending.tasks == 1
        assert 1 <= ending.photos <= point.photos_max
    else:
        assert ending.job_states == ("failed",)
        assert ending.resolutions == ("void",)
        assert ending.spent_kopecks == 0
        assert (ending.tasks, ending.photos) == (0, 0)
