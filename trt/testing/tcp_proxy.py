"""A TCP proxy that goes bad at will: silent, half-open, reset, or at one chosen moment."""

import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from attrs import define, field

Direction = Literal["to_server", "to_client"]
Trouble = Literal["cut", "reset"]

_CHUNK_BYTES = 65536
# SO_LINGER with zero seconds: closing sends a reset and not an orderly end (socket(7)).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@define(eq=False)
class _Pipe:
    """One direction of one connection."""

    source: socket.socket
    target: socket.socket
    direction: Direction
    held: bytes = b""
    """What was read and not sent because of a cut."""


@define
class Trap:
    """Springs once, on the first request that holds the pattern.

    Attributes:
        pattern: Bytes as they travel, such as `b"COMMIT"`; only without TLS.
        trouble: What then happens to the connection: `cut` until healed, or `reset`.
        is_forwarded: Whether the server still gets the request, so that only the answer is lost.
        sprung: Set when it has happened.
    """

    pattern: bytes
    trouble: Trouble
    is_forwarded: bool
    sprung: threading.Event = field(factory=threading.Event)


Rewrite = Callable[[Direction, bytes], bytes]
"""What becomes of a piece of data on its way."""


def _unchanged(_: Direction, data: bytes) -> bytes:
    return data


@contextmanager
def open_tcp_proxy(
    port: int, host: str = "127.0.0.1", *, rewrite: Rewrite = _unchanged
) -> Iterator["TcpProxy"]:
    """Forward a free port of the loopback to `port`, until the context ends."""
    proxy = TcpProxy(host, port, rewrite)
    thread = threading.Thread(target=proxy.run, name="tcp-proxy", daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


class TcpProxy:
    """Forwards in a thread of its own; the other methods are for any thread and work at once.

    Attributes:
        port: Where to connect, on 127.0.0.1.
    """

    def __init__(self, host: str, port: int, rewrite: Rewrite) -> None:
        self._target = (host, port)
        self._rewrite = rewrite
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._pipes: dict[socket.socket, _Pipe] = {}
        self._cut: frozenset[Direction] = frozenset()
        self._trap: Trap | None = None
        self._is_refusing = False
        self._wake, self._woken = socket.socketpair()
        self._is_running = True

    # What a test does to it.

    def cut(self, *directions: Direction) -> None:
        """Stop forwarding, both ways or only in one direction; connections stay open."""
        with self._lock:
            self._cut = frozenset(directions or ("to_server", "to_client"))
            for pipe in self._pipes.values():
                if pipe.direction in self._cut:
                    self._pause(pipe)

    def heal(self) -> None:
        """Forward again, what was held up first, and let new connections in."""
        with self._lock:
            self._is_refusing = False
            self._cut = frozenset()
            for pipe in self._pipes.values():
                self._send(pipe, pipe.held)
                pipe.held = b""
                self._resume(pipe)

    def reset(self) -> None:
        """End all connections with a reset; new ones are let in."""
        with self._lock:
            for pipe in list(self._pipes.values()):
                self._end(pipe, is_reset=True)

    def refuse(self) -> None:
        """End all connections, and each new one as soon as it is made, until healed."""
        with self._lock:
            self._is_refusing = True
        self.reset()

    def set_trap(self, pattern: bytes, trouble: Trouble, *, is_forwarded: bool) -> Trap:
        """Wait for a request; see `Trap`."""
        trap = Trap(pattern, trouble, is_forwarded)
        with self._lock:
            self._trap = trap
        return trap

    def close(self) -> None:
        """End all connections and the thread."""
        self._wake.close()

    # The thread.

    def run(self) -> None:
        """Forward until closed."""
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while self._is_running:
            for key, _ in self._selector.select():
                with self._lock:
                    if key.fileobj is self._woken:
                        self._is_running = False
                    elif key.fileobj is self._listening:
                        self._accept()
                    # Whoever took the lock before us may have cut or ended it.
                    elif key.fd in self._selector.get_map() and key.data is not None:
                        self._forward(key.data)
        with self._lock:
            for pipe in list(self._pipes.values()):
                self._end(pipe, is_reset=False)
        self._selector.close()
        self._listening.close()
        self._woken.close()

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        try:
            server = socket.create_connection(self._target, timeout=None)
        except OSError:
            client.close()
            return
        to_server = _Pipe(client, server, "to_server")
        to_client = _Pipe(server, client, "to_client")
        for pipe in (to_server, to_client):
            pipe.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pipes[pipe.source] = pipe
            if pipe.direction not in self._cut:
                self._resume(pipe)
        if self._is_refusing:
            self._end(to_server, is_reset=True)

    def _forward(self, pipe: _Pipe) -> None:
        try:
            data = self._rewrite(pipe.direction, pipe.source.recv(_CHUNK_BYTES))
        except OSError:
            data = b""
        if not data:
            self._end(pipe, is_reset=False)
            return
        if pipe.direction == "to_server" and self._trap and self._trap.pattern in data:
            self._spring(self._trap, pipe, data)
            return
        self._send(pipe, data)

    def _spring(self, trap: Trap, pipe: _Pipe, data: bytes) -> None:
        self._trap = None
        if trap.is_forwarded:
            self._send(pipe, data)
        else:
            pipe.held = data
        if trap.trouble == "reset":
            self._end(pipe, is_reset=True)
        else:
            self._pause(pipe)
            self._pause(self._pipes[pipe.target])
        trap.sprung.set()

    def _pause(self, pipe: _Pipe) -> None:
        if pipe.source in self._selector.get_map():
            self._selector.unregister(pipe.source)

    def _resume(self, pipe: _Pipe) -> None:
        if pipe.source not in self._selector.get_map():
            self._selector.register(pipe.source, selectors.EVENT_READ, pipe)

    def _send(self, pipe: _Pipe, data: bytes) -> None:
        with suppress(OSError):  # The other end is gone, which its own pipe finds out.
            pipe.target.sendall(data)

    def _end(self, pipe: _Pipe, *, is_reset: bool) -> None:
        for side in (pipe.source, pipe.target):
            if (ended := self._pipes.pop(side, None)) is not None:
                self._pause(ended)
                if is_reset:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                side.close()
