"""`Turn`: one message under way, in the mailbox first, then in the hand of an actor."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

import trio
from typing_extensions import override

from trt.supervision.question import Ask, ReplySlot

M_co = TypeVar("M_co", covariant=True)


class Turn(Generic[M_co]):
    """One message, the way to answer it, and what it is about; compared by identity.

    `cid` is the correlation id of what the sender was about. `deadline` (trio time) is when its
    answer comes too late; infinity for a message that asks nothing. `attempt` is 1, and one more
    for every turn with this message that was cut off.
    """

    # What an ordinary message needs has slots, the rest has defaults on the class and, if it is
    # set, a place in the dict: half the time, half the memory.
    __slots__ = ("__dict__", "cid", "message", "sent_at")

    message: M_co
    cid: str | None
    sent_at: float
    """When it was put into the mailbox (trio time)."""
    attempt: int = 1
    crashes: int = 0
    """How many incarnations crashed with it in hand; a turn that a stop cut off is no crash."""
    deadline: float = math.inf
    slot: ReplySlot | None = None
    is_over: bool = False
    """Whether the actor has gone on to the next message; an answer may still come."""
    _has_replied: bool = False

    def __init__(self, message: M_co, cid: str | None) -> None:
        self.message = message
        self.cid = cid

    @override
    def __repr__(self) -> str:
        return f"<Turn {type(self.message).__name__}, attempt {self.attempt}>"

    @property
    def age_s(self) -> float:
        """How long ago the message was sent, in seconds."""
        return trio.current_time() - self.sent_at

    def reply(self, value: object) -> None:
        """Answer an `Ask` with `value`, once, now or in a later turn.

        An answer that nobody waits for any more is counted in the mailbox's statistics, as is one
        to a question that an earlier attempt answered. A question that was sent with `tell` has no
        one to answer.
        """
        assert isinstance(self.message, Ask), "only a question has a reply"
        assert not self._has_replied, "a question is answered once"
        self._has_replied = True
        if self.slot is not None:
            self.slot.put(value)

    def again(self) -> None:
        """Prepare the next attempt, after a turn that was cut off."""
        self.attempt += 1
        self.is_over = self._has_replied = False

    def finish(self) -> None:
        """Note that the actor has gone on."""
        self.is_over = True

    @contextmanager
    def resumed(self) -> Iterator[None]:
        """Make this the current turn: for one of a batch, or in a task that goes on with it."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Turn[Any] | None] = ContextVar("trt_turn", default=None)

current_turn = _current.get
"""Return the turn that the calling task is about, or None.

It is set for each turn, never inherited from whoever started the actor. Tasks that a turn starts
go on with it, also when it is over.
"""

set_current_turn = _current.set


def forget_current_turn() -> None:
    """Let the calling task be about no turn."""
    if current_turn() is not None:  # a context that never had one stays small
        _current.set(None)
