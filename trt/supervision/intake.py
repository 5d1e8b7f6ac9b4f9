"""`Intake`: how an actor takes messages, and which of them are in its hand."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

import trio
from trio.lowlevel import current_task

from trt.supervision.asker import Asker
from trt.supervision.mailbox import Mailbox, Overflow
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn

M = TypeVar("M")

# The pause lets the others run, and lets a cancellation in.
TAKEN_WITHOUT_PAUSE_MAX = 64


class Owner(Protocol):
    """Whose mailbox it is."""

    def put_aside(self, turn: Turn[Any], reason: str) -> None:
        """Make a dead letter of a message whose turn did not begin."""
        ...


class Intake(Generic[M]):
    """Takes from the mailbox; what was taken stays in hand until the next take or the end."""

    def __init__(
        self,
        mailbox: Mailbox[M],
        asker: Asker,
        owner: Owner,
        *,
        drains: bool = False,
    ) -> None:
        self.mailbox = mailbox
        self._drains = drains
        self._asker = asker
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
        if self.mailbox.reader is not self._asker:
            self._attach()  # another actor has read it meanwhile
        self.mailbox.open()

    def _attach(self) -> None:
        self.mailbox.reader = self._asker
        if self.mailbox.overflow is Overflow.DROP_OLDEST:
            self.mailbox.on_dropped = self._note_dropped

    def _note_dropped(self, turn: Turn[M]) -> None:
        self._owner.put_aside(turn, "dropped")

    async def take(self, size_max: int, stop: StopSignal) -> Sequence[Turn[M]]:
        """Finish what is in hand and wait for more, at most `size_max`; empty once stopping."""
        self.finish()
        self._asker.task = current_task()
        mailbox = self.mailbox
        while not stop.is_requested or (self._drains and stop.is_final and mailbox.depth):
            if self._taken_without_pause >= TAKEN_WITHOUT_PAUSE_MAX:
                self._taken_without_pause = 0
                await mailbox.pause()
                continue
            if not mailbox.depth:
                self._taken_without_pause = 0
                await mailbox.wait()
                mailbox.come()
                continue
            taken = mailbox.take_many(size_max)
            self._taken_without_pause += len(taken)
            now = self.began_at = trio.current_time()
            asked = self._asked = [turn for turn in taken if turn.slot is not None]
            late = [turn for turn in asked if turn.deadline <= now]
            if late:
                self._put_aside(late)
                taken = [turn for turn in taken if turn.deadline > now]
            if taken:
                self._in_hand = taken
                return taken
        return ()

    def _put_aside(self, expired: Iterable[Turn[M]]) -> None:
        for turn in expired:
            self.mailbox.expired += 1
            self._owner.put_aside(turn, "expired")

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
