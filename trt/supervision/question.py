"""`Ask`: a message that wants an answer; `ReplySlot`: where the answer is put and awaited."""

from typing import Any, Generic, Protocol, Self, TypeVar

import trio
from trio.lowlevel import Abort, Task, current_task, reschedule, wait_task_rescheduled

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
M_co = TypeVar("M_co", covariant=True)


class Ask(Generic[R]):
    """Base of the messages that want a reply of type `R`; subclasses are frozen attrs classes."""

    __slots__ = ()

    def _asks(self) -> tuple[Self, R]:
        """Tie the question to its reply; only a type checker reads it."""
        raise AssertionError("nobody calls this")


class Question(Protocol[M_co, R_co]):
    """An `Ask[R]` that is also an `M`: what one may ask whoever takes messages of type `M`."""

    def _asks(self) -> tuple[M_co, R_co]: ...


class Answering(Protocol):
    """The mailbox that took the question."""

    late_replies: int


class ReplySlot:
    """Where one answer is put and awaited, once."""

    __slots__ = ("_asker", "_error", "_value", "is_abandoned", "is_filled", "post")

    def __init__(self, post: Answering) -> None:
        self.post = post
        self.is_filled = False
        self.is_abandoned = False
        self._asker: Task | None = None
        self._value: object = None
        self._error: Exception | None = None

    def put(self, value: object) -> None:
        """Answer the question with `value`; one that nobody waits for is counted as late."""
        if self.is_abandoned or self.is_filled:
            self.post.late_replies += 1
        else:
            self._value = value
            self._fill()

    def fail(self, error: Exception) -> None:
        """Let the asker see `error`, unless an answer is there already."""
        if not self.is_filled:
            self._error = error
            self._fill()

    async def wait(self) -> Any:
        """Wait for the answer and return it, or raise the failure that was put in."""
        if self.is_filled:
            await trio.lowlevel.checkpoint()
        else:
            self._asker = current_task()
            await wait_task_rescheduled(self._abandon)
        if self._error is not None:
            raise self._error
        return self._value

    def _fill(self) -> None:
        self.is_filled = True
        asker, self._asker = self._asker, None
        if asker is not None:
            reschedule(asker)

    def _abandon(self, _: object) -> Abort:
        self._asker = None
        self.is_abandoned = True
        return Abort.SUCCEEDED
