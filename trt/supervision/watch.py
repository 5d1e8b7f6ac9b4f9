"""`Watch`: one incarnation of a supervisor at work."""

import math
import random
from typing import Any, TypeVar, assert_never

import trio
from attrs import frozen

from trt.supervision import events
from trt.supervision.cell import Cell
from trt.supervision.child import Child
from trt.supervision.context import Context
from trt.supervision.errors import (
    ExitedUnexpectedly,
    RestartLimitExceeded,
    StartFailed,
    StartTimedOut,
)
from trt.supervision.leaving import let_go
from trt.supervision.order import Order, Outcome, Refusal
from trt.supervision.restart import AutoShutdown, Backoff, Restart, RestartWindow, Strategy

E = TypeVar("E", bound=Exception)


@frozen(kw_only=True)
class Rules:
    """What a supervisor was declared with."""

    strategy: Strategy
    backoff: Backoff
    chance: random.Random | None
    auto_shutdown: AutoShutdown
    children_max: int | None

    def check(self, name: str, child: Child[Any]) -> None:
        """Assert that `child` may stand under the supervisor `name`."""
        is_never = self.auto_shutdown is AutoShutdown.NEVER
        assert not (child.is_significant and is_never), (
            f"{name}/{child.name}: significant, but nothing follows from its end"
        )


