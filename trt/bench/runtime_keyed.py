"""`python -m trt.bench.runtime_keyed`: very many keyed actors come alive and fall asleep again."""

import gc
import sys
from time import perf_counter

import msgspec
import trio
import trio.testing
from attrs import frozen

from trt.bench.runtime_bare import Door
from trt.bench.runtime_child import WARM_UP, resident_bytes
from trt.bench.runtime_ours import keyed, running
from trt.supervision import Child, Directory, Supervisor
from trt.supervision.bedtime import SWEEPS_PER_IDLE_TIME

IDLE_AFTER_S = 600.0


@frozen(kw_only=True)
class Look:
    """What there was at one moment."""

    actors: int
    """In the directory."""
    tasks: int
    blocks: int
    """Of Python's allocator, in use (`sys.getallocatedblocks`)."""
    resident: int
    """Bytes, of the whole process."""
    at_s: float
    """By a clock that only tells differences."""


@frozen(kw_only=True)
class Passivation:
    """What came of it."""

    before: Look
    alive: Look
    after: Look
    alive_again: Look
    after_again: Look


async def passivate(count: int, clock: trio.testing.MockClock) -> Passivation:
    """Start `count` actors, let their idle time pass, and look at what is left; twice."""
    door = Door(2 * count)
    directory = keyed(count, door, idle_after_s=IDLE_AFTER_S)

    async def live(first: int) -> Look:
        for key in range(first, first + count):
            directory.ensure(key)
        await trio.testing.wait_all_tasks_blocked()
        return _look(directory)

    async def leave() -> Look:
        # Only this clock stood still; two idle times later enough sweeps have seen every actor.
        for _ in range(2 * SWEEPS_PER_IDLE_TIME):
            clock.jump(IDLE_AFTER_S / SWEEPS_PER_IDLE_TIME)
            await trio.testing.wait_all_tasks_blocked()
        return _look(directory)

    async with running(Supervisor("root", [Child("idlers", directory)])):
        found = Passivation(
            before=_look(directory),
            alive=await live(0),
            after=await leave(),
            alive_again=await live(count),
            after_again=await leave(),
        )
    assert door.all_came.is_set(), "each of them ran"
    return found


def _look(directory: Directory[int, int]) -> Look:
    at_s = perf_counter()
    gc.collect()
    return Look(
        actors=len(directory.keys()),
        tasks=trio.lowlevel.current_statistics().tasks_living,
        blocks=sys.getallocatedblocks(),
        resident=resident_bytes(),
        at_s=at_s,
    )


def main(count: int) -> Passivation:
    """Run it small first, so that what the first use of anything costs is not counted."""
    clocks = [trio.testing.MockClock(), trio.testing.MockClock()]
    trio.run(passivate, WARM_UP, clocks[0], clock=clocks[0])
    return trio.run(passivate, count, clocks[1], clock=clocks[1])


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(main(msgspec.json.decode(sys.stdin.buffer.read()))))
