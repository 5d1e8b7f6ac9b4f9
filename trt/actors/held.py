"""Held: a lease in our hands, and the leash on everything that acts in its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio
from attrs import define, field

from trt.storage.lease_row import Takeover
from trt.supervision import Actor, Context

M = TypeVar("M")


@define(eq=False)
class Held:
    """A lease that is trusted until a moment of our own monotonic clock.

    What acts in its name does so on a leash that ends `stop_lost_s` after the trust, whatever
    hangs: a process that was frozen finds every leash cut before it can do another step.
    """

    epoch: int
    trusted_until: float
    takeover: Takeover | None
    stop_lost_s: float
    lost: trio.Event = field(factory=trio.Event)
    why_lost: str | None = None
    _leashes: dict[trio.CancelScope, None] = field(factory=dict)
    _is_cut: bool = False

    def renewed(self, until: float) -> None:
        """Trust the lease until `until` on trio's clock."""
        if self.lost.is_set():
            return
        self.trusted_until = until
        for leash in self._leashes:
            leash.deadline = until + self.stop_lost_s

    def lose(self, why: str) -> None:
        """The trust has run out: the branch is asked to stop, and soon cut off."""
        if not self.lost.is_set():
            self.why_lost = why
            self.lost.set()

    def lose_to_another(self, why: str) -> None:
        """Somebody else has it, or may have: cut everything off now."""
        self.lose(why)
        self._is_cut = True
        for leash in self._leashes:
            leash.cancel()

    @contextmanager
    def leash(self) -> Iterator[trio.CancelScope]:
        """Let the block run only as long as we may act; `cancelled_caught` says that it was cut."""
        scope = trio.CancelScope(deadline=self.trusted_until + self.stop_lost_s)
        if self._is_cut:
            scope.cancel()
        self._leashes[scope] = None
        try:
            with scope:
                yield scope
        finally:
            del self._leashes[scope]

    async def wait_lost(self) -> None:
        """Return once the lease is lost or its trust has run out."""
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait_trust, scope)
                await self.lost.wait()
                scope.cancel()

    async def _wait_trust(self, scope: trio.CancelScope) -> None:
        while trio.current_time() < self.trusted_until:  # noqa: ASYNC110 - renewals move it
            await trio.sleep_until(self.trusted_until)
        self.lose("not renewed in time")
        scope.cancel()


class Leashed(Generic[M]):
    """An actor on the leash of a lease; cut off, it waits to be stopped and does nothing more."""

    def __init__(self, actor: Actor[M], held: Held) -> None:
        self._actor = actor
        self._held = held

    async def run(self, ctx: Context[M]) -> None:
        """Run the actor for as long as it may act."""
        with self._held.leash() as leash:
            await self._actor.run(ctx)
        if leash.cancelled_caught:
            await ctx.wait_stopping()
