"""`Actor` and `Context`: what is run, and what it is given to run with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import trio

from trt.supervision.events import SupervisionEvent
from trt.supervision.intake import Intake
from trt.supervision.snapshot import ActorSnapshot
from trt.supervision.stop_signal import StopSignal
from trt.supervision.turn import Turn
from trt.supervision.turns import Batches, Turns

M_co = TypeVar("M_co", covariant=True)
M_contra = TypeVar("M_contra", contravariant=True)

Emit: TypeAlias = Callable[[SupervisionEvent], None]


def emit_nothing(_: SupervisionEvent) -> None:
    """Nobody listens before the actor has its place in a tree."""


class Actor(Protocol[M_contra]):
    """Anything that runs under a supervisor; a restart calls `run` again on the same object.

    State that must not outlive a crash belongs into local variables of `run`.
    """

    async def run(self, ctx: "Context[M_contra]") -> None:
        """Work until done or until `ctx` asks to stop; an exception is a crash."""
        ...


class Branch(Protocol):
    """An actor that has children of its own: a supervisor or a directory."""

    @property
    def name(self) -> str:
        """The name it shows when nobody gives it another."""
        ...

    async def run(self, ctx: "Context[object]") -> None:
        """Run the children until `ctx` asks to stop; raise to give up."""
        ...

    def snapshot(self) -> ActorSnapshot:
        """Describe it and its children."""
        ...

    def stop_budget_s(self) -> float:
        """Return how long an ordered stop may take, in seconds."""
        ...

    def retire(self) -> None:
        """Close the mailboxes of the ended children and turn what they hold into dead letters."""
        ...


def as_branch(actor: Any) -> Branch | None:
    """Return `actor` if it is a `Branch`; asked for every actor, so quicker than `isinstance`."""
    is_branch = hasattr(actor, "stop_budget_s") and hasattr(actor, "snapshot")
    return actor if is_branch and hasattr(actor, "retire") else None


class Host(Protocol):
    """The place in the tree at which an incarnation runs."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def emit(self) -> Emit: ...
    @property
    def stop(self) -> StopSignal: ...
    @property
    def ready_at(self) -> float | None: ...
    @property
    def intake(self) -> Intake[Any] | None: ...
    def grace_ends_at(self) -> float: ...
    def mark_ready(self) -> None: ...
    async def run_subtree(self, branch: Branch, until: Callable[[], Awaitable[None]]) -> None: ...


class Context(Generic[M_co]):
    """What one incarnation of an actor gets: its name, its messages and the request to stop."""

    __slots__ = ("_host", "emit", "name", "path", "stop")

    def __init__(self, host: Host) -> None:
        self._host = host
        self.name = host.name
        self.path = host.path
        self.stop = host.stop
        self.emit = host.emit

    def ready(self) -> None:
        """Say that the actor works; only then does the supervisor start the next child.

        The first iteration of `turns` or `batches` says it too.
        """
        self._host.mark_ready()

    # Stopping

    @property
    def is_stopping(self) -> bool:
        """Whether this incarnation was asked to stop."""
        return self.stop.is_requested

    async def wait_stopping(self) -> None:
        """Return once this incarnation is asked to stop."""
        await self.stop.wait()

    def grace_ends_at(self) -> float:
        """Return when this incarnation will be cancelled if it has not ended by then (trio time).

        As long as no stop is requested, that is when it would be if one was requested now.
        """
        return self._host.grace_ends_at()

    async def sleep(self, seconds: float) -> bool:
        """Sleep; return True, or False at once when a stop is requested."""
        with self.stop.interrupts():
            await trio.sleep(seconds)
        return not self.is_stopping

    # Messages

    def turns(self) -> AsyncIterator[Turn[M_co]]:
        """Iterate over the messages, one at a time, until a stop is requested.

        A message is in hand until the next one is asked for or `run` returns. What is in hand
        when the incarnation crashes or is cancelled comes first to the next one.
        """
        return Turns(self._intake(), self._host)

    def batches(self, size_max: int) -> AsyncIterator[tuple[Turn[M_co], ...]]:
        """Iterate like `turns`, over everything that has arrived, at most `size_max` at once.

        A message whose turn was cut off before comes in a batch of its own.
        """
        return Batches(self._intake(), self._host, size_max)

    def _intake(self) -> Intake[Any]:
        assert self._host.intake is not None, f"{self.path} has no mailbox"
        return self._host.intake

    # Children

    async def run_subtree(self, supervisor: Branch, until: Callable[[], Awaitable[None]]) -> None:
        """Run `supervisor` beneath this actor until `until()` returns or a stop is requested.

        Either way the subtree is stopped in order, for good, before this returns.

        Raises:
            RestartLimitExceeded: the supervisor gave up.
            StartFailed: a child crashed before it was ready.
            Exception: whatever `until()` raised, after the stop.
        """
        await self._host.run_subtree(supervisor, until)
