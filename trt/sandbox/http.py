"""A few lines of ASGI: read a request and its arguments, answer it, or cut the connection."""

import io
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from attrs import field, frozen
from werkzeug.formparser import FormDataParser

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

FORM_TYPES = ("multipart/form-data", "application/x-www-form-urlencoded")


class ConnectionCut(Exception):  # noqa: N818 - it says what happened, the caller did nothing wrong
    """The server closed the connection without an answer.

    In process it travels through the ASGI application to the transport, which should turn it into
    the read error of its client. On a socket the client sees the connection close in the middle of
    an answer.
    """


class MalformedBody(Exception):  # noqa: N818
    """The body is not what its content type says."""


@frozen(kw_only=True)
class Request:
    """A request, read to its end; its repr shows nothing secret."""

    method: str
    path: str = field(repr=False)
    """Percent-decoded; may hold the bot's token."""
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


@frozen(kw_only=True)
class Upload:
    """A file that came in a multipart body."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


@frozen(kw_only=True)
class Reply:
    """An answer to send."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(
    status: int, content: object, headers: tuple[tuple[str, str], ...] = (), *, charset: str = ""
) -> Reply:
    """Return `content` as a JSON answer."""
    return Reply(
        status=status,
        body=msgspec.json.encode(content),
        content_type=f"application/json{charset}",
        headers=headers,
    )


def asgi(handle: Callable[[Request], Awaitable[Reply]]) -> ASGIApp:
    """Return the ASGI application that answers each request with `handle`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        assert scope["type"] == "http", scope["type"]
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            headers={name.decode().lower(): value.decode() for name, value in scope["headers"]},
            body=await _read(receive),
        )
        try:
            reply = await handle(request)
        except ConnectionCut:
            # An announced byte that never comes makes every HTTP server close the socket.
            await _start(send, 200, "application/json", 1, ())  # noqa: ASYNC120 - cut either way
            raise
        await _start(send, reply.status, reply.content_type, len(reply.body), reply.headers)
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    return app


def arguments(request: Request) -> dict[str, object]:
    """Collect a request's arguments from its query and its body, which wins.

    Values are text, uploads, or for a JSON body whatever JSON says.

    Raises:
        MalformedBody: the body is not what its content type says.
    """
    values: dict[str, object] = dict(parse_qsl(request.query, keep_blank_values=True))
    content_type = request.headers.get("content-type", "")
    mime, _, _ = content_type.partition(";")
    if mime == "application/json":
        values |= _json_arguments(request.body)
    elif mime in FORM_TYPES:
        values |= _form_arguments(request.body, content_type, mime)
    return values


def _json_arguments(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, object])
    except msgspec.DecodeError:
        raise MalformedBody("can't parse arguments: expected a JSON object") from None


def _form_arguments(body: bytes, content_type: str, mime: str) -> dict[str, object]:
    options = dict(
        part.strip().split("=", 1) for part in content_type.split(";")[1:] if "=" in part
    )
    boundary = {name.lower(): unquote(value.strip('"')) for name, value in options.items()}
    if mime == "multipart/form-data" and not boundary.get("boundary"):
        raise MalformedBody("can't parse arguments: the multipart body names no boundary")
    parser = FormDataParser(_memory, max_form_memory_size=None, silent=False)
    try:
        _, form, files = parser.parse(io.BytesIO(body), mime, len(body), boundary)
    except ValueError:
        raise MalformedBody("can't parse arguments: the form is broken") from None
    values: dict[str, object] = dict(form.items())
    for name, file in files.items():
        values[name] = Upload(
            name=file.filename or name,
            content_type=file.content_type or "application/octet-stream",
            data=file.read(),
        )
    return values


def _memory(
    total_content_length: int | None,
    content_type: str | None,
    filename: str | None,
    content_length: int | None = None,
) -> io.BytesIO:
    """Keep an upload in memory, whatever its size: no file is left behind."""
    del total_content_length, content_type, filename, content_length
    return io.BytesIO()


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionCut
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _start(
    send: Send, status: int, content_type: str, length: int, headers: tuple[tuple[str, str], ...]
) -> None:
    named = (("content-type", content_type), ("content-length", str(length)), *headers)
    encoded = [(name.encode(), value.encode()) for name, value in named]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
