"""`Turns` and `Batches`: the iterators that hand messages to an actor."""

from typing import Generic, Protocol, Self, TypeVar

from trt.supervision.intake import Intake
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn, forget_current_turn, set_current_turn

M_co = TypeVar("M_co", covariant=True)


class Desk(Protocol):
    """What the iterators need of an incarnation."""

    @property
    def stop(self) -> StopSignal:
        """The request to stop."""
        ...

    @property
    def ready_at(self) -> float | None:
        """Since when the incarnation is ready (trio time)."""
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
        if self._desk.ready_at is None:
            self._desk.mark_ready()
        forget_current_turn()
        intake, stop = self._intake, self._desk.stop
        intake.come_back()
        while (taken := intake.take(self._size_max, stop)) is None:
            await intake.more()
        if not taken:
            raise StopAsyncIteration
        if len(taken) == 1:
            set_current_turn(taken[0])
        return tuple(taken)


class Turns(Generic[M_co]):
    """Iterator over single messages; ends at a stop request."""

    __slots__ = ("_desk", "_intake")

    def __init__(self, intake: Intake[M_co], desk: Desk) -> None:
        self._intake = intake
        self._desk = desk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Turn[M_co]:
        if self._desk.ready_at is None:
            self._desk.mark_ready()
        forget_current_turn()
        intake, stop = self._intake, self._desk.stop
        intake.come_back()
        while (taken := intake.take(1, stop)) is None:
            await intake.more()
        if not taken:
            raise StopAsyncIteration
        set_current_turn(taken[0])
        return taken[0]
