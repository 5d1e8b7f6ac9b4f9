"""Stopping many children at once, with a task only for each that takes its time."""

from collections.abc import Callable, Sequence

import trio
from trio.lowlevel import checkpoint

from trt.supervision.cell import Cell


async def bring_down_all(cells: Sequence[Cell], *, is_final: bool) -> None:
    """Stop all `cells`, each within its grace; returns when all that will stop have stopped."""
    now = trio.current_time()
    running = [cell for cell in cells if not cell.has_ended]
    for cell in cells:
        if cell.has_ended:
            await cell.bring_down(is_final=is_final)  # does not wait
        else:
            cell.request_stop(is_final=is_final, now=now)
    await let_go()
    async with trio.open_nursery() as stops:
        for cell in running:
            if not cell.has_ended:
                stops.start_soon(bring_down, cell, is_final)


async def bring_down(cell: Cell, is_final: bool) -> None:
    """`Cell.bring_down`, as a nursery starts it."""
    await cell.bring_down(is_final=is_final)


async def let_go(until: Callable[[], bool] = lambda: False) -> None:
    """Let others do what they can do at once: start until ready, or end with nothing to finish.

    Their turn comes after at most two of ours; one is enough if that is what `until()` says then.
    Whoever takes longer needs a deadline, and that costs a cancel scope.
    """
    await checkpoint()
    if not until():
        await checkpoint()
