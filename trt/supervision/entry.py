"""`Entry`: one key of a directory and its actor; `Terms`: what holds for all of them."""

import random
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Generic, TypeVar

from attrs import define, field, frozen

from trt.supervision.cell import Cell
from trt.supervision.child import Policy
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
    _idle_looks: int = 0
    _received_then: int = 0

    def begin(self) -> None:
        """Prepare the next incarnation of its actor; `cell.live` must be started right after."""
        self.received_before = self.mailbox.received
        self._idle_looks = 0
        self.cell.begin(is_ready=True)

    @property
    def is_idle(self) -> bool:
        """Whether the actor has nothing to do and is not about to leave."""
        mailbox = self.mailbox
        is_there = not self.is_falling_asleep and not self.cell.has_ended
        return is_there and mailbox.is_read and mailbox.is_empty

    def look(self) -> int:
        """Look at the actor; return how many looks on end have found it idle, this one included.

        One that has taken a message since the last look was not. So an actor need not note the
        time whenever it begins to wait.
        """
        if self._received_then != self.mailbox.received or not self.is_idle:
            self._received_then, self._idle_looks = self.mailbox.received, 0
        self._idle_looks += self.is_idle
        return self._idle_looks


@frozen(kw_only=True)
class Terms(Generic[K, M]):
    """What a directory was declared with."""

    make: Callable[[K], Actor[M]]
    mailbox_capacity: int
    live_max: int
    when_full: WhenFull
    idle_after_s: float | None
    budget: Budget
    backoff: Backoff
    policy: Policy
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
        hook = None if self.on_dead_letter is None else partial(self.on_dead_letter, key)
        cell = Cell(name, self.make(key), mailbox, self.policy, hook)
        cell.place(path, emit)
        mailbox.name = cell.path
        return Entry(key, cell, mailbox, self.no_restarts)
