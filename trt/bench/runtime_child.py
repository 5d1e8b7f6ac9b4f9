"""`python -m trt.bench.runtime_child`: measures what its order says, in a process of its own."""

import gc
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from resource import getpagesize
from typing import TypeAlias

import msgspec
import trio
from attrs import frozen

from trt.bench import runtime_bare, runtime_others, runtime_ours

MEASURES: Mapping[str, Callable[[int], float]] = {
    "tell": runtime_ours.tell,
    "tell bare": runtime_bare.tell,
    "tell pykka": runtime_others.pykka_tell,
    "tell thespian": runtime_others.thespian_tell,
    "ask": runtime_ours.ask,
    "ask bare": runtime_bare.ask,
    "ask pykka": runtime_others.pykka_ask,
    "ask thespian": runtime_others.thespian_ask,
    "spawn_many": runtime_ours.spawn_many,
    "spawn_many bare": runtime_bare.spawn_many,
    "spawn_many bare channels": runtime_bare.spawn_many_channels,
    "spawn_each": runtime_ours.spawn_each,
    "spawn_each bare": runtime_bare.spawn_each,
    "spawn_each pykka": runtime_others.pykka_spawn,
    "restart": runtime_ours.restart,
    "rest": lambda count: bytes_each(runtime_ours.rest, count),
    "rest bare": lambda count: bytes_each(runtime_bare.rest, count),
}
Rest: TypeAlias = Callable[[int, Callable[[], None]], Awaitable[None]]

WARM_UP = 100


@frozen(kw_only=True)
class Order:
    """What to measure: each of `measures` once a round, in turn."""

    measures: Sequence[str]
    count: int
    rounds: int


def measured(order: Order) -> dict[str, list[float]]:
    """Carry out `order`; returns what each measure gave, by round."""
    found: dict[str, list[float]] = {name: [] for name in order.measures}
    for _ in range(order.rounds):
        for name, values in found.items():
            gc.collect()
            values.append(MEASURES[name](order.count))
    return found


def bytes_each(rest: Rest, count: int) -> float:
    """Return by how many bytes `count` of those that `rest` keeps alive let this process grow."""
    looks: list[int] = []

    def look() -> None:
        looks.append(resident_bytes())

    trio.run(rest, WARM_UP, look)
    before = resident_bytes()
    trio.run(rest, count, look)
    return (looks[-1] - before) / count


def resident_bytes() -> int:
    """Return the resident set of this process, rubbish left out (Linux: /proc/self/statm)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(measured(asked)))
