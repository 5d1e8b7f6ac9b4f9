"""`trt bench flow`: from a posted /start to the delivered menu, and what the service spends."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import trio
from attrs import frozen

from trt.bench.children import ChildFailed, child, run_load, server
from trt.bench.evidence import Evidence, evidence
from trt.bench.flow_service import Usage
from trt.bench.load import LoadOrder
from trt.bench.service_process import Place, ask_usage, place, wait_ready

DELIVERED_WITHIN_S = 120.0
LOOK_EVERY_S = 0.1
USERS = 500
"""Each says /start several times, so that most sessions are there already."""


@frozen(kw_only=True)
class FlowReport:
    """What came of the bench."""

    connections: int
    updates: int
    menus_delivered: int
    """One per update, or the bench has failed."""
    rate_per_s: float
    """Updates per second, from the first post to the last menu."""
    cpu_s_per_update: float
    """Of the service process, both its threads."""
    rss_mib_peak: float
    profiled_cpu_s_per_update: float
    """The same under the profiler, which makes everything slower."""
    profiled_shares: Mapping[str, float]
    """Which share of the CPU time each part took, as the profile has it."""


@frozen(kw_only=True)
class _Run:
    """One service, one load, everything delivered."""

    updates: int
    delivered: int
    duration_s: float
    cpu_s: float
    usage: Usage


async def bench_flow(folder: Path, *, connections: int, seconds: float) -> FlowReport:
    """Run the bench.

    Args:
        folder: An empty one for databases and logs.
        connections: Keep-alive connections of the load.
        seconds: How long each of the two runs posts.

    Raises:
        ChildFailed: A process ended, or not everything was delivered in time.
    """
    async with server("trt.bench.instant_telegram", folder / "telegram.log") as telegram_port:
        plain = await _run(_place(folder / "plain", telegram_port), connections, seconds)
        profiled = await _run(
            _place(folder / "profiled", telegram_port), connections, seconds, is_profiled=True
        )
    parts = profiled.usage.parts
    total_s = sum(parts.values())
    in_order = sorted(parts.items(), key=lambda item: -item[1])
    return FlowReport(
        connections=connections,
        updates=plain.updates,
        menus_delivered=plain.delivered,
        rate_per_s=plain.updates / plain.duration_s,
        cpu_s_per_update=plain.cpu_s / plain.updates,
        rss_mib_peak=plain.usage.rss_kib_peak / 1024,
        profiled_cpu_s_per_update=profiled.cpu_s / profiled.updates,
        profiled_shares={part: spent_s / total_s for part, spent_s in in_order},
    )


def _place(folder: Path, telegram_port: int) -> Place:
    folder.mkdir()
    return place(folder, telegram_port)


async def _run(at: Place, connections: int, seconds: float, *, is_profiled: bool = False) -> _Run:
    async with child(["trt.bench.flow_service"], at.said) as process:
        assert process.stdin is not None
        await process.stdin.send_all(msgspec.json.encode(at.environment) + b"\n")
        await wait_ready(at, process)
        before = await ask_usage(process, at)
        if is_profiled:
            await process.stdin.send_all(b"profile\n")
        began_s = trio.current_time()
        order = at.order(connections=connections, users=USERS, seconds=seconds)
        updates, rows = await _post_and_deliver(at, order)
        ended_s = trio.current_time()
        after = await ask_usage(process, at)
    return _Run(
        updates=updates,
        delivered=rows.outbox - rows.outbox_pending,
        duration_s=ended_s - began_s,
        cpu_s=after.cpu_s - before.cpu_s,
        usage=after,
    )


async def _post_and_deliver(at: Place, order: LoadOrder) -> tuple[int, Evidence]:
    result = await run_load(order, at.said)
    with trio.move_on_after(DELIVERED_WITHIN_S):
        while True:
            rows = evidence(at.database_path)
            if rows.inbox_unfinished == rows.outbox_pending == 0:
                return result.acknowledged, rows
            await trio.sleep(LOOK_EVERY_S)
    raise ChildFailed(f"Not all was delivered within {DELIVERED_WITHIN_S:g} s.")
