"""`trt bench`, with its kinds: their arguments, and what they print."""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import trio

from trt.bench.chaos import bench_chaos
from trt.bench.chaos_plan import ChaosPlan
from trt.bench.chaos_report import chaos_table
from trt.bench.failover import bench_failover, strikes_at
from trt.bench.failover_database import ENGINES
from trt.bench.failover_report import failover_table, round_line
from trt.bench.failover_rounds import Round, Strike
from trt.bench.flow import bench_flow
from trt.bench.ingest import RATE_PER_S, IngestBench
from trt.bench.jobs import bench_jobs
from trt.bench.report import flow_table, ingest_table, jobs_table
from trt.bench.runtime import QUICK, RuntimeBench, Sizes
from trt.bench.runtime_report import runtime_table
from trt.sources import SystemSources

CONNECTIONS_MAX = 1_000
SECONDS_MAX = 600.0
ROUNDS_MAX = 100
JOBS_MAX = 5_000
KILLS_MAX = 1_000
SEED_MAX = 2**32


def add_bench_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench` to the commands of `trt`; each sets `command`, as the others do."""
    bench = commands.add_parser("bench", help="measure the real service on this machine")
    kinds = bench.add_subparsers(required=True, metavar="BENCH")

    ingest = kinds.add_parser("ingest", help="durable accepted updates per second")
    _add_common(ingest)
    ingest.add_argument("--rounds", type=_count(ROUNDS_MAX), default=3, help="the median counts")
    ingest.add_argument(
        "--rate", type=_positive(10_000.0), default=RATE_PER_S, help="of the paced load, per second"
    )
    ingest.set_defaults(command=_ingest)

    flow = kinds.add_parser("flow", help="/start to delivered menu, and what it costs")
    _add_common(flow)
    flow.set_defaults(command=_flow)

    in_flight = kinds.add_parser("jobs", help="many generations in flight on one instance")
    in_flight.add_argument("--jobs", type=_count(JOBS_MAX), default=1000, help="in flight")
    in_flight.add_argument("--seconds", type=_positive(SECONDS_MAX), default=20.0, help="watched")
    in_flight.add_argument("--json", action="store_true", help="print the figures for machines")
    in_flight.set_defaults(command=_jobs)

    failover = kinds.add_parser("failover", help="how long nobody works when the holder goes")
    failover.add_argument("--rounds", type=_count(ROUNDS_MAX), default=20, help="of each kind")
    failover.add_argument("--database", choices=ENGINES, default="postgres")
    failover.add_argument(
        "--strike", choices=[strike.name.lower() for strike in Strike], help="only this kind"
    )
    failover.add_argument("--json", action="store_true", help="print the figures for machines")
    failover.set_defaults(command=_failover)

    chaos = kinds.add_parser("chaos", help="kills and misfortunes while people order")
    chaos.add_argument("--jobs", type=_count(JOBS_MAX), default=2000)
    chaos.add_argument("--kills", type=_count(KILLS_MAX), default=200)
    chaos.add_argument("--engine", choices=ENGINES, default="sqlite")
    chaos.add_argument("--seed", type=_count(SEED_MAX), help="of another run, to repeat its plan")
    chaos.add_argument("--json", action="store_true", help="print the figures for machines")
    chaos.set_defaults(command=_chaos)

    runtime = kinds.add_parser("runtime", help="our actors beside bare trio, pykka and thespian")
    runtime.add_argument("--quick", action="store_true", help="small counts, rough figures")
    runtime.add_argument("--json", action="store_true", help="print the figures for machines")
    runtime.set_defaults(command=_runtime)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=_positive(SECONDS_MAX), default=5.0, help="per load")
    parser.add_argument("--connections", type=_count(CONNECTIONS_MAX), default=32)
    parser.add_argument("--json", action="store_true", help="print the figures for machines")


def _ingest(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        bench = IngestBench(
            folder=Path(folder),
            sources=SystemSources(),
            connections=chosen.connections,
            seconds=chosen.seconds,
            rounds=chosen.rounds,
            rate_per_s=chosen.rate,
        )
        report = trio.run(bench.run)
    _print(report, None if chosen.json else ingest_table(report))
    return 0 if report.inbox_rows == report.acknowledged else 1


def _flow(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        report = trio.run(
            lambda: bench_flow(Path(folder), connections=chosen.connections, seconds=chosen.seconds)
        )
    _print(report, None if chosen.json else flow_table(report))
    return 0 if report.menus_delivered == report.updates else 1


def _jobs(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        report = trio.run(
            lambda: bench_jobs(
                Path(folder), SystemSources(), jobs_max=chosen.jobs, seconds=chosen.seconds
            )
        )
    _print(report, None if chosen.json else jobs_table(report))
    return 0 if report.is_within_limits else 1


def _failover(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    strikes = strikes_at(chosen.database)
    if chosen.strike is not None:
        strikes = [strike for strike in strikes if strike.name.lower() == chosen.strike]

    if not strikes:
        sys.stderr.write(f"There is no such strike with {chosen.database}.\n")
        return 2

    def on_round(played: Round) -> None:
        if not chosen.json:
            sys.stderr.write(f"{round_line(played)}\n")

    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        report = bench_failover(
            chosen.database,
            Path(folder),
            SystemSources(),
            strikes=strikes,
            rounds=chosen.rounds,
            on_round=on_round,
        )
    _print(report, None if chosen.json else failover_table(report))
    return 0 if report.is_met else 1


def _chaos(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    sources = SystemSources()
    seed = sources.random().randint(1, SEED_MAX) if chosen.seed is None else chosen.seed
    plan = ChaosPlan(seed=seed, jobs=chosen.jobs, kills=chosen.kills)
    sys.stderr.write(f"--seed {seed}, about {plan.over_s:.0f} s\n")

    def on_news(news: str) -> None:
        if not chosen.json:
            sys.stderr.write(f"{news}\n")

    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        report = bench_chaos(chosen.engine, Path(folder), sources, plan, on_news)
    _print(report, None if chosen.json else chaos_table(report))
    return 1 if report.problems else 0


def _runtime(chosen: argparse.Namespace, _: Mapping[str, str]) -> int:
    with tempfile.TemporaryDirectory(prefix="trt-bench-") as folder:
        bench = RuntimeBench(folder=Path(folder), sizes=QUICK if chosen.quick else Sizes())
        report = trio.run(bench.run)
    _print(report, None if chosen.json else runtime_table(report))
    return 0


def _print(report: Any, table: str | None) -> None:
    text = msgspec.json.format(msgspec.json.encode(report)).decode() if table is None else table
    sys.stdout.write(text.rstrip() + "\n")


def _count(most: int) -> Any:
    """A whole number from 1 to `most`, as argparse reads it."""

    def count(raw: str) -> int:
        if not raw.isdecimal() or not 1 <= int(raw) <= most:
            raise argparse.ArgumentTypeError(f"{raw!r}; a whole number from 1 to {most} is needed")
        return int(raw)

    return count


def _positive(most: float) -> Any:
    """A number above zero and up to `most`, as argparse reads it."""

    def number(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            value = 0.0
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"{raw!r}; more than 0 and at most {most:g} is needed")
        return value

    return number
