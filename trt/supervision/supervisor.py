"""`Supervisor`: starts its children in order, restarts what crashes, stops in reverse order.

The rules are those of Erlang/OTP's `supervisor`, with three changes: restarts back off, a
supervisor that gives up is always a crash for its parent, and a group restart does not wake
children that have completed.
"""

import math
import random
from collections.abc import Sequence
from typing import Any, assert_never

import trio

from trt.supervision import events
from trt.supervision.cell import CANCELLED_GRACE_S, Cell
from trt.supervision.child import Child
from trt.supervision.context import Context
from trt.supervision.errors import (
    ExitedUnexpectedly,
    RestartLimitExceeded,
    StartFailed,
    StartTimedOut,
)
from trt.supervision.restart import Backoff, Budget, Restart, RestartWindow, Strategy
from trt.supervision.snapshot import ActorSnapshot, Kind


class Supervisor:
    """An actor whose work is its children; the list is their start order."""

    def __init__(
        self,
        name: str,
        children: Sequence[Child[Any]],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        random: random.Random | None = None,
    ) -> None:
        """Declare a supervisor.

        `random` draws the jitter of `backoff`; None, and restarts come without jitter.
        """
        names = [child.name for child in children]
        assert len(set(names)) == len(names), f"{name}: two children with one name"
        self._name = name
        self._cells = [Cell(child) for child in children]
        self._strategy = strategy
        self._backoff = backoff
        self._chance = random
        self._window = RestartWindow(budget)
        self._path = name

    @property
    def name(self) -> str:
        """The name it shows when its parent gives it no other."""
        return self._name

    async def run(self, ctx: Context[object]) -> None:
        """Run the children until `ctx` asks to stop.

        Raises:
            StartFailed: a child crashed before it was ready, at the first start.
            RestartLimitExceeded: the budget is spent; the children have been stopped in order.
        """
        self._path = ctx.path
        self._window = RestartWindow(self._window.budget)
        for cell in self._cells:
            cell.place(ctx.path, ctx.emit)
        async with trio.open_nursery() as nursery:
            watch = _Watch(self._cells, self._strategy, self._window, ctx, nursery)
            try:
                failure = await watch.keep(self._backoff, self._chance)
            finally:
                with trio.CancelScope(shield=True):
                    for cell in reversed(self._cells):
                        await cell.bring_down(is_final=ctx.stop.is_final)
        if failure is not None:
            raise failure

    def snapshot(self) -> ActorSnapshot:
        """Describe the supervisor and all below it."""
        now = trio.current_time()
        return ActorSnapshot(
            path=self._path,
            name=self._name,
            kind=Kind.SUPERVISOR,
            restarts_in_window=self._window.count(now),
            budget_left=self._window.left(now),
            children=tuple(cell.snapshot(self._window) for cell in self._cells),
            children_total=len(self._cells),
        )

    def stop_budget_s(self) -> float:
        """Return how long the ordered stop of all children may take, in seconds."""
        return sum(cell.stop_budget_s() + CANCELLED_GRACE_S for cell in self._cells)

    def retire(self) -> None:
        """Close the children's mailboxes and turn what they hold into dead letters."""
        for cell in reversed(self._cells):
            cell.retire()


