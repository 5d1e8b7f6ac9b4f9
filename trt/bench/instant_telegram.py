"""A Bot API that says yes at once: the cheapest other side that a delivery can have."""

import socket
import sys

import trio

RECEIVE_BYTES = 65_536
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


async def serve_instantly(listener: trio.SocketListener) -> None:
    """Answer every call until cancelled."""
    numbers = iter(range(1, 2**53))

    async def talk(stream: trio.SocketStream) -> None:
        received = b""
        while arrived := await stream.receive_some(RECEIVE_BYTES):
            received += arrived
            while (size := request_size(received)) is not None:
                line, received = received[: received.index(b"\r\n")], received[size:]
                await stream.send_all(_answer(line, next(numbers)))

    await trio.serve_listeners(talk, [listener])


def request_size(received: bytes) -> int | None:
    """Return the length of the first request if it has arrived whole."""
    head, found, body = received.partition(b"\r\n\r\n")
    _, has_body, rest = head.lower().partition(b"content-length:")
    length = int(rest.partition(b"\r\n")[0]) if has_body else 0
    return len(head) + 4 + length if found and len(body) >= length else None


def _answer(line: bytes, number: int) -> bytes:
    makes_message = b"/send" in line or b"/editMessage" in line
    result = b'{"message_id":%d}' % number if makes_message else b"true"
    body = b'{"ok":true,"result":%b}' % result
    return _HEAD % (len(body), body)


def main() -> None:
    """Serve on the listening socket whose descriptor is the argument, until a signal ends us."""
    bound = socket.socket(fileno=int(sys.argv[1]))
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
    trio.run(serve_instantly, listener)


if __name__ == "__main__":
    main()
