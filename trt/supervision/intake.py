"""`Intake`: how an actor takes messages, and which of them are in its hand."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import trio
from trio.lowlevel import current_task

from trt.supervision.asker import Asker
from trt.supervision.mailbox import Mailbox, Overflow
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn

M = TypeVar("M")

# The pause lets the others run, and lets a cancellation in.
TAKEN_WITHOUT_PAUSE_MAX = 64


class Owner(Asker, ABC):
    """Abstract root of those that have a mailbox."""

    @abstractmethod
    def put_aside(self, turn: Turn[Any], reason: str) -> None:
        """Make a dead letter of a message whose turn did not begin."""


class Intake(Generic[M]):
    """Takes from the mailbox; what was taken stays in hand until the next take or the end."""

    def __init__(self, mailbox: Mailbox[M], owner: Owner, *, drains: bool = False) -> None:
        self.mailbox = mailbox
        self._drains = drains
        self._owner = owner
        # Of an actor at rest these are the one empty tuple, not two lists each.
        self._in_hand: Sequence[Turn[M]] = ()
        # Those among them, or put aside, that want an answer.
        self._asked: Sequence[Turn[M]] = ()
        self._taken_without_pause = 0
        self.began_at = 0.0
        self.handled = 0
        self.failed = 0
        self._attach()

    @property
    def in_hand(self) -> Turn[M] | None:
        """The (first) message that is being handled."""
        return self._in_hand[0] if self._in_hand else None

    def open(self) -> None:
        """Let messages in, for the incarnation that begins."""
        if self.mailbox.reader is not self._owner:
            self._attach()  # another actor has read it meanwhile
        self.mailbox.open()

    def _attach(self) -> None:
        self.mailbox.reader = self._owner
        if self.mailbox.overflow is Overflow.DROP_OLDEST:
            self.mailbox.on_dropped = self._note_dropped

    def _note_dropped(self, turn: Turn[M]) -> None:
        self._owner.put_aside(turn, "dropped")

    def come_back(self) -> None:
        """Finish what is in hand; the calling task takes what comes."""
        self.finish()
        self._owner.reads_in(current_task())

    def take(self, size_max: int, stop: StopSignal) -> Sequence[Turn[M]] | None:
        """Take what has come, at most `size_max`; none once stopping.

        None: await what `more` returns, then try again.
        """
        mailbox = self.mailbox
        mailbox.come()
        while not stop.is_requested or (self._drains and stop.is_final and mailbox.depth):
            if not mailbox.depth or self._taken_without_pause >= TAKEN_WITHOUT_PAUSE_MAX:
                return None
            taken = mailbox.take_many(size_max)
            self._taken_without_pause += len(taken)
            self.began_at = trio.current_time()
            self._asked = [turn for turn in taken if turn.slot is not None]
            if self._asked:
                taken = self._in_time(taken, self.began_at)
            if taken:
                self._in_hand = taken
                return taken
        return ()

    def more(self) -> Awaitable[object]:
        """Wait until there may be something to take; if there is, let the others run first."""
        self._taken_without_pause = 0
        return self.mailbox.pause() if self.mailbox.depth else self.mailbox.wait()

    def _in_time(self, taken: Iterable[Turn[M]], now: float) -> list[Turn[M]]:
        """Put aside the questions whose deadline has passed; returns the others."""
        in_time = []
        for turn in taken:
            if turn.deadline > now:
                in_time.append(turn)
            else:
                self.mailbox.expired += 1
                self._owner.put_aside(turn, "expired")
        return in_time

    def finish(self) -> None:
        """Count what is in hand as handled."""
        if self._asked:
            for turn in self._asked:
                turn.is_over = True
            self._asked = ()
        self.handled += len(self._in_hand)
        self._in_hand = ()

    def drop(self) -> Sequence[Turn[M]]:
        """Return what is in hand, unfinished, and forget it."""
        unfinished, self._in_hand, self._asked = self._in_hand, (), ()
        self.failed += len(unfinished)
        return unfinished
