"""A KIE whose tasks never end: says "generating" to everybody at once, and counts how often."""

import socket
import sys
from collections import Counter

import msgspec
import trio
from attrs import frozen

from trt.bench.instant_telegram import request_size

RECEIVE_BYTES = 65_536
COUNT_PATH = "/count"
_WORKING = b'{"code":200,"msg":"success","data":{"taskId":"t","state":"generating"}}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"

Asked = tuple[int, bytes]
"""In which second about which task."""


@frozen(kw_only=True)
class Polls:
    """How often tasks were asked about."""

    polls: int
    per_s_max: int
    """In the busiest second."""
    task_per_s_max: int
    """Of one task, in its busiest second."""


def polls_of(asked: Counter[Asked]) -> Polls:
    """Add up what was counted."""
    seconds: Counter[int] = Counter()
    for (second, _), times in asked.items():
        seconds[second] += times
    return Polls(
        polls=asked.total(),
        per_s_max=max(seconds.values(), default=0),
        task_per_s_max=max(asked.values(), default=0),
    )


async def serve_working(listener: trio.SocketListener) -> None:
    """Answer every call until cancelled."""
    asked: Counter[Asked] = Counter()

    async def talk(stream: trio.SocketStream) -> None:
        received = b""
        while arrived := await stream.receive_some(RECEIVE_BYTES):
            received += arrived
            while (size := request_size(received)) is not None:
                line, received = received[: received.index(b"\r\n")], received[size:]
                await stream.send_all(_answer(line, asked))

    await trio.serve_listeners(talk, [listener])


def _answer(line: bytes, asked: Counter[Asked]) -> bytes:
    if COUNT_PATH.encode() in line:
        body = msgspec.json.encode(polls_of(asked))
    else:
        if b"/recordInfo?" in line:
            _, _, task_id = line.split()[1].partition(b"taskId=")
            asked[int(trio.current_time()), task_id] += 1
        body = _WORKING
    return _HEAD % (len(body), body)


def main() -> None:
    """Serve on the listening socket whose descriptor is the argument, until a signal ends us."""
    bound = socket.socket(fileno=int(sys.argv[1]))
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
    trio.run(serve_working, listener)


if __name__ == "__main__":
    main()
