"""Both benches with tiny counts, against the real processes."""

from collections import Counter
from pathlib import Path

from attrs import evolve

from trt.bench.flow import bench_flow
from trt.bench.ingest import IngestBench
from trt.bench.instant_kie import Polls, polls_of
from trt.bench.jobs import bench_jobs
from trt.bench.report import flow_table, ingest_table, jobs_table
from trt.bench.spending import DELIVERY, HANDLING, INGRESS, RUNTIME, STORAGE, TELEMETRY, WEB
from trt.kie.poll_pacer import KIE_POLLS_MAX
from trt.sources import SystemSources


async def test_every_acknowledged_update_has_its_inbox_row(tmp_path: Path) -> None:
    bench = IngestBench(
        folder=tmp_path,
        sources=SystemSources(),
        connections=4,
        seconds=0.3,
        rounds=1,
        rate_per_s=40.0,
    )
    report = await bench.run()
    assert report.inbox_rows == report.acknowledged > 0
    assert report.paced_accepting.acknowledged == 12
    assert report.paced_working.acknowledged == 12
    [only] = report.rounds
    for load in (only.bare, only.accepting, only.working, report.paced_accepting):
        assert load.acknowledged > 0
        assert load.refused == load.cut == 0
        assert 0 < load.p50_s <= load.p99_s <= load.max_s
    table = ingest_table(report)
    for row in (
        "1 bare",
        "1 accepting",
        "1 working",
        "40/s accepting",
        "40/s working",
        "accepting / bare",
    ):
        assert f"\n{row} " in table


async def test_jobs_in_flight_are_polled_within_the_limits(tmp_path: Path) -> None:
    report = await bench_jobs(tmp_path, SystemSources(), jobs_max=60, seconds=4.0)
    assert report.is_within_limits
    assert 4.0 <= report.polls_per_s <= report.polls_allowed_per_s
    assert 1 <= report.task_polls_per_s_max <= KIE_POLLS_MAX
    assert report.cpu_ms_per_poll > 0
    table = jobs_table(report)
    for row in (
        "memory per job",
        "polls per s",
        "  in the busiest second",
        "  our own limit",
        "  for one task, in the busiest second",
        "  KIE allows for one task",
        "CPU per poll",
        "CPU in all",
    ):
        assert f"\n{row} " in table
    too_often = evolve(report, task_polls_per_s_max=int(KIE_POLLS_MAX) + 1)
    assert not too_often.is_within_limits


def test_polls_are_counted_by_second_and_by_task() -> None:
    asked = Counter({(1, b"a"): 3, (1, b"b"): 2, (2, b"a"): 4})
    assert polls_of(asked) == Polls(polls=9, per_s_max=5, task_per_s_max=4)


async def test_every_start_ends_in_a_delivered_menu(tmp_path: Path) -> None:
    report = await bench_flow(tmp_path, connections=4, seconds=0.3)
    assert report.menus_delivered == report.updates > 0
    assert report.cpu_s_per_update > 0
    parts = {WEB, INGRESS, HANDLING, DELIVERY, TELEMETRY, STORAGE, RUNTIME}
    assert parts <= report.profiled_shares.keys()
    assert abs(sum(report.profiled_shares.values()) - 1.0) < 1e-6
    table = flow_table(report)
    for row in ("menus delivered", "updates per s", "CPU per update", f"  {RUNTIME}"):
        assert f"\n{row} " in table
