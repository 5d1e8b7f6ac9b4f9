"""What travels on the channel: the message with its age, its deadline and its reply slot."""

import math
from typing import Any, Generic, TypeVar

import trio
from attrs import define, field

R = TypeVar("R")
M = TypeVar("M")


class Ask(Generic[R]):
    """Base of the messages that want a reply of type `R`; subclasses are frozen attrs classes."""

    __slots__ = ()


class ReplySlot:
    """Where one answer is put and awaited, once."""

    def __init__(self) -> None:
        self._done = trio.Event()
        self._value: object = None
        self._error: Exception | None = None
        self.is_abandoned = False

    @property
    def is_filled(self) -> bool:
        """Whether an answer or a failure has been put in."""
        return self._done.is_set()

    def put(self, value: object) -> None:
        """Answer the question with `value`; a second answer is a programming error."""
        assert not self.is_filled, "a question is answered once"
        self._value = value
        self._done.set()

    def fail(self, error: Exception) -> None:
        """Let the asker see `error`, unless an answer is there already."""
        if not self.is_filled:
            self._error = error
            self._done.set()

    async def wait(self) -> Any:
        """Wait for the answer and return it, or raise the failure that was put in."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


@define(kw_only=True, eq=False)
class Envelope(Generic[M]):
    """One message under way; compared by identity, and silent about its content."""

    message: M = field(repr=False)
    deadline: float = math.inf
    slot: ReplySlot | None = field(default=None, repr=False)
    enqueued_at: float = 0.0
    attempt: int = 1
