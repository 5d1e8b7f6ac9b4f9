"""`StopSignal`: how an incarnation is asked to stop, and how its waits hear of it."""

import math
from collections.abc import Callable
from types import TracebackType

import trio


class StopSignal:
    """One request to stop; it ends the waits that were opened with `interrupts`."""

    __slots__ = ("_event", "_hearer", "_scopes", "is_final", "is_requested", "requested_at")

    def __init__(self) -> None:
        # Made when they are needed: every actor at rest has one of these.
        self._event: trio.Event | None = None
        self._scopes: dict[trio.CancelScope, None] | None = None
        self._hearer: Callable[[], None] | None = None
        self.is_requested = False
        self.is_final = False
        self.requested_at: float | None = None

    def request(self, *, is_final: bool, now: float | None = None) -> None:
        """Ask for the stop; `is_final` says that no next incarnation will follow.

        Who asks many at once may say what time it is `now` (trio time).
        """
        self.is_final = self.is_final or is_final
        if not self.is_requested:
            self.requested_at = trio.current_time() if now is None else now
            self.is_requested = True
            if self._hearer is not None:
                self._hearer()
            if self._event is not None:
                self._event.set()
            for scope in self._scopes or ():
                scope.cancel()

    def calls(self, hearer: Callable[[], None]) -> None:
        """Call `hearer` at the request; at once, if it has come."""
        self._hearer = hearer
        if self.is_requested:
            hearer()

    async def wait(self) -> None:
        """Return once a stop was requested."""
        if self._event is None:
            self._event = trio.Event()
            if self.is_requested:
                self._event.set()
        await self._event.wait()

    def interrupts(self, deadline: float = math.inf) -> "Interruption":
        """Return a scope that is left at the stop request or at `deadline` (trio time)."""
        if self._scopes is None:
            self._scopes = {}
        scope = trio.CancelScope(deadline=deadline)
        return Interruption(self._scopes, scope, is_requested=self.is_requested)


class Interruption:
    """A cancel scope that is known to a `StopSignal` while it is open."""

    __slots__ = ("_known", "_scope")

    def __init__(
        self, known: dict[trio.CancelScope, None], scope: trio.CancelScope, *, is_requested: bool
    ) -> None:
        self._known = known
        self._scope = scope
        if is_requested:
            scope.cancel()

    def __enter__(self) -> trio.CancelScope:
        self._known[self._scope] = None
        return self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        del self._known[self._scope]
        return self._scope.__exit__(kind, error, traceback)
