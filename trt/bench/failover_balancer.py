"""The balancer of `trt bench failover`: posts over keep-alive connections at next to no cost."""

from collections import defaultdict, deque

import trio
from attrs import define, field, frozen

from trt.bench.children import LOOPBACK, RECEIVE_BYTES
from trt.bench.instant_telegram import request_size

PATIENCE_S = 1.0
"""How long an instance may take before the other one is asked."""
IDLE_S_MAX = 2.0
"""A connection that was idle for longer may be about to be closed by the other side."""
NO_ANSWER = 0


@frozen
class _Link:
    stream: trio.SocketStream
    idle_since_s: float


@define(eq=False)
class Balancer:
    """Keeps idle connections by port; each carries one request at a time."""

    secret_token: str
    """What Telegram proves itself with (Bot API, setWebhook)."""
    _idle: defaultdict[int, deque[_Link]] = field(factory=lambda: defaultdict(deque))

    async def post(self, port: int, path: str, body: bytes) -> int:
        """Post JSON to a port of this machine; return the answer's status, `NO_ANSWER` if none."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nContent-Type: application/json\r\n"
            f"X-Telegram-Bot-Api-Secret-Token: {self.secret_token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        with trio.move_on_after(PATIENCE_S):
            try:
                return await self._ask(port, head.encode() + body)
            except (OSError, trio.BrokenResourceError):
                return NO_ANSWER
        return NO_ANSWER

    def close(self) -> None:
        """Close what is idle."""
        for links in self._idle.values():
            for link in links:
                link.stream.socket.close()
        self._idle.clear()

    async def _ask(self, port: int, request: bytes) -> int:
        stream = self._fresh_link(port) or await trio.open_tcp_stream(LOOPBACK, port)
        keeps = False
        try:
            await stream.send_all(request)
            answer = await _read(stream)
            head = answer.partition(b"\r\n\r\n")[0].lower()
            keeps = b"connection: close" not in head
            return int(head[9:12])
        finally:
            if keeps:
                self._idle[port].append(_Link(stream, trio.current_time()))
            else:
                stream.socket.close()

    def _fresh_link(self, port: int) -> trio.SocketStream | None:
        links = self._idle[port]
        while links:
            link = links.pop()
            if trio.current_time() - link.idle_since_s < IDLE_S_MAX:
                return link.stream
            link.stream.socket.close()
        return None


async def _read(stream: trio.SocketStream) -> bytes:
    """Return one whole answer; it has the length in its head, as a request has.

    Raises:
        BrokenResourceError: The other side hung up before.
    """
    received = b""
    while request_size(received) is None:
        arrived = await stream.receive_some(RECEIVE_BYTES)
        if not arrived:
            raise trio.BrokenResourceError
        received += arrived
    return received
