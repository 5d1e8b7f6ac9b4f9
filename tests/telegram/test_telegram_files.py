"""Files, both ways: how they go up, what Telegram has against them, how users' files come."""

import traceback
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
import trio
from attrs import frozen
from typing_extensions import override

from tests.telegram.answers import MESSAGE, error, ok, refused
from tests.telegram.conftest import TOKEN
from tests.wire import Wire
from trt.domain.ids import ChatId, MessageId
from trt.domain.inputs import FileId
from trt.domain.replies import Button
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import (
    AlbumSent,
    FileFlaw,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Sent,
    UserFile,
)
from trt.telegram.requests import AlbumItem

CHAT = ChatId(7)
KEYBOARD = ((Button(text="Назад", data="back"),),)
ALBUM = ok([{"message_id": 55}, {"message_id": 56}])


@frozen
class File:
    name: str = "result.png"
    content_type: str = "image/png"
    data: bytes = b"\x89PNG bytes"


@pytest.mark.parametrize("kind", ["photo", "video", "audio", "document"])
@pytest.mark.parametrize("source", ["https://files.test/a.png", "AgACAgIAAx"])
async def test_what_telegram_can_get_by_itself_is_not_uploaded(
    kind: str, source: str, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, MESSAGE)
    send = getattr(telegram, f"send_{kind}")
    assert await send(CHAT, source, "<b>done</b>", KEYBOARD) == Sent(MessageId(55))
    assert wire.method == f"send{kind.capitalize()}"
    assert wire.arguments == {
        "chat_id": 7,
        kind: source,
        "caption": "<b>done</b>",
        "parse_mode": "HTML",
        "reply_markup": {"inline_keyboard": [[{"text": "Назад", "callback_data": "back"}]]},
    }
    await send(CHAT, source)
    assert wire.arguments == {"chat_id": 7, kind: source}


FLAWS = [
    ("file is too big", FileFlaw.TOO_BIG),
    ("PHOTO_INVALID_DIMENSIONS", FileFlaw.BAD_DIMENSIONS),
    ("IMAGE_PROCESS_FAILED", FileFlaw.WRONG_TYPE),
    ("PHOTO_EXT_INVALID", FileFlaw.WRONG_TYPE),
    ("wrong type of the web page content", FileFlaw.WRONG_TYPE),
    ("can't use file of type Photo as Video", FileFlaw.WRONG_TYPE),
    ("failed to get HTTP URL content", FileFlaw.UNREACHABLE),
    ("wrong file identifier/HTTP URL specified", FileFlaw.UNREACHABLE),
    ("Wrong HTTP URL specified", FileFlaw.UNREACHABLE),
    ("wrong remote file identifier specified: wrong padding", FileFlaw.UNREACHABLE),
    (
        'failed to send message #2 with the error message "PHOTO_INVALID_DIMENSIONS"',
        FileFlaw.BAD_DIMENSIONS,
    ),
    ("message caption is too long", None),
    ("can't parse entities: Unsupported start tag", None),
    ("BUTTON_DATA_INVALID", None),
]


