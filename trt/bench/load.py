"""The load generator, a process of its own: prebuilt bytes over keep-alive connections."""

import selectors
import socket
import sys
import time
from collections import Counter, deque

import msgspec
from attrs import define, field, frozen

from trt.bench.update_posts import posts

ANSWER_WITHIN_S = 30.0
"""A server that is silent for so long ends the load with an error."""
RECEIVE_BYTES = 65_536


@frozen(kw_only=True)
class LoadOrder:
    """What to post, to whom and how fast."""

    port: int
    """On 127.0.0.1; nothing else is ever posted to."""
    path: str
    secret_token: str
    connections: int
    users: int
    number_first: int
    """The number of the first update; a number that was used before is a duplicate."""
    seconds: float
    rate_per_s: float | None = None
    """Requests per second, whatever the answers do (open loop); None: each connection posts again
    as soon as it has its answer (closed loop)."""
    updates_max: int = 1_000_000


@frozen(kw_only=True)
class LoadResult:
    """What came of it. Latencies of an open loop count from when a request was due."""

    acknowledged: int
    """Answers 200."""
    refused: int
    """Any other answer."""
    cut: int
    """Connections that were closed without an answer."""
    duration_s: float
    """From the first request to the last answer."""
    p50_s: float
    p99_s: float
    max_s: float

    @property
    def rate_per_s(self) -> float:
        """Acknowledged updates per second."""
        return self.acknowledged / self.duration_s


@define(eq=False)
class _Connection:
    """One keep-alive connection; at most one request is under way."""

    port: int
    link: socket.socket = field(init=False)
    received: bytes = b""
    due_s: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.link = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_WITHIN_S)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(self) -> bytes | None:
        """Take what has arrived; returns the head of a whole answer, b"" when it was cut."""
        arrived = self.link.recv(RECEIVE_BYTES)
        if not arrived:
            return b""
        self.received += arrived
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return None
        self.received = b""
        return head.lower()


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


class Load:
    """Posts until its time or its updates run out, then waits for the last answers."""

    def __init__(self, order: LoadOrder) -> None:
        self._order = order
        self._posts = posts(order.path, order.secret_token, order.users)
        self._selector = selectors.DefaultSelector()
        self._idle = deque(self._connect() for _ in range(order.connections))
        self._answers: Counter[bytes] = Counter()
        self._latencies_s: list[float] = []
        self._sent = self._cut = 0
        self._began_s = self._ended_s = 0.0

    def run(self) -> LoadResult:
        """Post, and return what came of it.

        Raises:
            OSError: The server cannot be reached.
            TimeoutError: An answer took longer than `ANSWER_WITHIN_S`.
        """
        try:
            self._post_all()
        finally:
            self._close()
        return self._result()

    def _post_all(self) -> None:
        self._began_s = self._ended_s = time.perf_counter()
        while True:
            wait_s = self._send_what_is_due()
            is_over = wait_s is None
            if is_over and len(self._idle) == self._order.connections:
                break
            ready = self._selector.select(ANSWER_WITHIN_S if wait_s is None else wait_s)
            if not ready and is_over:
                raise TimeoutError(f"no answer within {ANSWER_WITHIN_S:g} s")
            for key, _ in ready:
                self._receive(key.data)

    def _close(self) -> None:
        for key in tuple(self._selector.get_map().values()):
            key.data.link.close()
        self._selector.close()

    def _connect(self) -> _Connection:
        connection = _Connection(self._order.port)
        self._selector.register(connection.link, selectors.EVENT_READ, connection)
        return connection

    def _send_what_is_due(self) -> float | None:
        """Send on idle connections; returns the seconds until more is due, None at the end."""
        while True:
            now_s = time.perf_counter()
            due_s = self._due_s(now_s)
            if due_s is None:
                return None
            if due_s > now_s:
                return due_s - now_s
            if not self._idle:
                return ANSWER_WITHIN_S
            connection = self._idle.popleft()
            connection.due_s = due_s
            connection.link.sendall(self._posts.request(self._order.number_first + self._sent))
            self._sent += 1

    def _due_s(self, now_s: float) -> float | None:
        order = self._order
        if self._sent >= order.updates_max:
            return None
        due_s = now_s
        if order.rate_per_s is not None:
            due_s = self._began_s + self._sent / order.rate_per_s
        return due_s if due_s < self._began_s + order.seconds else None

    def _receive(self, connection: _Connection) -> None:
        head = connection.answer()
        if head is None:
            return
        self._ended_s = time.perf_counter()
        if head:
            self._answers[head[9:12]] += 1
            self._latencies_s.append(self._ended_s - connection.due_s)
        elif connection not in self._idle:
            self._cut += 1
        if not head or b"connection: close" in head:
            self._selector.unregister(connection.link)
            connection.link.close()
            if connection in self._idle:
                self._idle.remove(connection)
            connection = self._connect()
        self._idle.append(connection)

    def _result(self) -> LoadResult:
        in_order = sorted(self._latencies_s)
        acknowledged = self._answers[b"200"]
        return LoadResult(
            acknowledged=acknowledged,
            refused=self._answers.total() - acknowledged,
            cut=self._cut,
            duration_s=max(self._ended_s - self._began_s, 1e-9),
            p50_s=_quantile(in_order, 0.50),
            p99_s=_quantile(in_order, 0.99),
            max_s=_quantile(in_order, 1.0),
        )


def _quantile(in_order: list[float], share: float) -> float:
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))] if in_order else 0.0


def main() -> None:
    """Read an order from stdin, carry it out, write the result to stdout."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadOrder)
    sys.stdout.buffer.write(msgspec.json.encode(Load(order).run()))


if __name__ == "__main__":
    main()
