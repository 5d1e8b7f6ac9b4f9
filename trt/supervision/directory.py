"""`Directory`: actors by key, started on demand, restarted on a crash, put to sleep when idle."""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import trio

from trt.supervision import events
from trt.supervision.cell import CANCELLED_GRACE_S, Cell
from trt.supervision.child import ACTOR_GRACE_S, Child, Poison
from trt.supervision.context import Actor, Context
from trt.supervision.entry import Entry, WhenFull
from trt.supervision.errors import ActorStopped, DirectoryFull, RestartLimitExceeded
from trt.supervision.events import DeadLetter
from trt.supervision.leaving import bring_down, bring_down_all, let_go
from trt.supervision.mailbox import Mailbox
from trt.supervision.question import Question
from trt.supervision.restart import Backoff, Budget, RestartWindow
from trt.supervision.snapshot import ActorSnapshot, Kind
from trt.supervision.stop_signal import StopSignal

K = TypeVar("K")
M = TypeVar("M")
R = TypeVar("R")

SHOWN_MAX = 50
# How soon a key that waits for a place looks again for an idle actor, when one got new work.
LOOK_AGAIN_S = 0.05
# An actor is asleep at the latest a quarter after its idle time: one sweep instead of n timers.
SWEEPS_PER_IDLE_TIME = 4
LEAVING_AT_ONCE = 256