@pytest.mark.parametrize(("description", "flaw"), FLAWS)
async def test_what_telegram_has_against_a_file_is_told_apart(
    description: str, flaw: FileFlaw | None, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(400, refused(description))
    outcome = await telegram.send_photo(CHAT, File())
    assert outcome == Rejected(400, f"Bad Request: {description}", flaw)
    items = [AlbumItem(kind="photo", file=File())] * 2
    assert await telegram.send_media_group(CHAT, items) == outcome


@pytest.mark.parametrize("body", [error(413, "Request Entity Too Large"), b"<html>413</html>"])
async def test_an_upload_that_the_gateway_refuses_is_too_big(
    body: object, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(413, body)
    outcome = await telegram.send_document(CHAT, File())
    assert isinstance(outcome, Rejected)
    assert outcome.flaw is FileFlaw.TOO_BIG


async def test_an_album_names_its_uploads_and_has_one_caption(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, ALBUM)
    items = [AlbumItem(kind="photo", file=File()), AlbumItem(kind="video", file="https://a.b/c")]
    outcome = await telegram.send_media_group(CHAT, items, "<b>вот</b>")
    assert outcome == AlbumSent((MessageId(55), MessageId(56)))
    body = wire.requests[0].content
    assert b'name="file0"; filename="result.png"' in body
    [media] = [part for part in body.split(b"\r\n") if part.startswith(b"[")]
    assert msgspec.json.decode(media) == [
        {
            "type": "photo",
            "media": "attach://file0",
            "caption": "<b>вот</b>",
            "parse_mode": "HTML",
        },
        {"type": "video", "media": "https://a.b/c"},
    ]


async def test_an_album_of_addresses_is_json(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ALBUM)
    items = [AlbumItem(kind="document", file="https://a.b/c")] * 2
    await telegram.send_media_group(CHAT, items, "вот")
    captions = [item.get("caption") for item in wire.arguments["media"]]
    assert captions == [None, "вот"]
    wire.says(200, ok(result=True))
    assert type(await telegram.send_media_group(CHAT, items)) is OutcomeUnknown


@pytest.mark.parametrize("kinds", ["p", "ppppppppppp", "pd", "va", "da"])
async def test_an_album_that_telegram_would_refuse_is_not_built(
    kinds: str, telegram: TelegramClient
) -> None:
    names = {"p": "photo", "v": "video", "a": "audio", "d": "document"}
    items = [AlbumItem(kind=names[kind], file="x") for kind in kinds]  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        await telegram.send_media_group(CHAT, items)


# What a user sent


class Chunks(httpx.AsyncByteStream):
    """A body that comes in pieces and notes how many were asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.given = 0

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: ASYNC900 - what httpx wants
        for piece in self.pieces:
            await trio.lowlevel.checkpoint()
            self.given += 1
            yield piece


FOUND = ok({"file_id": "x", "file_unique_id": "u", "file_size": 4, "file_path": "photos/a.jpg"})


def two_steps(wire: Wire, found: object, download: httpx.Response) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/file/"):
            return download
        return httpx.Response(200, content=msgspec.json.encode(found))

    wire.answer = answer


async def test_a_users_file_is_fetched_in_two_steps(telegram: TelegramClient, wire: Wire) -> None:
    two_steps(wire, FOUND, httpx.Response(200, content=b"JPEG"))
    file = await telegram.download(FileId("x"))
    assert file == UserFile(path="photos/a.jpg", data=b"JPEG")
    assert str(wire.requests[1].url) == f"https://telegram.test/file/bot{TOKEN}/photos/a.jpg"
    assert "JPEG" not in repr(file)


async def test_a_file_that_is_too_big_is_refused_before_it_is_read(
    telegram: TelegramClient, wire: Wire
) -> None:
    two_steps(wire, FOUND, httpx.Response(200, content=b"JPEG"))
    outcome = await telegram.download(FileId("x"), bytes_max=3)
    assert isinstance(outcome, Rejected)
    assert outcome.flaw is FileFlaw.TOO_BIG
    assert len(wire.requests) == 1


async def test_a_file_that_grows_on_the_way_is_not_read_to_its_end(
    telegram: TelegramClient, wire: Wire
) -> None:
    unsized = ok({"file_id": "x", "file_unique_id": "u", "file_path": "a"})
    body = Chunks(b"1234", b"5678", b"9")
    two_steps(wire, unsized, httpx.Response(200, stream=body))
    outcome = await telegram.download(FileId("x"), bytes_max=4)
    assert isinstance(outcome, Rejected)
    assert outcome.flaw is FileFlaw.TOO_BIG
    assert body.given == 2


@pytest.mark.parametrize(
    ("status", "body", "flaw"),
    [
        (400, refused("file is too big"), FileFlaw.TOO_BIG),
        (
            400,
            refused("wrong file_id or the file is temporarily unavailable"),
            FileFlaw.UNREACHABLE,
        ),
    ],
)
async def test_a_file_that_telegram_does_not_give_says_why(
    status: int, body: object, flaw: FileFlaw, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(status, body)
    outcome = await telegram.download(FileId("x"))
    assert isinstance(outcome, Rejected)
    assert outcome.flaw is flaw


async def test_a_download_may_have_to_wait(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(429, error(429, "Too Many Requests: retry after 3", retry_after=3))
    assert await telegram.download(FileId("x")) == RateLimited(3)
    wire.says(401, error(401, "Unauthorized"))
    with pytest.raises(TelegramUnauthorized):
        await telegram.download(FileId("x"))


@pytest.mark.parametrize(
    ("found", "download"),
    [
        (FOUND, httpx.Response(404)),
        (FOUND, httpx.Response(302, headers={"Location": "https://evil.test"})),
        (FOUND, httpx.Response(502, content=b"<html>")),
        (ok({"file_id": "x"}), httpx.Response(200)),
        (ok(5), httpx.Response(200)),
    ],
)
async def test_a_file_that_may_be_there_can_be_asked_for_again(
    found: object, download: httpx.Response, telegram: TelegramClient, wire: Wire
) -> None:
    two_steps(wire, found, download)
    with pytest.raises(TelegramUnavailable):
        await telegram.download(FileId("x"))


@pytest.mark.parametrize("broken", [httpx.ConnectError, httpx.ReadError, httpx.ReadTimeout])
async def test_a_download_that_breaks_tells_nobody_the_token(
    broken: type[httpx.RequestError], telegram: TelegramClient, wire: Wire
) -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/file/"):
            raise broken(f"while calling {request.url}", request=request)
        return httpx.Response(200, content=msgspec.json.encode(FOUND))

    wire.answer = answer
    with pytest.raises(TelegramUnavailable) as caught:
        await telegram.download(FileId("x"))
    problem = caught.value
    shown = [repr(problem), repr(problem.__cause__), repr(problem.__context__)]
    assert "CANARY" not in "".join([*shown, *traceback.format_exception(problem)])
