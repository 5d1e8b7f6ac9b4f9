"""The few lines of ASGI that the two hot routes need; everything else is Quart's."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec
from attrs import frozen

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 1_048_576
"""No update or callback comes near; a larger body is a mistake or an attack."""


@frozen
class TooLarge:
    """The body is longer than `BODY_BYTES_MAX`."""


async def read_body(scope: Scope, receive: Receive) -> bytes | TooLarge:
    """Read a request's body, at most `BODY_BYTES_MAX` of it."""
    declared = header(scope, b"content-length")
    if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        return TooLarge()
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return body if len(body) <= BODY_BYTES_MAX else TooLarge()
    chunks, size = [body], len(body)
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > BODY_BYTES_MAX:
            return TooLarge()
    return b"".join(chunks)


def header(scope: Scope, name: bytes) -> bytes:
    """Return a request header's value, or nothing."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


async def answer(
    send: Send, status: int, body: Mapping[str, object], *, retry_after_s: int | None = None
) -> None:
    """Send a JSON answer."""
    content = msgspec.json.encode(body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def refuse(
    send: Send, status: int, problem: str, mend: str, *, retry_after_s: int | None = None
) -> None:
    """Say what is wrong with a request and what would be right."""
    body = {"ok": False, "problem": problem, "mend": mend}
    await answer(send, status, body, retry_after_s=retry_after_s)