class Directory(Generic[K, M]):
    """An actor whose children are one actor per key, each with a mailbox of its own.

    An actor whose `run` returns leaves the directory; if messages have arrived meanwhile, it is
    started again at once, with them. One that has been idle for `idle_after_s` (nothing in hand,
    nothing waiting) is asked to stop and so leaves too, as does one that `when_full` sends away.
    One that crashes is restarted with backoff under a budget of its own. Keys may be addressed
    before the directory runs and between its restarts: their messages wait.
    """

    def __init__(  # noqa: PLR0913 - each is a decision that the tree's reader wants to see
        self,
        name: str,
        make: Callable[[K], Actor[M]],
        *,
        mailbox_capacity: int,
        live_max: int,
        when_full: WhenFull = WhenFull.REFUSE,
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
        self._when_full = when_full
        self._idle_after_s = idle_after_s
        self._grace_s = grace_s
        self._budget = budget
        self._backoff = backoff
        self._poison = poison
        self._on_dead_letter = on_dead_letter
        self._on_given_up = on_given_up
        self._key_name = key_name
        self._chance = random
        self._entries: dict[K, Entry[K, M]] = {}
        self._backing_off: dict[K, Entry[K, M]] = {}
        # Keys whose actor starts when an evicted one is gone; their messages wait.
        self._without_place: dict[K, Entry[K, M]] = {}
        self._path = name
        self._emit: Callable[[events.SupervisionEvent], None] | None = None
        self._nursery: trio.Nursery | None = None
        self._stop: StopSignal | None = None
        self._is_retired = False
        self._ended_in, self._ended = trio.open_memory_channel[tuple[Entry[K, M], int] | None](
            math.inf
        )

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

    async def ask(self, key: K, question: Question[M, R], timeout_s: float) -> R:
        """Ask the actor of `key`, which is started if need be; see `Ref.ask` and `tell_nowait`."""
        return await self._entry_of(key, question).mailbox.ref.ask(question, timeout_s)

    def keys(self) -> tuple[K, ...]:
        """Return the keys that have an actor, in the order in which they came."""
        return tuple(self._entries)

    def _entry_of(self, key: K, message: object) -> Entry[K, M]:
        if self._is_retired or (self._stop is not None and self._stop.is_final):
            raise ActorStopped(self._path, message)
        entry = self._entries.get(key)
        if entry is not None:
            return entry
        if len(self._entries) >= self._live_max and not self._evict_one():
            raise DirectoryFull(self._path, message)
        entry = self._new_entry(key)
        self._entries[key] = entry
        self._start_or_wait(entry)
        return entry

    def _new_entry(self, key: K) -> Entry[K, M]:
        name = self._key_name(key)
        # Not Mailbox[M](…): a generic alias that is called leaves a dict on what it makes.
        mailbox: Mailbox[M] = Mailbox(f"{self._path}/{name}", self._mailbox_capacity)
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
            mailbox.name = cell.path  # the same, once
        return Entry(key, cell, mailbox, RestartWindow(self._budget), self._ended_in)

    # Running

    async def run(self, ctx: Context[object]) -> None:
        """Run the actors of all keys until `ctx` asks to stop.

        Raises:
            RestartLimitExceeded: a key's budget is spent and nobody wants to hear of it.
        """
        self._path, self._emit, self._stop = ctx.path, ctx.emit, ctx.stop
        self._is_retired = False
        self._backing_off, self._without_place = {}, {}
        self._ended_in, self._ended = trio.open_memory_channel[tuple[Entry[K, M], int] | None](
            math.inf
        )
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for entry in self._entries.values():
                entry.cell.place(ctx.path, ctx.emit)
                self._start_or_wait(entry)
            ctx.ready()
            try:
                failure = await self._keep(ctx)
            finally:
                self._nursery = None
                with trio.CancelScope(shield=True):
                    await self._stop_all(is_final=ctx.stop.is_final)
        if failure is not None:
            raise failure

    def _start(self, entry: Entry[K, M]) -> None:
        if self._nursery is None:
            return
        cell = entry.cell
        entry.is_falling_asleep = False
        entry.received_before = entry.mailbox.received
        cell.begin()
        cell.mark_ready()
        entry.news = self._ended_in
        self._nursery.start_soon(cell.live, entry.tell_end)

    def _start_or_wait(self, entry: Entry[K, M]) -> None:
        if len(self._entries) - len(self._without_place) > self._live_max:
            self._without_place[entry.key] = entry
            self._ended_in.send_nowait(None)  # wakes `_keep`, which looks for a place
        else:
            self._start(entry)

    async def _keep(self, ctx: Context[object]) -> Exception | None:
        sweep_at = self._next_sweep_at()
        while not ctx.is_stopping:
            news: tuple[Entry[K, M], int] | None = None
            with ctx.stop.interrupts(min(self._next_due_at(), sweep_at, self._look_again_at())):
                news = await self._ended.receive()
            if news is not None:
                failure = self._judge(*news)
                if failure is not None:
                    return failure
            elif not ctx.stop.is_requested:
                self._start_due()
                self._make_room()
                if trio.current_time() >= sweep_at:
                    self._sweep()
                    sweep_at = self._next_sweep_at()
        return None

    def _judge(self, entry: Entry[K, M], incarnation: int) -> Exception | None:
        """Decide what follows on the end of an incarnation; return why the directory gives up."""
        cell = entry.cell
        assert cell.incarnation == incarnation, "one at a time for each key"
        is_falling_asleep, entry.is_falling_asleep = entry.is_falling_asleep, False
        if cell.error is not None:
            if not entry.window.record(trio.current_time()):
                return self._give_up(entry, cell.error)
            cell.back_off(self._backoff, self._chance, entry.window)
            self._backing_off[entry.key] = entry
            return None
        if entry.mailbox.is_empty:
            self._remove(entry, "stopped")
            return None
        if is_falling_asleep and self._without_place:
            # New work came while it left: its place is promised, so it gets in line for another.
            self._without_place[entry.key] = entry
            self._give_place()
            return None
        has_read = entry.mailbox.received > entry.received_before
        if is_falling_asleep or has_read or not entry.has_left_unread:
            entry.has_left_unread = not (is_falling_asleep or has_read)
            self._start(entry)
        else:
            # It would finish without reading for ever, as fast as the machine can.
            self._remove(entry, "unread")
        return None

    def _remove(self, entry: Entry[K, M], reason: str) -> None:
        del self._entries[entry.key]
        entry.cell.retire(reason)
        self._give_place()

    def _give_up(self, entry: Entry[K, M], cause: Exception) -> Exception | None:
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
        idle = [
            entry
            for entry in self._entries.values()
            if entry.idle_since is not None and entry.idle_since <= idle_before
        ]
        for entry in idle:
            entry.is_falling_asleep = True
        if idle:
            self._nursery.start_soon(self._put_to_sleep, idle)

    async def _put_to_sleep(self, entries: Sequence[Entry[K, M]]) -> None:
        """Ask `entries` to leave, a few at a time: whoever has work meanwhile should not wait."""
        with trio.CancelScope(shield=True):
            for first in range(0, len(entries), LEAVING_AT_ONCE):
                leaving = entries[first : first + LEAVING_AT_ONCE]
                for entry in leaving:
                    if entry.mailbox.is_empty:
                        entry.cell.request_stop(is_final=False)
                    else:
                        entry.is_falling_asleep = False
                await let_go()
                for entry in leaving:
                    # One that has left may be back already, with new work.
                    if entry.is_falling_asleep and self._nursery is not None:
                        self._nursery.start_soon(bring_down, entry.cell, False)  # noqa: FBT003

    # Making room

    def _evict_one(self) -> bool:
        """Ask the actor that has been idle for longest to leave; return whether there is one."""
        if self._when_full is WhenFull.REFUSE or self._nursery is None:
            return False
        idle = [
            (entry.idle_since, entry)
            for entry in self._entries.values()
            if entry.idle_since is not None
        ]
        if not idle:
            return False
        _, evicted = min(idle, key=lambda pair: pair[0])
        evicted.is_falling_asleep = True
        self._nursery.start_soon(self._put_to_sleep, [evicted])
        return True

    def _give_place(self) -> None:
        """Start those that wait for a place, in order, as far as there are places."""
        while self._without_place and self._nursery is not None:
            if len(self._entries) - len(self._without_place) >= self._live_max:
                return
            key = next(iter(self._without_place))
            self._start(self._without_place.pop(key))

    def _look_again_at(self) -> float:
        return trio.current_time() + LOOK_AGAIN_S if self._without_place else math.inf

    def _make_room(self) -> None:
        """See to it that as many leave as wait for a place."""
        if self._without_place:
            leaving = sum(entry.is_falling_asleep for entry in self._entries.values())
            for _ in range(len(self._without_place) - leaving):
                if not self._evict_one():
                    return

    # Stopping and looking

    async def _stop_all(self, *, is_final: bool) -> None:
        await bring_down_all([entry.cell for entry in self._entries.values()], is_final=is_final)

    def stop_budget_s(self) -> float:
        """Return how long the stop of all, at once, may take, in seconds."""
        return self._grace_s + CANCELLED_GRACE_S

    def retire(self) -> None:
        """Refuse all keys, and turn what waits for them into dead letters."""
        self._is_retired = True
        entries, self._entries, self._without_place = self._entries, {}, {}
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
