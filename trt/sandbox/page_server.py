"""The server of the sandbox page: the chat, the tree and the wire log at `http://127.0.0.1:8080`.

It is for the person at this machine only: a request whose `Host` is not a loopback name is refused
(DNS rebinding), and a `POST` must say that it is JSON, which a foreign page cannot do unasked
(Fetch, "CORS-safelisted request-header").
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from attrs import asdict, frozen
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from trt.sandbox.page_events import EventStream
from trt.sandbox.page_source import ChatSource, TreeView, WireSource

PAGE = Path(__file__).parent / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
BODY_BYTES_MAX = 64 * 1024
TEXT_LENGTH_MAX = 4096
DATA_BYTES_MAX = 64


@frozen
class BadInput(Exception):  # noqa: N818 - it is an answer, not a failure
    """A request that cannot be understood; `field` and `mend` tell its author how to repair it."""

    field: str
    mend: str
    status: int = 400


def page_server(chat: ChatSource, wire: WireSource, tree: Callable[[], TreeView]) -> QuartTrio:
    """Return the page's ASGI app.

    Args:
        chat: whose messages are shown and who sends and taps.
        wire: the calls shown in the log.
        tree: a fresh snapshot of the supervision tree with its `channels`, JSON-able.
    """
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    _guard(app)
    _serve_page(app)
    _serve_chat(app, chat)
    _serve_hands(app, chat)

    @app.get("/api/events")
    async def events() -> Response:
        response = Response(EventStream(chat, wire, tree), content_type="text/event-stream")
        response.timeout = None
        return response

    return app


def _guard(app: QuartTrio) -> None:
    @app.before_request
    async def accept_only_loopback() -> None:
        if _host_name(request.headers.get("Host", "")) not in LOOPBACK_NAMES:
            raise BadInput("Host", "open the page as http://127.0.0.1 or http://localhost", 403)

    @app.after_request
    async def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.errorhandler(BadInput)
    async def refuse(refusal: BadInput) -> Response:
        return _json(
            {"error": "bad input", "field": refusal.field, "mend": refusal.mend}, refusal.status
        )

    @app.errorhandler(HTTPException)
    async def explain(error: HTTPException) -> Response:
        return _json({"error": error.name, "mend": error.description or ""}, error.code or 500)


def _serve_page(app: QuartTrio) -> None:
    files = {
        path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(PAGE.iterdir())
        if path.suffix in MEDIA_TYPES
    }

    @app.get("/")
    async def index() -> Response:
        content, media_type = files["index.html"]
        return Response(content, content_type=media_type)

    @app.get("/static/<name>")
    async def static_file(name: str) -> Response:
        if name not in files:
            raise BadInput("name", f"one of {', '.join(files)}", 404)
        content, media_type = files[name]
        return Response(content, content_type=media_type)


def _serve_chat(app: QuartTrio, chat: ChatSource) -> None:
    @app.get("/api/state")
    async def state() -> Response:
        people = chat.people()
        user_id = _user(chat, request.args.get("user", str(people[0].id)))
        return _json(
            {
                "bot": asdict(chat.bot()),
                "people": [asdict(person) for person in people],
                "user": user_id,
                "messages": [asdict(message) for message in chat.messages(user_id)],
            }
        )

    @app.get("/file/<file_id>")
    async def file(file_id: str) -> Response:
        found = chat.file(file_id)
        if found is None:
            raise BadInput("file_id", "a file_id that the state names", 404)
        response = Response(found.content, content_type=found.media_type)
        await response.make_conditional(
            request, accept_ranges=True, complete_length=len(found.content)
        )
        return response


def _serve_hands(app: QuartTrio, chat: ChatSource) -> None:
    @app.post("/api/send")
    async def send() -> Response:
        body = await _body()
        user_id = _user(chat, body.get("user"))
        text = _string(body, "text")
        if len(text) > TEXT_LENGTH_MAX:
            raise BadInput("text", f"at most {TEXT_LENGTH_MAX} characters")
        chat.send(user_id, text)
        return _json({"ok": True})

    @app.post("/api/tap")
    async def tap() -> Response:
        body = await _body()
        user_id = _user(chat, body.get("user"))
        message_id = _message_id(body)
        data = _string(body, "data")
        if len(data.encode()) > DATA_BYTES_MAX:
            raise BadInput("data", f"at most {DATA_BYTES_MAX} bytes of UTF-8")
        if not chat.tap(user_id, message_id, data):
            raise BadInput("data", "the data of a button that the message has now; load the state")
        return _json({"ok": True})

    @app.post("/api/pay")
    async def pay() -> Response:
        body = await _body()
        user_id = _user(chat, body.get("user"))
        if not chat.pay(user_id, _message_id(body)):
            raise BadInput("message_id", "a message with a pay button, for no more than the Stars")
        return _json({"ok": True})


async def _body() -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise BadInput("Content-Type", "application/json")
    try:
        body = msgspec.json.decode(await request.get_data())
    except msgspec.DecodeError as error:
        raise BadInput("body", "valid JSON") from error
    if not isinstance(body, dict):
        raise BadInput("body", "a JSON object")
    return body


def _user(chat: ChatSource, value: object) -> int:
    ids = [person.id for person in chat.people()]
    for user_id in ids:
        if value == str(user_id) or (type(value) is int and value == user_id):
            return user_id
    raise BadInput("user", f"one of {', '.join(map(str, ids))}")


def _message_id(body: dict[str, Any]) -> int:
    value = body.get("message_id")
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadInput("message_id", "the whole number that the state gives as a message's id")
    return value


def _string(body: dict[str, Any], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BadInput(field, "a string that is not empty")
    return value


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")
