"""`Directory`: actors by key, started on demand, restarted on a crash, put to sleep when idle."""

import heapq
import math
import random
from collections.abc import Callable
from typing import Generic, TypeVar

import trio
from attrs import define

from trt.supervision import events
from trt.supervision.cell import CANCELLED_GRACE_S, Cell
from trt.supervision.child import ACTOR_GRACE_S, Child, Poison
from trt.supervision.context import Actor, Context
from trt.supervision.errors import ActorStopped, DirectoryFull, RestartLimitExceeded
from trt.supervision.events import DeadLetter
from trt.supervision.mailbox import Mailbox
from trt.supervision.restart import Backoff, Budget, RestartWindow
from trt.supervision.snapshot import ActorSnapshot, Kind
from trt.supervision.stop_signal import StopSignal

K = TypeVar("K")
M = TypeVar("M")

SHOWN_MAX = 50
# An actor is asleep at the latest a quarter after its idle time: one sweep instead of n timers.
SWEEPS_PER_IDLE_TIME = 4


@define(eq=False)
class _Entry(Generic[K, M]):
    """One key and its actor."""

    key: K
    cell: Cell
    mailbox: Mailbox[M]
    window: RestartWindow
    received_before: int = 0
    """How many messages its earlier incarnations had taken."""
    has_left_unread: bool = False
    """Whether its last incarnation finished without taking any of the messages that waited."""
    is_falling_asleep: bool = False


