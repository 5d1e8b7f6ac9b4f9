"""Two processes on one file: the standby takes over, and nothing is lost or done twice."""

from collections.abc import Mapping

import pytest

from tests.process.two_instances import Played, check_health, rounds_of
from trt.bench.failover_database import SQLiteFile
from trt.bench.failover_rounds import Strike
from trt.sources import SystemSources

Rounds = Mapping[Strike, Played]
# No server tells the standby that the holder is gone: the lease has to run out.
WHY = {Strike.PLANNED: "released", Strike.KILL: "expired"}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    folder = tmp_path_factory.mktemp("two")
    database = SQLiteFile(path=folder / "trt.sqlite3", sources=SystemSources())
    return rounds_of(database, folder, list(WHY))


@pytest.mark.parametrize("strike", WHY)
def test_nobody_loses_anything_when_the_holder_goes(strike: Strike, rounds: Rounds) -> None:
    played = rounds[strike].round
    assert not played.problems
    assert played.accounts.updates > 50
    assert played.accounts.is_balanced
    assert played.why == WHY[strike]
    assert played.gap_s > 0


@pytest.mark.parametrize("strike", WHY)
def test_health_says_who_holds_the_lease_since_when_and_why(strike: Strike, rounds: Rounds) -> None:
    check_health(rounds[strike])
