"""`Cell`: a place in the tree, which outlives the incarnations of the child that runs there."""

import random
from collections.abc import Awaitable, Callable
from typing import Any, Self

import attrs
import trio
from trio.lowlevel import current_task
from typing_extensions import override

from trt.supervision import events
from trt.supervision.child import ACTOR_GRACE_S, Child, Policy
from trt.supervision.context import Actor, Branch, Context, Emit, as_branch, emit_nothing
from trt.supervision.errors import ActorCrashed, ActorStopped
from trt.supervision.intake import Intake, Owner
from trt.supervision.mailbox import Mailbox
from trt.supervision.restart import Backoff, Restart, RestartWindow
from trt.supervision.snapshot import ActorSnapshot, Kind, State
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn, forget_current_turn

# How long a cancelled child may clean up before it is reported.
CANCELLED_GRACE_S = 1.0


class Cell(Owner):
    """Runs one child, one incarnation at a time, and keeps what must survive a restart."""

    # Each incarnation has its own; before the first there are none.
    stop: StopSignal
    _scope: trio.CancelScope

    def __init__(
        self,
        name: str,
        actor: Actor[Any],
        mailbox: Mailbox[Any] | None,
        policy: Policy,
        on_dead_letter: Callable[[events.DeadLetter], None] | None,
    ) -> None:
        super().__init__(name)
        self.name = name
        self.policy = policy
        self.emit: Emit = emit_nothing
        self.state = State.STOPPED
        self.incarnation = 0
        self.error: Exception | None = None
        self.has_ended = True
        """Whether nothing of the child is running."""
        self.is_retired = False
        """Whether its mailbox was closed for good and emptied."""
        self.due_at: float | None = None
        """When its parent will start it again (trio time)."""
        self.intake = None if mailbox is None else Intake(mailbox, self, drains=policy.drains)
        self._actor = actor
        self._branch = as_branch(actor)
        self._on_dead_letter = on_dead_letter
        self.ready_at: float | None = None
        """Since when the present incarnation works (trio time)."""
        # Made for whoever waits: mostly nobody does.
        self._settled: trio.Event | None = None
        self._ended: trio.Event | None = None
        self._failures = 0
        self._last_error: str | None = None
        self._subtrees: tuple[Cell, ...] = ()

    @classmethod
    def of(cls, child: Child[Any]) -> Self:
        """Return the place of `child`."""
        return cls(child.name, child.actor, child.mailbox, child, child.on_dead_letter)

    def place(self, parent_path: str, emit: Emit) -> None:
        """Say where in the tree this is, and who hears of it."""
        self.path = f"{parent_path}/{self.name}"
        self.emit = emit

    # One incarnation

    def begin(self, *, is_ready: bool = False) -> None:
        """Prepare the next incarnation; `live` must be started right after.

        One that `is_ready` works as soon as it runs, and says so with no event of its own.
        """
        assert self.has_ended, f"{self.path}: the old incarnation is still there"
        self.incarnation += 1
        self.error = None
        self.due_at = None
        self.has_ended = self.is_retired = False
        self.ready_at = trio.current_time() if is_ready else None
        self.stop = StopSignal()
        self._settled = self._ended = None
        self._scope = trio.CancelScope(shield=True)
        self.state = State.RUNNING if is_ready else State.STARTING
        if self.intake is not None:
            self.intake.open()
        self.emit(events.Started(path=self.path, incarnation=self.incarnation))

    async def live(self, on_end: Callable[..., object], *args: object) -> None:
        """Run the incarnation to its end; `on_end(*args)` hears of it last."""
        has_returned = False
        # A task begins with a copy of its spawner's variables: what that one is about is not ours.
        forget_current_turn()
        self.reads_in(current_task())
        try:
            # The scope is shielded: only an ordered stop ends it. And it is inside the `try`:
            # an error in a cancelled clean-up leaves the scope only after the Cancelled is gone.
            with self._scope:
                await self._actor.run(Context(self))
                has_returned = True
        except Exception as error:  # noqa: BLE001 - a crash of any kind is the parent's business
            self.error = error
        finally:
            self.reads_no_more()
            self._end(has_returned=has_returned)
            on_end(*args)

    def mark_ready(self) -> None:
        """Note that the incarnation works."""
        if self.ready_at is None:
            self.ready_at = trio.current_time()
            if self.state is State.STARTING:
                self.state = State.RUNNING
            self.emit(events.Ready(path=self.path))
            if self._settled is not None:
                self._settled.set()

    @property
    def is_ready(self) -> bool:
        """Whether the present incarnation has said that it works."""
        return self.ready_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether the present incarnation is ready or has ended."""
        return self.has_ended or self.ready_at is not None

    def settled(self) -> trio.Event:
        """Return what is set when the present incarnation is ready or has ended."""
        if self._settled is None:
            self._settled = trio.Event()
            if self.is_settled:
                self._settled.set()
        return self._settled

    def ended(self) -> trio.Event:
        """Return what is set when the present incarnation has ended."""
        if self._ended is None:
            self._ended = trio.Event()
            if self.has_ended:
                self._ended.set()
        return self._ended

    def _end(self, *, has_returned: bool) -> None:
        if self.error is None:
            self.state = State.STOPPED
            self.emit(events.Stopped(path=self.path))
        else:
            self.fail(self.error)
        if self.intake is not None:
            if has_returned:
                self.intake.finish()
            else:
                self._return_unfinished(self.intake)
        if self.stop.is_final:
            self.retire()
        self.has_ended = True
        if self._settled is not None:
            self._settled.set()
        if self._ended is not None:
            self._ended.set()

    def fail(self, error: Exception) -> None:
        """Note that the incarnation crashed, or failed to do what it had to."""
        self.error = error
        self.state = State.FAILED
        self._last_error = type(error).__name__
        turn = None if self.intake is None else self.intake.in_hand
        self.emit(
            events.Crashed(
                path=self.path,
                error=error,
                incarnation=self.incarnation,
                was_ready=self.is_ready,
                message_type=None if turn is None else type(turn.message).__name__,
                attempt=0 if turn is None else turn.attempt,
                cid=None if turn is None else turn.cid,
                mailbox_depth=0 if self.intake is None else self.intake.mailbox.depth,
                is_restarted=self.policy.restart is not Restart.TEMPORARY,
            )
        )

    # Messages that are not handled

    def _return_unfinished(self, intake: Intake[Any]) -> None:
        retried: list[Turn[Any]] = []
        for turn in intake.drop():
            turn.crashes += self.error is not None
            if turn.crashes > self.policy.poison.retries:
                self._dead_letter(turn, "poison", attempts=turn.attempt)
                if turn.slot is not None:
                    turn.slot.fail(ActorCrashed(self.path, turn.message))
            else:
                turn.again()
                retried.append(turn)
        intake.mailbox.give_back(retried)

    def retire(self, reason: str = "stopped") -> None:
        """Close the mailbox for good and turn what it holds into dead letters, children too."""
        self.is_retired = True
        if self.intake is not None:
            mailbox = self.intake.mailbox
            mailbox.close()
            for turn in mailbox.take_all() if mailbox.depth else ():
                self.put_aside(turn, reason)
                if turn.slot is not None:
                    turn.slot.fail(ActorStopped(self.path, turn.message))
        if self._branch is not None:
            self._branch.retire()

    @override
    def put_aside(self, turn: Turn[Any], reason: str) -> None:
        """Make a dead letter of a message whose turn did not begin."""
        self._dead_letter(turn, reason, attempts=turn.attempt - 1)

    def _dead_letter(self, turn: Turn[Any], reason: str, *, attempts: int) -> None:
        letter = events.DeadLetter(
            path=self.path,
            message=turn.message,
            reason=reason,
            error=self.error,
            attempts=attempts,
        )
        self.emit(events.DeadLettered(path=self.path, letter=letter))
        if self._on_dead_letter is not None:
            try:
                self._on_dead_letter(letter)
            except Exception as error:  # noqa: BLE001 - a hook must not break an ordered stop
                self.emit(events.Crashed(path=self.path, error=error))

    # Stopping and starting again

    def request_stop(self, *, is_final: bool, now: float | None = None) -> None:
        """Ask the incarnation to stop; a final stop closes the mailbox to new messages.

        `now` is the time if the caller knows it (trio time).
        """
        if self.has_ended:
            return
        if not self.stop.is_requested:
            self.state = State.STOPPING
            self.emit(events.StopRequested(path=self.path))
        self.stop.request(is_final=is_final, now=now)
        if self.intake is not None:
            if is_final:
                self.intake.mailbox.close()
            self.intake.mailbox.end_wait()

    async def bring_down(self, *, is_final: bool) -> None:
        """Stop the incarnation: ask, wait for its grace, cancel, wait a little, report."""
        self.due_at = None
        if self.has_ended:
            if self.state is State.BACKING_OFF:
                self.state = State.STOPPED
            if is_final:
                self.retire()
            return
        # The next incarnation may have begun by the time this task runs again: hold on to this one.
        ended, scope = self.ended(), self._scope
        self.request_stop(is_final=is_final)
        with trio.move_on_after(self.stop_budget_s()):
            await ended.wait()
        if not ended.is_set():
            scope.cancel(reason="the grace is over")
            with trio.move_on_after(CANCELLED_GRACE_S):
                await ended.wait()
        # One that has children waits for them; the culprit is named below it.
        if not ended.is_set() and self._branch is None and not self._subtrees:
            self.emit(events.DidNotStop(path=self.path))

    def grace_ends_at(self) -> float:
        """Return when the incarnation is cancelled if it was asked to stop, or were now."""
        asked_at = self.stop.requested_at
        return (trio.current_time() if asked_at is None else asked_at) + self.stop_budget_s()

    def stop_budget_s(self) -> float:
        """Return how long the stop may take before the child is cancelled, in seconds."""
        if self.policy.grace_s is not None:
            own_s = self.policy.grace_s
        elif self._branch is not None:
            own_s = self._branch.stop_budget_s()
        else:
            own_s = ACTOR_GRACE_S
        return own_s + sum(subtree.stop_budget_s() for subtree in self._subtrees)

    def back_off(
        self, backoff: Backoff, chance: random.Random | None, window: RestartWindow
    ) -> None:
        """Note when the child is due again after a failure that was counted in `window`."""
        now = trio.current_time()
        if self.ready_at is not None and now - self.ready_at >= backoff.cap_s:
            self._failures = 0
        delay_s = backoff.delay_s(self._failures, chance)
        self._failures += 1
        self.wait_until(now + delay_s)
        self.emit(
            events.Restarting(
                path=self.path,
                delay_s=delay_s,
                restarts_in_window=window.count(now),
                restarts_max=window.budget.restarts,
                within_s=window.budget.within_s,
            )
        )

    def wait_until(self, due_at: float) -> None:
        """Wait to be started at `due_at` (trio time)."""
        self.due_at = due_at
        self.state = State.BACKING_OFF

    # Children of an actor

    async def run_subtree(self, branch: Branch, until: Callable[[], Awaitable[None]]) -> None:
        """Run `branch` as `Context.run_subtree` promises."""
        if self.stop.is_requested:
            branch.retire()  # it will never run: who asked in it must not wait for their deadlines
            return
        cell = Cell.of(Child(branch.name, branch))
        cell.place(self.path, self.emit)
        failure: Exception | None = None
        self._subtrees = (*self._subtrees, cell)
        try:
            async with trio.open_nursery() as nursery:
                with self.stop.interrupts() as waiting:
                    cell.begin()
                    # A scope that was left may still be cancelled: it does nothing then.
                    nursery.start_soon(cell.live, waiting.cancel, name=cell.path)  # noqa: ASYNC111
                    try:
                        await until()
                    except Exception as error:  # noqa: BLE001 - raised again after the stop
                        failure = error
                    finally:
                        with trio.CancelScope(shield=True):
                            await cell.bring_down(is_final=True)
        finally:
            self._subtrees = tuple(other for other in self._subtrees if other is not cell)
        if cell.error is not None:
            raise cell.error
        if failure is not None:
            raise failure

    # Looking

    def snapshot(self, window: RestartWindow) -> ActorSnapshot:
        """Describe the child; `window` is the budget its restarts are counted against."""
        now = trio.current_time()
        if self._branch is None:
            shown = ActorSnapshot(path=self.path, name=self.name)
        else:
            shown = self._branch.snapshot()
        if shown.kind is not Kind.SUPERVISOR:
            shown = attrs.evolve(
                shown, restarts_in_window=window.count(now), budget_left=window.left(now)
            )
        subtrees = tuple(cell.snapshot(window) for cell in self._subtrees)
        shown = attrs.evolve(
            shown,
            path=self.path,
            name=self.name,
            state=self.state,
            restarts=max(0, self.incarnation - 1),
            uptime_s=0.0 if self.has_ended or self.ready_at is None else now - self.ready_at,
            backoff_s=0.0 if self.due_at is None else max(0.0, self.due_at - now),
            last_error=self._last_error,
            waiting_on=self.waiting_on,
            children=shown.children + subtrees,
            children_total=shown.children_total + len(subtrees),
        )
        return shown if self.intake is None else _with_messages(shown, self.intake, now)


def _with_messages(shown: ActorSnapshot, intake: Intake[Any], now: float) -> ActorSnapshot:
    in_hand = intake.in_hand
    return attrs.evolve(
        shown,
        mailbox=intake.mailbox.statistics(),
        handled=intake.handled,
        failed=intake.failed,
        busy_s=0.0 if in_hand is None else now - intake.began_at,
        current_message=None if in_hand is None else type(in_hand.message).__name__,
    )