class Directory(Generic[K, M]):
    """An actor whose children are one actor per key, each with a mailbox of its own.

    An actor whose `run` returns leaves the directory; if messages have arrived meanwhile, it is
    started again at once, with them. One that has been idle for `idle_after_s` (nothing in hand,
    nothing waiting) is asked to stop and so leaves too. One that crashes is restarted with backoff
    under a budget of its own. Keys may be addressed before the directory runs and between its
    restarts: their messages wait.
    """

    def __init__(  # noqa: PLR0913 - each is a decision that the tree's reader wants to see
        self,
        name: str,
        make: Callable[[K], Actor[M]],
        *,
        mailbox_capacity: int,
        live_max: int,
        idle_after_s: float | None = None,
        grace_s: float = ACTOR_GRACE_S,
        budget: Budget = Budget(),  # noqa: B008 - frozen
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        poison: Poison = Poison(),  # noqa: B008 - frozen
        on_dead_letter: Callable[[K, DeadLetter], None] | None = None,
        on_given_up: Callable[[K, Exception], None] | None = None,
        key_name: Callable[[K], str] = str,
        random: random.Random | None = None,
    ) -> None:
        """Declare a directory.

        `make` gives a fresh actor for a key that has none. When a key's budget is spent,
        `on_given_up` hears of it and the key is dropped; without it the directory itself crashes.
        `random` draws the jitter of `backoff`; None, and restarts come without jitter.
        """
        assert live_max >= 1, "a directory that holds nobody is of no use"
        assert idle_after_s is None or idle_after_s > 0.0, "nobody is idle at once"
        self._name = name
        self._make = make
        self._mailbox_capacity = mailbox_capacity
        self._live_max = live_max
        self._idle_after_s = idle_after_s
        self._grace_s = grace_s
        self._budget = budget
        self._backoff = backoff
        self._poison = poison
        self._on_dead_letter = on_dead_letter
        self._on_given_up = on_given_up
        self._key_name = key_name
        self._chance = random
        self._entries: dict[K, _Entry[K, M]] = {}
        self._backing_off: dict[K, _Entry[K, M]] = {}
        self._path = name
        self._emit: Callable[[events.SupervisionEvent], None] | None = None
        self._nursery: trio.Nursery | None = None
        self._stop: StopSignal | None = None
        self._is_retired = False
        self._ended_in, self._ended = trio.open_memory_channel[tuple[_Entry[K, M], int]](math.inf)

    @property
    def name(self) -> str:
        """The name it shows when its parent gives it no other."""
        return self._name

    # Senders

    def ensure(self, key: K) -> None:
        """Start the actor of `key` if it does not run, without a message.

        Raises:
            DirectoryFull: there is no place for another actor.
            ActorStopped: the directory has stopped for good.
        """
        self._entry_of(key, None)

    def tell_nowait(self, key: K, message: M) -> None:
        """Send `message` to the actor of `key`, which is started if need be.

        Raises:
            MailboxFull: the actor has no room.
            DirectoryFull: there is no place for another actor.
            ActorStopped: the directory has stopped for good.
        """
        self._entry_of(key, message).mailbox.ref.tell_nowait(message)

    async def tell(self, key: K, message: M) -> None:
        """Send like `tell_nowait`, but wait while the actor's mailbox is full."""
        await self._entry_of(key, message).mailbox.ref.tell(message)

    def keys(self) -> tuple[K, ...]:
        """Return the keys that have an actor, in the order in which they came."""
        return tuple(self._entries)

    def _entry_of(self, key: K, message: object) -> _Entry[K, M]:
        if self._is_retired or (self._stop is not None and self._stop.is_final):
            raise ActorStopped(self._path, message)
        entry = self._entries.get(key)
        if entry is not None:
            return entry
        if len(self._entries) >= self._live_max:
            raise DirectoryFull(self._path, message)
        entry = self._new_entry(key)
        self._entries[key] = entry
        self._start(entry)
        return entry

    def _new_entry(self, key: K) -> _Entry[K, M]:
        name = self._key_name(key)
        mailbox = Mailbox[M](f"{self._path}/{name}", self._mailbox_capacity)
        hook = self._on_dead_letter
        child = Child(
            name,
            self._make(key),
            mailbox=mailbox,
            grace_s=self._grace_s,
            poison=self._poison,
            on_dead_letter=None if hook is None else lambda letter: hook(key, letter),
        )
        cell = Cell(child)
        if self._emit is not None:
            cell.place(self._path, self._emit)
        return _Entry(key, cell, mailbox, RestartWindow(self._budget))

    # Running

    async def run(self, ctx: Context[object]) -> None:
        """Run the actors of all keys until `ctx` asks to stop.

        Raises:
            RestartLimitExceeded: a key's budget is spent and nobody wants to hear of it.
        """
        self._path, self._emit, self._stop = ctx.path, ctx.emit, ctx.stop
        self._is_retired = False
        self._backing_off = {}
        self._ended_in, self._ended = trio.open_memory_channel[tuple[_Entry[K, M], int]](math.inf)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for entry in self._entries.values():
                entry.cell.place(ctx.path, ctx.emit)
                self._start(entry)
            ctx.ready()
            try:
                failure = await self._keep(ctx)
            finally:
                self._nursery = None
                with trio.CancelScope(shield=True):
                    await self._stop_all(is_final=ctx.stop.is_final)
        if failure is not None:
            raise failure

    def _start(self, entry: _Entry[K, M]) -> None:
        if self._nursery is None:
            return
        cell = entry.cell
        entry.is_falling_asleep = False
        entry.received_before = entry.mailbox.statistics().received
        cell.begin()
        cell.mark_ready()
        incarnation = cell.incarnation
        self._nursery.start_soon(
            cell.live, lambda: self._ended_in.send_nowait((entry, incarnation))
        )

    async def _keep(self, ctx: Context[object]) -> Exception | None:
        sweep_at = self._next_sweep_at()
        while not ctx.is_stopping:
            news: tuple[_Entry[K, M], int] | None = None
            with ctx.stop.interrupts(min(self._next_due_at(), sweep_at)):
                news = await self._ended.receive()
            if news is not None:
                failure = self._judge(*news)
                if failure is not None:
                    return failure
            elif not ctx.stop.is_requested:
                self._start_due()
                if trio.current_time() >= sweep_at:
                    self._sweep()
                    sweep_at = self._next_sweep_at()
        return None

    def _judge(self, entry: _Entry[K, M], incarnation: int) -> Exception | None:
        """Decide what follows on the end of an incarnation; return why the directory gives up."""
        cell = entry.cell
        assert cell.incarnation == incarnation, "one at a time for each key"
        if cell.error is not None:
            if not entry.window.record(trio.current_time()):
                return self._give_up(entry, cell.error)
            cell.back_off(self._backoff, self._chance, entry.window)
            self._backing_off[entry.key] = entry
            return None
        if entry.mailbox.is_empty:
            self._remove(entry, "stopped")
            return None
        has_read = entry.mailbox.statistics().received > entry.received_before
        if entry.is_falling_asleep or has_read or not entry.has_left_unread:
            entry.has_left_unread = not (entry.is_falling_asleep or has_read)
            self._start(entry)
        else:
            # It would finish without reading for ever, as fast as the machine can.
            self._remove(entry, "unread")
        return None

    def _remove(self, entry: _Entry[K, M], reason: str) -> None:
        del self._entries[entry.key]
        entry.cell.retire(reason)

    def _give_up(self, entry: _Entry[K, M], cause: Exception) -> Exception | None:
        path, budget = entry.cell.path, self._budget
        entry.cell.emit(
            events.GaveUp(
                path=path, child=path, restarts_max=budget.restarts, within_s=budget.within_s
            )
        )
        error = RestartLimitExceeded(path, budget.restarts, budget.within_s)
        error.__cause__ = cause
        if self._on_given_up is None:
            return error
        self._remove(entry, "stopped")
        try:
            self._on_given_up(entry.key, error)
        except Exception as hook_error:  # noqa: BLE001 - one key's hook must not stop the others
            entry.cell.emit(events.Crashed(path=path, error=hook_error))
        return None

    def _next_due_at(self) -> float:
        return min((e.cell.due_at or 0.0 for e in self._backing_off.values()), default=math.inf)

    def _start_due(self) -> None:
        now = trio.current_time()
        for key, entry in list(self._backing_off.items()):
            if entry.cell.due_at is None or entry.cell.due_at <= now:
                del self._backing_off[key]
                self._start(entry)

    # Falling asleep

    def _next_sweep_at(self) -> float:
        if self._idle_after_s is None:
            return math.inf
        return trio.current_time() + self._idle_after_s / SWEEPS_PER_IDLE_TIME

    def _sweep(self) -> None:
        assert self._nursery is not None
        assert self._idle_after_s is not None
        idle_before = trio.current_time() - self._idle_after_s
        for entry in self._entries.values():
            intake = entry.cell.intake
            if intake is None or intake.idle_since is None or entry.cell.has_ended:
                continue
            if intake.idle_since <= idle_before and not entry.is_falling_asleep:
                entry.is_falling_asleep = True
                self._nursery.start_soon(self._put_to_sleep, entry)

    async def _put_to_sleep(self, entry: _Entry[K, M]) -> None:
        with trio.CancelScope(shield=True):
            if entry.mailbox.is_empty:
                await entry.cell.bring_down(is_final=False)
            else:
                entry.is_falling_asleep = False

    # Stopping and looking

    async def _stop_all(self, *, is_final: bool) -> None:
        async with trio.open_nursery() as stops:
            for entry in self._entries.values():
                stops.start_soon(_stop_one, entry.cell, is_final)

    def stop_budget_s(self) -> float:
        """Return how long the stop of all, at once, may take, in seconds."""
        return self._grace_s + CANCELLED_GRACE_S

    def retire(self) -> None:
        """Refuse all keys, and turn what waits for them into dead letters."""
        self._is_retired = True
        entries, self._entries = self._entries, {}
        for entry in entries.values():
            entry.cell.retire()

    def snapshot(self) -> ActorSnapshot:
        """Describe the directory; the children shown are those with the most messages waiting."""
        busiest = heapq.nlargest(SHOWN_MAX, self._entries.values(), key=lambda e: e.mailbox.depth)
        return ActorSnapshot(
            path=self._path,
            name=self._name,
            kind=Kind.DIRECTORY,
            children=tuple(entry.cell.snapshot(entry.window) for entry in busiest),
            children_total=len(self._entries),
        )


async def _stop_one(cell: Cell, is_final: bool) -> None:
    await cell.bring_down(is_final=is_final)
