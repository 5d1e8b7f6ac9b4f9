"""Two instances behind a real transaction-mode pooler: nothing is lost, and the doctor says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from attrs import evolve, frozen

from tests.process.instance import Finished, command_environment, run_command
from tests.process.loopback import HOST
from trt.bench.failover import arena
from trt.bench.failover_database import SharedDatabase, postgres_database
from trt.bench.failover_rounds import Round, Strike, play
from trt.sources import SystemSources
from trt.testing.pooler import PROGRAM, open_pooler
from trt.testing.postgres_server import open_postgres_server

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="Debian's pgbouncer is not installed")
# No session shows that the holder is gone: the lease has to run out.
WHY = {Strike.PLANNED: "released", Strike.KILL: "expired"}


@frozen
class Lived:
    """What came of the rounds, and what was said of the pooler before."""

    rounds: Mapping[Strike, Round]
    doctor: Finished
    health: Mapping[str, Any]


async def live(database: SharedDatabase, folder: Path) -> Lived:
    async with arena(folder, database, SystemSources()) as place:
        holder = place.pair.holder
        doctor = await run_command(
            "doctor", environment=command_environment() | dict(holder.environment), folder=folder
        )
        async with httpx.AsyncClient() as http:
            health = (await http.get(f"http://{HOST}:{holder.port}/health")).json()
        rounds = {strike: await play(place, strike) for strike in WHY}
    return Lived(rounds, doctor, health)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("pooled")
    with (
        open_postgres_server() as server,
        postgres_database(server, can_be_cut=False) as direct,
        open_pooler(server) as port,
    ):
        return trio.run(live, evolve(direct, pooler_port=port), folder)


@pytest.mark.parametrize("strike", WHY)
def test_nobody_loses_anything_when_the_holder_goes(strike: Strike, lived: Lived) -> None:
    played = lived.rounds[strike]
    assert not played.problems
    assert played.accounts.updates > 50
    assert played.accounts.is_balanced
    assert played.why == WHY[strike]
    assert played.gap_s > 0


def test_the_operator_is_told_what_the_pooler_costs(lived: Lived) -> None:
    assert lived.health["database"] == {"engine": "postgres", "pooled": True}
    assert "a pooler is in between" in lived.doctor.out
    assert "LEASE_TTL_S" in lived.doctor.out
