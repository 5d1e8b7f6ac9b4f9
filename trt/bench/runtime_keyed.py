"""`python -m trt.bench.runtime_keyed`: very many keyed actors come alive and fall asleep again."""

import sys
from time import perf_counter

import msgspec
import trio
import trio.testing
from attrs import frozen

from trt.bench.runtime_bare import Door
from trt.bench.runtime_child import WARM_UP, resident_bytes
from trt.bench.runtime_ours import keyed, running
from trt.supervision import Child, Supervisor

IDLE_AFTER_S = 600.0


@frozen(kw_only=True)
class Passivation:
    """What came of it."""

    alive: int
    """Actors that ran at the same time."""
    left: int
    """Actors in the directory after the idle time."""
    tasks_before: int
    tasks_after: int
    resident_before: int
    """Bytes, of the whole process."""
    resident_alive: int
    resident_after: int
    start_s: float
    passivate_s: float


async def passivate(count: int, clock: trio.testing.MockClock) -> Passivation:
    """Start `count` actors, let their idle time pass, and look at what is left."""
    door = Door(count)
    directory = keyed(count, door, idle_after_s=IDLE_AFTER_S)
    async with running(Supervisor("root", [Child("idlers", directory)])):
        tasks_before, resident_before = _tasks(), resident_bytes()
        began = perf_counter()
        for key in range(count):
            directory.ensure(key)
        await door.all_came.wait()
        await trio.testing.wait_all_tasks_blocked()
        started, alive, resident_alive = perf_counter(), len(directory.keys()), resident_bytes()
        lulled = perf_counter()
        # Only this clock stood still; two idle times later every sweep has seen every actor.
        clock.jump(2 * IDLE_AFTER_S)
        await trio.testing.wait_all_tasks_blocked()
        ended = perf_counter()
        return Passivation(
            alive=alive,
            left=len(directory.keys()),
            tasks_before=tasks_before,
            tasks_after=_tasks(),
            resident_before=resident_before,
            resident_alive=resident_alive,
            resident_after=resident_bytes(),
            start_s=started - began,
            passivate_s=ended - lulled,
        )


def _tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def main(count: int) -> Passivation:
    """Run it once small, so that what the first use of anything costs is not counted."""
    found = None
    for size in (WARM_UP, count):
        clock = trio.testing.MockClock()
        found = trio.run(passivate, size, clock, clock=clock)
    assert found is not None
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(msgspec.json.decode(sys.stdin.buffer.read()))))
