"""`Latch`: a `trio.Event` that weighs next to nothing until somebody waits for it."""

import trio


class Latch:
    """Something that happens once; an actor at rest has several, and mostly nobody waits."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: trio.Event | None = None

    def set(self) -> None:
        """Let it have happened."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Return whether it has happened."""
        return self._is_set

    async def wait(self) -> None:
        """Return once it has happened."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
            return
        if self._event is None:
            self._event = trio.Event()
        await self._event.wait()
