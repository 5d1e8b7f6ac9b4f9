"""A release and the next one at the same time, with a migration in between."""

import shutil
import signal
from pathlib import Path

import pytest
import trio

from tests.process.instance import CHECKOUT, command_environment, run_command
from tests.process.two_instances import live_through
from trt.bench.failover import arena
from trt.bench.failover_database import ENGINES, SharedDatabase, shared_database
from trt.sources import SystemSources

ADDITIVE = "ALTER TABLE inbox ADD COLUMN of_the_next_release TEXT;\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_both_releases_work_side_by_side_and_then_the_older_one_refuses_to_start(
    engine: str, tmp_path: Path
) -> None:
    newer, step = next_release(engine, tmp_path / "next")
    with shared_database(engine, tmp_path, SystemSources(), can_be_cut=False) as database:
        trio.run(overlap, tmp_path, database, newer, step)


async def overlap(folder: Path, database: SharedDatabase, newer: Path, step: str) -> None:
    async with arena(folder, database, SystemSources()) as place:
        older, replaced = place.pair.holder, place.pair.standby

        async def deploy() -> None:
            """Put the next release in the standby's place; as it starts, it migrates."""
            replaced.environment = {**replaced.environment, "PYTHONPATH": str(newer)}
            replaced.instance.signal(signal.SIGTERM)
            await place.pair.restart(replaced)

        async def hand_over() -> None:
            older.instance.signal(signal.SIGTERM)
            taken = await replaced.instance.wait_event("LOCK_ACQUIRED")
            assert taken["why"] == "released"

        deployed = await live_through(place, deploy)
        assert not deployed.accounts.problems
        assert older.instance.is_holder, "the migration did not disturb the older release"
        handed_over = await live_through(place, hand_over)
        assert not handed_over.accounts.problems
        assert replaced.instance.is_holder
        assert await older.instance.wait_exit() == 0
        refused = await run_command(
            "run", environment=command_environment() | dict(older.environment), folder=folder
        )
    assert refused.code == 2
    assert step in refused.err
    assert "start the newer release" in refused.err
    assert "Traceback" not in refused.err


def next_release(engine: str, folder: Path) -> tuple[Path, str]:
    """Copy this release and add a step to its migrations; return where, and the step's name."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("trt", "migrations", "registry"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=ignored)
    steps = folder / "migrations" / engine
    step = steps / f"{len(list(steps.iterdir())) + 1:04}_next_release.sql"
    step.write_text(ADDITIVE)
    return folder, step.name
