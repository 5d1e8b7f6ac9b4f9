"""`Turn`: one message in the hand of an actor; `Turns` and `Batches` hand them out."""

from collections.abc import AsyncIterator
from typing import Any, Generic, Protocol, Self, TypeVar

import trio
from typing_extensions import override

from trt.supervision.envelope import Ask, Envelope
from trt.supervision.intake import Intake
from trt.supervision.mailbox import Mailbox
from trt.supervision.stop_signal import StopSignal

M_co = TypeVar("M_co", covariant=True)


class Turn(Generic[M_co]):
    """One message, and the way to answer it."""

    __slots__ = ("_envelope", "_has_replied", "_mailbox")

    def __init__(self, envelope: Envelope[M_co], mailbox: Mailbox[Any]) -> None:
        self._envelope = envelope
        self._mailbox = mailbox
        self._has_replied = False

    @override
    def __repr__(self) -> str:
        return f"<Turn {type(self.message).__name__}, attempt {self.attempt}>"

    @property
    def message(self) -> M_co:
        """The message to handle."""
        return self._envelope.message

    @property
    def attempt(self) -> int:
        """1, and one more for every turn with this message that was cut off."""
        return self._envelope.attempt

    @property
    def age_s(self) -> float:
        """How long ago the message was sent, in seconds."""
        return trio.current_time() - self._envelope.enqueued_at

    def reply(self, value: object) -> None:
        """Answer an `Ask` with `value`, once, now or in a later turn.

        An answer that nobody waits for any more is counted in the mailbox's statistics, as is one
        to a question that an earlier attempt answered. A question that was sent with `tell` has no
        one to answer.
        """
        assert isinstance(self.message, Ask), "only a question has a reply"
        assert not self._has_replied, "a question is answered once"
        self._has_replied = True
        slot = self._envelope.slot
        if slot is None:
            return
        if slot.is_abandoned or slot.is_filled:
            self._mailbox.late_replies += 1
        else:
            slot.put(value)


class Desk(Protocol):
    """What the iterators need of an incarnation."""

    @property
    def stop(self) -> StopSignal:
        """The request to stop."""
        ...

    def mark_ready(self) -> None:
        """Say that the incarnation is ready."""
        ...


class Batches(Generic[M_co]):
    """Iterator over what has arrived, at most `size_max` at once; ends at a stop request."""

    def __init__(self, intake: Intake[M_co], desk: Desk, size_max: int) -> None:
        assert size_max >= 1, "a batch holds at least one message"
        self._intake = intake
        self._desk = desk
        self._size_max = size_max

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[Turn[M_co], ...]:
        self._desk.mark_ready()
        taken = await self._intake.take(self._size_max, self._desk.stop)
        if not taken:
            raise StopAsyncIteration
        return tuple(Turn(envelope, self._intake.mailbox) for envelope in taken)


class Turns(Generic[M_co]):
    """Iterator over single messages; ends at a stop request."""

    def __init__(self, intake: Intake[M_co], desk: Desk) -> None:
        self._batches: AsyncIterator[tuple[Turn[M_co], ...]] = Batches(intake, desk, 1)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Turn[M_co]:
        (turn,) = await anext(self._batches)
        return turn