class _Watch:
    """One incarnation of a supervisor at work: it waits for ends, stops groups, starts the due."""

    def __init__(
        self,
        cells: list[Cell],
        strategy: Strategy,
        window: RestartWindow,
        ctx: Context[object],
        nursery: trio.Nursery,
    ) -> None:
        self._cells = cells
        self._strategy = strategy
        self._window = window
        self._ctx = ctx
        self._nursery = nursery
        self._ended_in, self._ended = trio.open_memory_channel[tuple[Cell, int]](math.inf)
        # The last incarnation of each child whose end was dealt with: later news of it is stale.
        self._settled = {cell: cell.incarnation for cell in cells}
        self._completed: list[Cell] = []

    async def keep(self, backoff: Backoff, chance: random.Random | None) -> Exception | None:
        """Start all, then keep them running; return why it gave up, or None when asked to stop."""
        for cell in self._cells:
            if self._ctx.is_stopping:
                return None
            error = await self._start(cell)
            if error is not None:
                return _caused(StartFailed(cell.path), error)
        self._ctx.ready()
        while not self._ctx.is_stopping:
            failed = await self._next_failure()
            if failed is None:
                continue
            if not self._window.record(trio.current_time()):
                return self._give_up(failed)
            failed.back_off(backoff, chance)
            await self._stop_group(failed)
        return None

    async def _next_failure(self) -> Cell | None:
        """Do the next thing there is to do; return the child that has to be restarted, if any."""
        news: tuple[Cell, int] | None = None
        with self._ctx.stop.interrupts(self._next_due_at()):
            news = await self._ended.receive()
        if news is not None:
            return news[0] if self._has_failed(*news) else None
        now = trio.current_time()
        for cell in self._cells:
            if cell.due_at is not None and cell.due_at <= now and not self._ctx.is_stopping:
                return cell if await self._start(cell) is not None else None
        return None

    def _next_due_at(self) -> float:
        return min((c.due_at for c in self._cells if c.due_at is not None), default=math.inf)

    async def _start(self, cell: Cell) -> Exception | None:
        """Start one child and wait until it is ready; return the error if it does not become so."""
        cell.begin()
        incarnation = cell.incarnation
        self._nursery.start_soon(cell.live, lambda: self._ended_in.send_nowait((cell, incarnation)))
        timeout_s = cell.child.start_timeout_s
        with self._ctx.stop.interrupts(trio.current_time() + timeout_s):
            await cell.settled.wait()
        if cell.is_ready or self._ctx.is_stopping:
            return None
        if not cell.has_ended:
            self._settled[cell] = incarnation
            await self._bring_down(cell, is_final=False)
            if not cell.ended.is_set():
                return None
            if cell.error is None:
                cell.fail(StartTimedOut(cell.path, timeout_s))
        if cell.error is not None:
            self._settled[cell] = incarnation
        return cell.error

    def _has_failed(self, cell: Cell, incarnation: int) -> bool:
        """Judge an end that nobody asked for: must the child be restarted?"""
        if incarnation <= self._settled[cell]:
            return False
        self._settled[cell] = incarnation
        match cell.child.restart:
            case Restart.PERMANENT:
                if cell.error is None:
                    cell.fail(ExitedUnexpectedly(cell.path))
                return True
            case Restart.TRANSIENT if cell.error is not None:
                return True
            case Restart.TRANSIENT | Restart.TEMPORARY:
                self._completed.append(cell)
                cell.retire()
                return False
            case _:
                assert_never(cell.child.restart)

    async def _stop_group(self, failed: Cell) -> None:
        """Stop those that share the fate of `failed`, in reverse, and let them wait with it."""
        assert failed.due_at is not None
        for cell in reversed(self._strategy.affected(self._cells, failed)):
            if cell is failed or cell in self._completed:
                continue
            if cell.has_ended and self._settled[cell] < cell.incarnation:
                # It ended at the same time; its end is part of this restart, unless it is done.
                if not self._has_failed(cell, cell.incarnation):
                    continue
            elif not cell.has_ended:
                self._settled[cell] = cell.incarnation
                is_temporary = cell.child.restart is Restart.TEMPORARY
                await self._bring_down(cell, is_final=is_temporary)
                if is_temporary:
                    self._completed.append(cell)
                    continue
            if self._ctx.is_stopping:
                return
            cell.wait_until(failed.due_at)

    async def _bring_down(self, cell: Cell, *, is_final: bool) -> None:
        """Stop one child until it is fully gone, or until the supervisor itself has to stop."""
        with self._ctx.stop.interrupts():
            await cell.bring_down(is_final=is_final)
            await cell.ended.wait()

    def _give_up(self, failed: Cell) -> Exception:
        self._ctx.emit(events.GaveUp(path=self._ctx.path))
        budget = self._window.budget
        error = RestartLimitExceeded(self._ctx.path, budget.restarts, budget.within_s)
        return _caused(error, failed.error)


def _caused(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error
