"""`trt bench runtime` with tiny counts; what it finds is not judged here, only that it is found."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from trt.bench.runtime import NOT_INSTALLED, RuntimeBench, RuntimeReport, Sizes
from trt.bench.runtime_child import Order, measured
from trt.bench.runtime_erlang import erlang
from trt.bench.runtime_report import runtime_table

TINY = Sizes(tells=2_000, asks=50, spawns=20, restarts=10, resting=200, keyed=300, rounds=2)


@pytest.fixture
async def report(tmp_path: Path) -> RuntimeReport:
    return await RuntimeBench(folder=tmp_path, sizes=TINY).run()


async def test_every_comparison_is_made_and_the_actors_are_gone(report: RuntimeReport) -> None:
    rows = {(row.what, row.beside): row for row in report.rows}
    for what in (
        "tell",
        "ask with a deadline",
        "spawn and stop, all at once",
        "spawn and stop, one by one",
    ):
        row = rows[what, "bare trio"]
        assert row.ours > 0
        assert row.other is not None
        assert row.ratio is not None
    assert rows["memory per idle actor", "bare task with a channel"].other
    assert rows["crash to running again", ""].ours > 0
    keyed = report.keyed
    assert keyed.alive.actors == keyed.alive_again.actors == 300
    assert keyed.after.actors == keyed.after_again.actors == 0
    assert keyed.after.tasks == keyed.before.tasks < keyed.alive.tasks
    assert keyed.after.blocks < keyed.alive.blocks

    table = runtime_table(report)
    for row in report.rows:
        assert f"\n{row.what}  " in table

    for library in ("pykka", "thespian"):
        told = rows["tell", library]
        if find_spec(library) is None:
            assert told.other is None
            assert told.note == NOT_INSTALLED
            assert NOT_INSTALLED in table
        else:
            assert told.ratio is not None


@pytest.mark.parametrize("library", ["pykka", "thespian"])
def test_another_library_does_the_same_work(library: str) -> None:
    pytest.importorskip(library)
    found = measured(Order(measures=[f"tell {library}", f"ask {library}"], count=10, rounds=1))
    assert all(rate > 0 for [rate] in found.values())


def test_erlang_is_measured_where_it_is_installed(tmp_path: Path) -> None:
    found = erlang(tmp_path, tells=100, asks=10, spawns=10)
    names = {"tell", "ask", "spawn_many", "spawn_each", "rest"}
    assert found.figures.keys() == names or found.why_not


def test_an_erlang_that_does_not_run_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "escript"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert erlang(tmp_path, tells=1, asks=1, spawns=1).why_not
