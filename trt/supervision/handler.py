"""`Handler`: an actor as a class with one method for each type of message.

@frozen
class Add(Ask[int]):
    amount: int

@frozen
class Reset:
    pass

class Counter(Handler[Add | Reset]):
    async def on_start(self, ctx: Context[Add | Reset]) -> None:
        self.total = 0

    @handles(Add)
    async def add(self, message: Add) -> int:
        self.total += message.amount
        return self.total

    @handles(Reset)
    async def reset(self, message: Reset) -> None:
        self.total = 0
"""

import types
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Generic, TypeVar, Union, get_args, get_origin, overload

import trio
from typing_extensions import override

from trt.supervision.context import Context
from trt.supervision.question import Ask
from trt.supervision.turn import Turn

M = TypeVar("M")
R = TypeVar("R")
S = TypeVar("S")
A_co = TypeVar("A_co", bound=Ask[Any], covariant=True)
A = TypeVar("A", bound=Ask[Any])

# What `on_stop` gets at least, also when the turn before it has used up the grace.
ON_STOP_MIN_S = 0.5


class Answers(Generic[A_co]):
    """Decorator of the method that answers the questions of one type."""

    def __init__(self, kind: type[Any]) -> None:
        self._kind = kind

    def __call__(
        self: "Answers[Ask[R]]", method: Callable[[S, A_co], Awaitable[R]]
    ) -> Callable[[S, A_co], Awaitable[R]]:
        _mark(method, self._kind)
        return method


class Handles(Generic[M]):
    """Decorator of the method that handles the messages of one type."""

    def __init__(self, kind: type[M]) -> None:
        self._kind = kind

    def __call__(
        self, method: Callable[[S, M], Awaitable[None]]
    ) -> Callable[[S, M], Awaitable[None]]:
        _mark(method, self._kind)
        return method


@overload
def handles(kind: type[A]) -> Answers[A]: ...  # type: ignore[overload-overlap]
@overload
def handles(kind: type[M]) -> Handles[M]: ...
def handles(kind: type[Any]) -> Answers[Any] | Handles[Any]:
    """Mark the method that takes the messages of type `kind`.

    What it returns is the answer, if `kind` is an `Ask`; otherwise it returns nothing.
    """
    return Answers(kind) if issubclass(kind, Ask) else Handles(kind)


class Handler(Generic[M]):
    """Abstract root of actors with one method per message type.

    The union in the brackets and the `handles` methods must name the same types, or the class
    definition raises `TypeError`. State is set in `on_start`: a restart starts the same object.
    `current_turn()` tells a method what the message is about.
    """

    _methods: ClassVar[dict[type[Any], str]] = {}

    @override
    def __init_subclass__(cls) -> None:
        methods = {
            kind: name
            for name, method in vars(cls).items()
            for kind in getattr(method, "__handles__", ())
        }
        declared = _declared_types(cls)
        for kind in declared:
            if kind not in methods:
                raise TypeError(f"{cls.__name__} declares {kind.__name__} and does not handle it")
        for kind in methods:
            if kind not in declared:
                raise TypeError(f"{cls.__name__} handles {kind.__name__} and does not declare it")
        cls._methods = methods

    async def on_start(self, ctx: Context[M]) -> None:
        """Prepare the state; the actor is ready when this returns."""

    async def on_stop(self) -> None:
        """Clean up, after a stop request or a crash, if `on_start` was done.

        It is shielded from cancellation for what is left of the grace; what takes longer is cut off
        and is a crash.
        """

    async def run(self, ctx: Context[M]) -> None:
        """Handle one message at a time until `ctx` asks to stop."""
        await self.on_start(ctx)
        try:
            async for turn in ctx.turns():
                await self._handle(turn)
        finally:
            until = max(ctx.grace_ends_at(), trio.current_time() + ON_STOP_MIN_S)
            with trio.CancelScope(shield=True), trio.fail_at(until):
                await self.on_stop()

    async def _handle(self, turn: Turn[M]) -> None:
        message = turn.message
        answer = await getattr(self, self._methods[type(message)])(message)
        if isinstance(message, Ask):
            turn.reply(answer)


def _mark(method: Any, kind: type[Any]) -> None:
    method.__handles__ = (*getattr(method, "__handles__", ()), kind)


def _declared_types(cls: type[Any]) -> tuple[type[Any], ...]:
    bases = getattr(cls, "__orig_bases__", ())
    for base in bases:
        if get_origin(base) is Handler:
            (declared,) = get_args(base)
            is_union = get_origin(declared) in {Union, types.UnionType}
            kinds = get_args(declared) if is_union else (declared,)
            if all(isinstance(kind, type) for kind in kinds):
                return kinds
    raise TypeError(f"{cls.__name__} must be a Handler[...] of message types")
