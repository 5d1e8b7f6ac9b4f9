"""`Supervisor`: starts its children in order, restarts what crashes, stops in reverse order.

The rules are those of Erlang/OTP's `supervisor`, with these changes: restarts back off; a
supervisor that gives up is always a crash for its parent; and a group restart wakes neither
children that have completed nor children that were stopped by hand.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from trt.supervision.cell import CANCELLED_GRACE_S, Cell
from trt.supervision.child import Child
from trt.supervision.context import Context
from trt.supervision.errors import StartFailed
from trt.supervision.order import Order, Outcome, Refusal
from trt.supervision.restart import AutoShutdown, Backoff, Budget, RestartWindow, Strategy
from trt.supervision.snapshot import ActorSnapshot, Kind
from trt.supervision.watch import Rules, Watch


class Supervisor:
    """An actor whose work is its children; the list is their start order.

    Children can be started, stopped, restarted and deleted by hand while it runs. What was done by
    hand is forgotten when the supervisor itself is started again: it begins with its declaration.
    An order waits for the supervisor to be ready and for its present restart, so a child must not
    give one before it is ready, nor wait for one that stops itself.
    """

    def __init__(  # noqa: PLR0913 - each is a decision that the tree's reader wants to see
        self,
        name: str,
        children: Sequence[Child[Any]],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
        children_max: int | None = None,
        random: random.Random | None = None,
    ) -> None:
        """Declare a supervisor.

        `auto_shutdown` says which ends of significant children end the supervisor (a normal end,
        like OTP's `shutdown`). `children_max` bounds those that run or wait for a restart; None, no
        bound. `random` draws the jitter of `backoff`; None, and restarts come without jitter.
        """
        names = [child.name for child in children]
        assert len(set(names)) == len(names), f"{name}: two children with one name"
        assert children_max is None or len(children) <= children_max, f"{name}: too many children"
        self._name = name
        self._rules = Rules(
            strategy=strategy,
            backoff=backoff,
            chance=random,
            auto_shutdown=auto_shutdown,
            children_max=children_max,
        )
        for child in children:
            self._rules.check(name, child)
        self._declared = tuple(Cell.of(child) for child in children)
        self._cells = list(self._declared)
        self._window = RestartWindow(budget)
        self._path = name
        self._watch: Watch | None = None

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
            if cell not in self._declared:
                cell.retire()
        self._cells = list(self._declared)
        for cell in self._cells:
            cell.place(ctx.path, ctx.emit)
        async with trio.open_nursery() as nursery:
            watch = self._watch = Watch(self._cells, self._rules, self._window, ctx, nursery)
            try:
                failure = await watch.keep()
            finally:
                self._watch = None
                watch.refuse_orders()
                with trio.CancelScope(shield=True):
                    for cell in reversed(self._cells):
                        await cell.bring_down(is_final=ctx.stop.is_final)
        if failure is not None:
            raise failure

    # By hand

    async def start_child(self, child: Child[Any]) -> Refusal | None:
        """Add `child` after the others and wait until it is ready; OTP: `start_child`.

        Returns None, or why it was not done: `ALREADY_STARTED`, `ALREADY_PRESENT`, `FULL`,
        `NOT_RUNNING`. A temporary child that was started this way is forgotten when it ends.

        Raises:
            StartFailed: it crashed before it was ready; it is not kept.
        """
        self._rules.check(self._name, child)

        async def start(watch: Watch) -> Outcome:
            return await watch.start_child(child)

        return await self._give(start)

    async def stop_child(self, name: str) -> Refusal | None:
        """Stop a child in order, also one that waits for its restart; OTP: `terminate_child`.

        Its mailbox closes and what waits there becomes dead letters. Neither a group restart nor
        a message wakes it again, only `restart_child`. Returns None, also when it was not running,
        or `NOT_FOUND` or `NOT_RUNNING` (of the supervisor).
        """

        async def stop(watch: Watch) -> Outcome:
            return await watch.stop_child(name)

        return await self._give(stop)

    async def restart_child(self, name: str) -> Refusal | None:
        """Start a child that was stopped by hand or has completed; OTP: `restart_child`.

        It costs nothing of the budget. Returns None, or `RUNNING`, `RESTARTING` (by itself),
        `NOT_FOUND`, `FULL`, `NOT_RUNNING`.

        Raises:
            StartFailed: it crashed before it was ready; it stays stopped.
        """

        async def restart(watch: Watch) -> Outcome:
            return await watch.restart_child(name)

        return await self._give(restart)

    async def delete_child(self, name: str) -> Refusal | None:
        """Forget a child that does not run; OTP: `delete_child`.

        Returns None, or `RUNNING`, `RESTARTING`, `NOT_FOUND`, `NOT_RUNNING`.
        """

        async def delete(watch: Watch) -> Outcome:
            return watch.delete_child(name)

        return await self._give(delete)

    async def _give(self, work: Callable[[Watch], Awaitable[Outcome]]) -> Refusal | None:
        if self._watch is None:
            return Refusal.NOT_RUNNING
        watch = self._watch
        order = Order(lambda: work(watch))
        watch.put(order)
        outcome = await order.wait()
        if isinstance(outcome, StartFailed):
            raise outcome
        return outcome

    # Looking

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
