"""Two processes on one server: whatever takes the holder away, nobody loses anything by it."""

from collections.abc import Mapping

import pytest

from tests.process.two_instances import Played, check_health, rounds_of
from trt.bench.failover_database import shared_database
from trt.bench.failover_rounds import Strike
from trt.sources import SystemSources

Rounds = Mapping[Strike, Played]
# The server ends a session that says nothing in a transaction, perhaps before the lease runs out.
SILENT = {"expired", "crashed"}
WHY = {
    Strike.PLANNED: {"released"},
    Strike.KILL: {"crashed"},
    Strike.FREEZE: SILENT,
    Strike.CUT: SILENT,
    Strike.HALF_OPEN: SILENT,
}


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    folder = tmp_path_factory.mktemp("two")
    with shared_database("postgres", folder, SystemSources(), can_be_cut=True) as database:
        return rounds_of(database, folder, list(Strike))


@pytest.mark.parametrize("strike", Strike)
def test_nobody_loses_anything_when_the_holder_goes(strike: Strike, rounds: Rounds) -> None:
    played = rounds[strike].round
    assert not played.problems
    assert played.accounts.updates > 50
    assert played.accounts.is_balanced
    assert played.why in WHY[strike]
    assert played.gap_s > 0


@pytest.mark.parametrize("strike", [Strike.FREEZE, Strike.CUT, Strike.HALF_OPEN])
def test_a_zombie_commits_nothing_after_it_was_relieved(strike: Strike, rounds: Rounds) -> None:
    assert rounds[strike].round.late_commits == 0


@pytest.mark.parametrize("strike", Strike)
def test_health_says_who_holds_the_lease_since_when_and_why(strike: Strike, rounds: Rounds) -> None:
    check_health(rounds[strike])
