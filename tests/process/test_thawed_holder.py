"""A frozen holder that nothing stops by itself: thawed, it goes on writing, and the fence refuses.

As it is, its own clock cuts it off before it tries, and its heartbeat hears who has the lease. Here
it runs from a copy of the package without either.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import trio
from attrs import frozen
from typing_extensions import override

from tests.process.instance import CHECKOUT
from trt.bench.failover import arena
from trt.bench.failover_database import PostgresDatabase, postgres_database
from trt.bench.failover_rounds import Strike, play
from trt.sources import SystemSources
from trt.testing.postgres_server import open_postgres_server

WEAKENED = {
    "trt/actors/held.py": {
        'self.lose("not renewed in time")': "await trio.sleep_forever()",
        "deadline=self.trusted_until + self.stop_lost_s": "",
        "leash.deadline = until + self.stop_lost_s": "pass",
    },
    "trt/actors/heartbeat.py": {
        'held.lose_to_another("somebody else took it")': "continue",
    },
}


@frozen(kw_only=True)
class WeakenedHolder(PostgresDatabase):
    """The database of two instances, the first of which runs from `packages`."""

    packages: Path

    @override
    def environment(self, seat: int) -> Mapping[str, str]:
        usual = super().environment(seat)
        return {**usual, "PYTHONPATH": str(self.packages)} if seat == 0 else usual


def test_the_epoch_of_a_thawed_holder_is_refused(tmp_path: Path) -> None:
    async def freeze_and_thaw(database: PostgresDatabase) -> None:
        async with arena(tmp_path, database, SystemSources()) as place:
            thawed = place.pair.holder
            played = await play(place, Strike.FREEZE)
            [lost] = thawed.instance.events("LOCK_LOST")
            assert lost["reason"] == "its epoch was refused"
            assert played.late_commits == 0
            assert not played.problems
            assert place.pair.standby is thawed

    with (
        open_postgres_server() as server,
        postgres_database(server, can_be_cut=False) as usual,
    ):
        database = WeakenedHolder(
            server=server, name=usual.name, proxies=(), packages=weakened(tmp_path / "weakened")
        )
        trio.run(freeze_and_thaw, database)


def weakened(folder: Path) -> Path:
    """Copy the package without what stops a holder that cannot renew; return where."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in ("trt", "migrations", "registry"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=ignored)
    for name, changes in WEAKENED.items():
        file = folder / name
        text = file.read_text()
        for old, new in changes.items():
            assert text.count(old) == 1, f"{old} must stand there once"
            text = text.replace(old, new)
        file.write_text(text)
    return folder
