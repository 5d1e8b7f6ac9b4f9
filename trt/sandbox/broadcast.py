"""One publisher, any number of listeners that come and go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio

_T = TypeVar("_T")


class Broadcast(Generic[_T]):
    """Hands every published item to every listener; a listener that sleeps misses the newest."""

    def __init__(self, *, backlog_max: int = 1_000) -> None:
        assert backlog_max > 0
        self._backlog_max = backlog_max
        self._listeners: list[trio.MemorySendChannel[_T]] = []

    def publish(self, item: _T) -> None:
        """Give `item` to every listener; one whose backlog is full does not get it."""
        for listener in self._listeners:
            try:
                listener.send_nowait(item)
            except trio.WouldBlock:
                # The publisher is a server in the middle of a call: it must not wait for a reader.
                continue

    @contextmanager
    def subscribe(self) -> Iterator[trio.MemoryReceiveChannel[_T]]:
        """Yield a channel with everything published from now on, until the block is left."""
        sender, receiver = trio.open_memory_channel[_T](self._backlog_max)
        self._listeners.append(sender)
        try:
            yield receiver
        finally:
            self._listeners.remove(sender)
            sender.close()
            receiver.close()