class Watch:
    """Waits for ends and orders, stops groups, starts the due."""

    def __init__(
        self,
        cells: list[Cell],
        rules: Rules,
        window: RestartWindow,
        ctx: Context[object],
        nursery: trio.Nursery,
    ) -> None:
        self._cells = cells
        self._declared = tuple(cells)
        self._rules = rules
        self._window = window
        self._ctx = ctx
        self._nursery = nursery
        self._news_in, self._news = trio.open_memory_channel[tuple[Cell, int] | Order | None](
            math.inf
        )
        ctx.stop.calls(lambda: self._news_in.send_nowait(None))
        # The last incarnation of each child whose end was dealt with: later news of it is stale.
        self._settled = {cell: cell.incarnation for cell in cells}
        # Those that have completed or were stopped by hand: only another hand wakes them.
        self._resting: dict[Cell, None] = {}
        self._is_shutting_down = False

    async def keep(self) -> Exception | None:
        """Start all, then keep them running; return why it gave up, or None when it should end."""
        for cell in self._declared:
            if self._ctx.is_stopping:
                return None
            error = await self._start(cell)
            if error is not None:
                return _caused(StartFailed(cell.path), error)
        self._ctx.ready()
        while not (self._ctx.is_stopping or self._is_shutting_down):
            failed = await self._next_failure()
            if failed is None:
                continue
            if not self._window.record(trio.current_time()):
                return self._give_up(failed)
            failed.back_off(self._rules.backoff, self._rules.chance, self._window)
            await self._stop_group(failed)
        return None

    # Orders

    def put(self, order: Order) -> None:
        """Take an order; it is carried out after what was there before it."""
        self._news_in.send_nowait(order)

    def refuse_orders(self) -> None:
        """Answer the orders that will not be carried out any more."""
        while True:
            try:
                news = self._news.receive_nowait()
            except trio.WouldBlock:
                return
            if isinstance(news, Order):
                news.refuse()

    async def start_child(self, child: Child[Any]) -> Outcome:
        """Carry out `Supervisor.start_child`."""
        known = self._find(child.name)
        if known is not None:
            is_resting = known in self._resting
            return Refusal.ALREADY_PRESENT if is_resting else Refusal.ALREADY_STARTED
        if self._is_full():
            return Refusal.FULL
        cell = Cell.of(child)
        cell.place(self._ctx.path, self._ctx.emit)
        self._cells.append(cell)
        self._settled[cell] = cell.incarnation
        error = await self._start(cell)
        if error is None:
            return None
        self._forget(cell)
        cell.retire()
        return _caused(StartFailed(cell.path), error)

    async def stop_child(self, name: str) -> Outcome:
        """Carry out `Supervisor.stop_child`."""
        cell = self._find(name)
        if cell is None:
            return Refusal.NOT_FOUND
        self._resting[cell] = None
        self._settled[cell] = cell.incarnation
        await self._bring_down(cell, is_final=True)
        if not cell.has_ended:
            return Refusal.NOT_RUNNING
        if self._is_passing(cell):
            self._forget(cell)
        return None

    async def restart_child(self, name: str) -> Outcome:
        """Carry out `Supervisor.restart_child`."""
        cell = self._find(name)
        if cell is None:
            return Refusal.NOT_FOUND
        refusal = self._refusal_to_touch(cell)
        if refusal is not None:
            return refusal
        if self._is_full():
            return Refusal.FULL
        del self._resting[cell]
        error = await self._start(cell)
        if error is None:
            return None
        self._resting[cell] = None
        cell.retire()
        return _caused(StartFailed(cell.path), error)

    def delete_child(self, name: str) -> Outcome:
        """Carry out `Supervisor.delete_child`."""
        cell = self._find(name)
        if cell is None:
            return Refusal.NOT_FOUND
        refusal = self._refusal_to_touch(cell)
        if refusal is None:
            self._forget(cell)
        return refusal

    def _refusal_to_touch(self, cell: Cell) -> Refusal | None:
        if cell in self._resting:
            return None
        return Refusal.RUNNING if cell.due_at is None else Refusal.RESTARTING

    def _find(self, name: str) -> Cell | None:
        return next((cell for cell in self._cells if cell.name == name), None)

    def _is_full(self) -> bool:
        children_max = self._rules.children_max
        return children_max is not None and self._active() >= children_max

    def _active(self) -> int:
        return len(self._cells) - len(self._resting)

    def _is_passing(self, cell: Cell) -> bool:
        return cell.policy.restart is Restart.TEMPORARY and cell not in self._declared

    def _forget(self, cell: Cell) -> None:
        self._cells.remove(cell)
        del self._settled[cell]
        self._resting.pop(cell, None)

    # Ends and restarts

    async def _next_failure(self) -> Cell | None:
        """Do the next thing there is to do; return the child that has to be restarted, if any."""
        news = await self._next_news()
        if isinstance(news, Order):
            await news.carry_out()
            return None
        if news is not None:
            return news[0] if self._has_failed(*news) else None
        now = trio.current_time()
        for cell in self._cells:
            if cell.due_at is not None and cell.due_at <= now and not self._ctx.is_stopping:
                return cell if await self._start(cell) is not None else None
        return None

    async def _next_news(self) -> tuple[Cell, int] | Order | None:
        """Return what comes next; None when a child is due, or the supervisor has to stop."""
        due_at = self._next_due_at()
        if due_at == math.inf:  # a request to stop is news too
            return await self._news.receive()
        with self._ctx.stop.interrupts(due_at):
            return await self._news.receive()
        return None

    def _next_due_at(self) -> float:
        return min((c.due_at for c in self._cells if c.due_at is not None), default=math.inf)

    async def _start(self, cell: Cell) -> Exception | None:
        """Start one child and wait until it is ready; return the error if it does not become so."""
        cell.begin()
        incarnation = cell.incarnation
        self._nursery.start_soon(cell.live, self._hear_end, cell, incarnation, name=cell.path)
        timeout_s = cell.policy.start_timeout_s
        await let_go(lambda: cell.is_settled)
        if not cell.is_settled:
            with self._ctx.stop.interrupts(trio.current_time() + timeout_s):
                await cell.settled().wait()
        if cell.is_ready or self._ctx.is_stopping:
            return None
        if not cell.has_ended:
            self._settled[cell] = incarnation
            await self._bring_down(cell, is_final=False)
            if not cell.ended().is_set():
                return None
            if cell.error is None:
                cell.fail(StartTimedOut(cell.path, timeout_s))
        if cell.error is not None:
            self._settled[cell] = incarnation
        return cell.error

    def _hear_end(self, cell: Cell, incarnation: int) -> None:
        if incarnation > self._settled.get(cell, math.inf):  # if it is news at all
            self._news_in.send_nowait((cell, incarnation))

    def _has_failed(self, cell: Cell, incarnation: int) -> bool:
        """Judge an end that nobody asked for: must the child be restarted?"""
        if incarnation <= self._settled.get(cell, math.inf):
            return False
        self._settled[cell] = incarnation
        match cell.policy.restart:
            case Restart.PERMANENT:
                if cell.error is None:
                    cell.fail(ExitedUnexpectedly(cell.path))
                return True
            case Restart.TRANSIENT if cell.error is not None:
                return True
            case Restart.TRANSIENT | Restart.TEMPORARY:
                self._complete(cell)
                return False
            case _:
                assert_never(cell.policy.restart)

    def _complete(self, cell: Cell) -> None:
        """Let a child rest that has ended by itself, for good."""
        self._resting[cell] = None
        cell.retire()
        if cell.policy.is_significant:
            others_are_up = any(
                other.policy.is_significant and other not in self._resting for other in self._cells
            )
            self._is_shutting_down |= self._rules.auto_shutdown.follows(others_are_up=others_are_up)
        if self._is_passing(cell):
            self._forget(cell)

    async def _stop_group(self, failed: Cell) -> None:
        """Stop those that share the fate of `failed`, in reverse, and let them wait with it."""
        assert failed.due_at is not None
        for cell in reversed(self._rules.strategy.affected(self._cells, failed)):
            if cell is failed or cell in self._resting:
                continue
            if cell.has_ended and self._settled[cell] < cell.incarnation:
                # It ended at the same time; its end is part of this restart, unless it is done.
                if not self._has_failed(cell, cell.incarnation):
                    continue
            elif not cell.has_ended:
                self._settled[cell] = cell.incarnation
                is_temporary = cell.policy.restart is Restart.TEMPORARY
                await self._bring_down(cell, is_final=is_temporary)
                if is_temporary:
                    self._leave(cell)
                    continue
            if self._ctx.is_stopping:
                return
            cell.wait_until(failed.due_at)

    def _leave(self, cell: Cell) -> None:
        """Let a temporary child go that a group restart has stopped; nothing follows from that."""
        self._resting[cell] = None
        if self._is_passing(cell):
            self._forget(cell)

    async def _bring_down(self, cell: Cell, *, is_final: bool) -> None:
        """Stop one child until it is fully gone, or until the supervisor itself has to stop."""
        cell.request_stop(is_final=is_final)
        await let_go(lambda: cell.has_ended)
        if cell.has_ended:  # most have nothing to finish, and two cancel scopes cost more
            await cell.bring_down(is_final=is_final)
            return
        with self._ctx.stop.interrupts():
            await cell.bring_down(is_final=is_final)
            await cell.ended().wait()

    def _give_up(self, failed: Cell) -> Exception:
        budget = self._window.budget
        self._ctx.emit(
            events.GaveUp(
                path=self._ctx.path,
                child=failed.path,
                restarts_max=budget.restarts,
                within_s=budget.within_s,
            )
        )
        error = RestartLimitExceeded(self._ctx.path, budget.restarts, budget.within_s)
        return _caused(error, failed.error)


def _caused(error: E, cause: Exception | None) -> E:
    error.__cause__ = cause
    return error
