"""`Asker`: an actor that may wait for answers, and the cycles of such waits."""

from typing import Any, Protocol

from attrs import define, field
from trio.lowlevel import Task, current_task

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

    Only one task counts: the one that takes the messages, so nobody is served while it waits.
    A task beside it may wait for whom it likes.
    """

    path: str
    _task: Task | None = field(default=None, init=False)
    waits_at: Asked | None = None
    waits_for: Turn[Any] | None = None

    def reads_in(self, task: Task) -> None:
        """Note which task takes the messages."""
        if self._task is not task:
            self.reads_no_more()
            self._task = task
            _readers[task] = self

    def reads_no_more(self) -> None:
        """Note that no task takes messages."""
        if self._task is not None:
            del _readers[self._task]
            self._task = None

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


# Not a context variable: a context of its own would be a tenth of what starting an actor costs.
_readers: dict[Task, Asker] = {}


def current_asker() -> Asker | None:
    """Return whose messages the calling task takes."""
    return _readers.get(current_task())
