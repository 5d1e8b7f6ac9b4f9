"""`Asker`: an actor that may wait for answers, and the cycles of such waits."""

from contextvars import ContextVar
from typing import Any, Protocol

from attrs import define
from trio.lowlevel import Task

from trt.supervision.errors import AskCycle
from trt.supervision.turn import Turn


class Asked(Protocol):
    """Where questions are put: a mailbox, and who reads it."""

    @property
    def name(self) -> str: ...
    @property
    def reader(self) -> "Asker | None": ...


@define(eq=False)
class Asker:
    """One place in the tree, as one that waits.

    Only `task` counts: it is the one that takes the messages, so nobody is served while it waits.
    A task beside it may wait for whom it likes.
    """

    path: str
    task: Task | None = None
    waits_at: Asked | None = None
    waits_for: Turn[Any] | None = None

    @property
    def waiting_on(self) -> str | None:
        """Who has to answer before this actor goes on."""
        if self.waits_at is None:
            return None
        reader = self.waits_at.reader
        return self.waits_at.name if reader is None else reader.path

    def waits(self, question: Turn[Any], at: Asked) -> None:
        """Note that this actor waits for the answer to `question`.

        Raises:
            AskCycle: whoever is asked waits, perhaps through others, for this actor.
        """
        names = [self.path]
        asked: Asked | None = at
        while asked is not None:
            reader = asked.reader
            if reader is None:
                break
            names.append(reader.path)
            if reader is self:
                raise AskCycle(at.name, question.message, tuple(names))
            asked = reader.is_stuck_at()
        self.waits_at, self.waits_for = at, question

    def goes_on(self) -> None:
        """Note that the wait is over."""
        self.waits_at = self.waits_for = None

    def is_stuck_at(self) -> Asked | None:
        """Return whose turn must end before this actor goes on.

        None when that is not sure: an answer that is there, or that was put off to a later turn.
        """
        question = self.waits_for
        if question is None or question.is_over:
            return None
        if question.slot is not None and question.slot.is_filled:
            return None
        return self.waits_at


current_asker: ContextVar[Asker | None] = ContextVar("trt_asker", default=None)
