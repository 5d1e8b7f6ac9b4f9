"""`Directory`: actors by key, started on demand, restarted on a crash, put to sleep when idle."""

import heapq
import random
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from trt.supervision.cell import CANCELLED_GRACE_S
from trt.supervision.child import ACTOR_GRACE_S, Poison, Policy
from trt.supervision.context import Actor, Context, Emit, emit_nothing
from trt.supervision.entry import Entry, Terms, WhenFull
from trt.supervision.errors import ActorStopped, DirectoryFull
from trt.supervision.events import DeadLetter
from trt.supervision.keeper import Keeper
from trt.supervision.leaving import bring_down_all
from trt.supervision.question import Question
from trt.supervision.restart import Backoff, Budget
from trt.supervision.snapshot import ActorSnapshot, Kind
from trt.supervision.stop_signal import StopSignal

K = TypeVar("K")
M = TypeVar("M")
R = TypeVar("R")

SHOWN_MAX = 50


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
        self._name = self._path = name
        self._grace_s = grace_s
        self._terms: Terms[K, M] = Terms(
            make=make,
            mailbox_capacity=mailbox_capacity,
            live_max=live_max,
            when_full=when_full,
            idle_after_s=idle_after_s,
            budget=budget,
            backoff=backoff,
            policy=Policy(grace_s=grace_s, poison=poison),
            on_dead_letter=on_dead_letter,
            on_given_up=on_given_up,
            key_name=key_name,
            chance=random,
        )
        self._entries: dict[K, Entry[K, M]] = {}
        self._emit: Emit = emit_nothing
        self._stop: StopSignal | None = None
        self._keeper: Keeper[K, M] | None = None
        """While it runs."""
        self._is_retired = False

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

    def tell_nowait(self, key: K, message: M, *, cid: str | None = None) -> None:
        """Send `message` to the actor of `key`, which is started if need be; see `Ref` on `cid`.

        Raises:
            MailboxFull: the actor has no room.
            DirectoryFull: there is no place for another actor.
            ActorStopped: the directory has stopped for good.
        """
        self._entry_of(key, message).mailbox.ref.tell_nowait(message, cid=cid)

    async def tell(self, key: K, message: M, *, cid: str | None = None) -> None:
        """Send like `tell_nowait`, but wait while the actor's mailbox is full."""
        await self._entry_of(key, message).mailbox.ref.tell(message, cid=cid)

    async def ask(
        self, key: K, question: Question[M, R], timeout_s: float, *, cid: str | None = None
    ) -> R:
        """Ask the actor of `key`, which is started if need be; see `Ref.ask` and `tell_nowait`."""
        ref = self._entry_of(key, question).mailbox.ref
        return await ref.ask(question, timeout_s, cid=cid)

    def keys(self) -> tuple[K, ...]:
        """Return the keys that have an actor, in the order in which they came."""
        return tuple(self._entries)

    def _entry_of(self, key: K, message: object) -> Entry[K, M]:
        if self._is_retired or (self._stop is not None and self._stop.is_final):
            raise ActorStopped(self._path, message)
        entry = self._entries.get(key)
        if entry is not None:
            return entry
        keeper = self._keeper
        if len(self._entries) >= self._terms.live_max and not (keeper and keeper.makes_room()):
            raise DirectoryFull(self._path, message)
        entry = self._entries[key] = self._terms.new_entry(key, self._path, self._emit)
        if keeper is not None:
            keeper.admit(entry)
        return entry

    # Running

    async def run(self, ctx: Context[object]) -> None:
        """Run the actors of all keys until `ctx` asks to stop.

        Raises:
            RestartLimitExceeded: a key's budget is spent and nobody wants to hear of it.
        """
        self._path, self._emit, self._stop = ctx.path, ctx.emit, ctx.stop
        self._is_retired = False
        async with trio.open_nursery() as nursery:
            keeper = self._keeper = Keeper(self._entries, self._terms, ctx, nursery)
            ctx.ready()
            try:
                failure = await keeper.keep()
            finally:
                self._keeper = None
                keeper.end()
                with trio.CancelScope(shield=True):
                    cells = [entry.cell for entry in self._entries.values()]
                    await bring_down_all(cells, is_final=ctx.stop.is_final)
        if failure is not None:
            raise failure

    # Stopping and looking

    def stop_budget_s(self) -> float:
        """Return how long the stop of all, at once, may take, in seconds."""
        return self._grace_s + CANCELLED_GRACE_S

    def retire(self) -> None:
        """Refuse all keys, and turn what waits for them into dead letters."""
        self._is_retired = True
        entries, self._entries = self._entries, {}
        for entry in entries.values():
            if not entry.cell.is_retired:
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
