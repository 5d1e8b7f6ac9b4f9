"""The load generator's own books: what it sends, and how it counts what comes back."""

import json
import socket
import threading

import pytest

from trt.bench.load import Load, LoadOrder, LoadResult
from trt.bench.update_posts import posts
from trt.telegram.updates import Update, parse_update

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_posts_are_updates_that_differ_in_their_ids_alone() -> None:
    made = posts("/webhook/secret", "token", users=3)
    first, last = made.request(0), made.request(799_999_999)
    assert len(first) == len(last)
    head, _, body = first.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["message"]["text"] == "/start"
    updates = [parse_update(made.request(n).partition(b"\r\n\r\n")[2]) for n in range(6)]
    assert all(isinstance(update, Update) for update in updates)
    assert len({update.update_id for update in updates if isinstance(update, Update)}) == 6
    assert len({update.user_id for update in updates if isinstance(update, Update)}) == 3


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([OK, OK, OK], (3, 0, 0)),
        ([OK, BUSY, OK], (2, 1, 0)),
        ([OK[:20], OK[20:], LAST], (2, 0, 0)),
        ([OK, b"", OK], (2, 0, 1)),
    ],
    ids=["accepted", "one refused", "in pieces, then closed", "one cut"],
)
def test_answers_are_counted_by_what_they_say(
    answers: list[bytes], expected: tuple[int, int, int]
) -> None:
    updates = sum(expected)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener, answers))
        server.start()
        result = _load(listener.getsockname()[1], updates)
        listener.shutdown(socket.SHUT_RDWR)
        server.join(5)
    assert (result.acknowledged, result.refused, result.cut) == expected


def _load(port: int, updates: int) -> LoadResult:
    order = LoadOrder(
        port=port,
        path="/x",
        secret_token="t",
        connections=1,
        users=1,
        number_first=0,
        seconds=10.0,
        updates_max=updates,
    )
    return Load(order).run()


def _serve(listener: socket.socket, answers: list[bytes]) -> None:
    """Give each arriving piece of a request one answer; an empty one cuts the connection."""
    script = iter(answers)
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        with link:
            while link.recv(65_536):
                answer = next(script)
                if not answer:
                    break
                link.sendall(answer)
                if answer == OK[:20]:
                    link.sendall(next(script))
                if answer == LAST:
                    break
