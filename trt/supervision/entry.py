"""`Entry`: one key of a directory and its actor; `Terms`: what holds for all of them."""

import random
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Generic, TypeVar

from attrs import define, field, frozen

from trt.supervision.cell import Cell
from trt.supervision.child import Child, Poison
from trt.supervision.context import Actor, Emit
from trt.supervision.events import DeadLetter
from trt.supervision.mailbox import Mailbox
from trt.supervision.restart import Backoff, Budget, RestartWindow

K = TypeVar("K")
M = TypeVar("M")


class WhenFull(Enum):
    """What becomes of a new key when as many actors run as may."""

    REFUSE = auto()  # its sender gets `DirectoryFull`
    EVICT_IDLE = auto()  # the actor that has been idle for longest makes room; if none, as above


@define(eq=False)
class Entry(Generic[K, M]):
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

    @property
    def idle_since(self) -> float | None:
        """Since when the actor has had nothing to do (trio time); None if it has, or leaves."""
        mailbox = self.mailbox
        if mailbox.idle_since is None or self.is_falling_asleep or self.cell.has_ended:
            return None
        return mailbox.idle_since if mailbox.is_empty else None


@frozen(kw_only=True)
class Terms(Generic[K, M]):
    """What a directory was declared with."""

    make: Callable[[K], Actor[M]]
    mailbox_capacity: int
    live_max: int
    when_full: WhenFull
    idle_after_s: float | None
    grace_s: float
    budget: Budget
    backoff: Backoff
    poison: Poison
    on_dead_letter: Callable[[K, DeadLetter], None] | None
    on_given_up: Callable[[K, Exception], None] | None
    key_name: Callable[[K], str]
    chance: random.Random | None
    no_restarts: RestartWindow = field(init=False)
    """What every entry begins with; the first crash gives it a window of its own."""

    @no_restarts.default
    def _empty_window(self) -> RestartWindow:
        return RestartWindow(self.budget)

    def new_entry(self, key: K, path: str, emit: Emit) -> Entry[K, M]:
        """Return an entry for `key` below `path`, with a fresh actor that does not run yet."""
        name = self.key_name(key)
        # Not Mailbox[M](…): a generic alias that is called leaves a dict on what it makes.
        mailbox: Mailbox[M] = Mailbox(name, self.mailbox_capacity)
        hook = self.on_dead_letter
        child = Child(
            name,
            self.make(key),
            mailbox=mailbox,
            grace_s=self.grace_s,
            poison=self.poison,
            on_dead_letter=None if hook is None else partial(hook, key),
        )
        cell = Cell(child)
        cell.place(path, emit)
        mailbox.name = cell.path
        return Entry(key, cell, mailbox, self.no_restarts)
