"""The door: open while the tree above it stands, so posts are taken only when all is ready."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from trt.supervision import Context


class DoorClosed(Exception):  # noqa: N818 - a state, not a mistake
    """The service is starting or draining: answer 503, and the sender will come again."""


class Door:
    """Last to start and first to stop: a drain begins by closing it.

    On a stop it lets nobody in any more and waits until those inside have been answered.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._is_open = False
        self._empty = trio.Event()

    async def run(self, ctx: Context[None]) -> None:
        """Stand open until asked to stop, then wait for the guests to leave."""
        self._is_open = True
        try:
            ctx.ready()
            await ctx.wait_stopping()
        finally:
            self._is_open = False
        self._empty = trio.Event()
        # In a restart nobody answers those inside before we are gone: they run into their deadline.
        if self._inside and ctx.stop.is_final:
            await self._empty.wait()

    @property
    def is_open(self) -> bool:
        """Whether posts are taken now."""
        return self._is_open

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside for the length of the block.

        Raises:
            DoorClosed: Not now.
        """
        if not self._is_open:
            raise DoorClosed
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()
