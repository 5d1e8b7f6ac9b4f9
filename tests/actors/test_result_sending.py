"""One file goes the handsomest way that Telegram takes; each flaw has its own next best way."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import trio

from tests.telegram.answers import MESSAGE, error, ok, refused
from tests.wire import Wire
from trt.actors.fates import Apart, Arrived, Fate, Hopeless, OtherWay, TryLater, Uncertain
from trt.actors.result_sending import RESULT_BYTES_MAX, ResultCourier, Way
from trt.domain.ids import ChatId, Cid, JobId, MessageId
from trt.domain.model_card import OutputKind
from trt.domain.reasons import Reason
from trt.domain.replies import SendResult
from trt.kie.client import KIEClient
from trt.telegram.client import TelegramClient
from trt.telemetry.events import Event, EventName
from trt.telemetry.stream import EventStream
from trt.testing.virtual_time import VirtualSources

CHAT = ChatId(7)
PNG_1X1 = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01"
FILES = {
    "picture": PNG_1X1,
    "large": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (3000).to_bytes(4) + (2000).to_bytes(4),
    "long": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (9000).to_bytes(4) + (400).to_bytes(4),
    "heavy": PNG_1X1 + bytes(10_000_001),
    "clip": b"\0\0\0\x18ftypmp42" + bytes(32),
    "sound": b"ID3" + bytes(32),
    "m4a": b"\0\0\0\x18ftypM4A " + bytes(32),
    "gif": b"GIF89a" + bytes(32),
    "wav": b"RIFF\0\0\0\0WAVE" + bytes(32),
    "ogg": b"OggS" + bytes(32),
    "flac": b"fLaC" + bytes(32),
    "webm": b"\x1a\x45\xdf\xa3" + bytes(32),
    "mov": b"\0\0\0\x14ftypqt  " + bytes(32),
    "page": b"<html></html>",
}


class Outside:
    """Serves files by name, and answers as Telegram; notes what Telegram was asked to do."""

    def __init__(self) -> None:
        self.telegram, self.files = Wire(), Wire()
        self.telegram.says(200, MESSAGE)
        self.files.answer = self._serve

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        name = request.url.path.strip("/")
        if name == "busy":
            return httpx.Response(503)
        if name == "huge":
            return httpx.Response(200, headers={"Content-Length": str(RESULT_BYTES_MAX + 1)})
        if name not in FILES:
            return httpx.Response(404)
        declared = {"flac": "audio/flac"}.get(name, "application/octet-stream")
        return httpx.Response(200, content=FILES[name], headers={"Content-Type": declared})

    @property
    def methods(self) -> list[str]:
        return [request.url.path.rpartition("/")[2] for request in self.telegram.requests]


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
async def courier(outside: Outside, told: list[Event]) -> AsyncIterator[ResultCourier]:
    async with (
        httpx.AsyncClient(transport=outside.telegram) as telegram,
        httpx.AsyncClient(transport=outside.files) as files,
    ):
        yield ResultCourier(
            telegram=TelegramClient(telegram, "https://telegram.test/", "1:token"),
            kie=KIEClient(files, "https://kie.test", "key", ()),
            events=EventStream(VirtualSources(0), [told.append]),
            retry_s=2.0,
        )


def result(*names: str, is_original: bool = False) -> SendResult:
    return SendResult(
        job_id=JobId("j"),
        output=OutputKind.IMAGE,
        urls=tuple(f"https://kie.test/{name}" for name in names),
        caption="<b>done</b>",
        link_words="a link",
        is_original=is_original,
    )


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("picture", "sendPhoto"),
        ("long", "sendDocument"),
        ("heavy", "sendDocument"),
        ("clip", "sendVideo"),
        ("sound", "sendAudio"),
        ("m4a", "sendAudio"),
        ("gif", "sendDocument"),
        ("wav", "sendDocument"),
        ("ogg", "sendDocument"),
        ("flac", "sendDocument"),
        ("webm", "sendDocument"),
        ("mov", "sendDocument"),
    ],
)
async def test_a_file_goes_as_what_it_is_within_telegrams_limits(
    courier: ResultCourier, outside: Outside, name: str, method: str
) -> None:
    assert await courier.carry(CHAT, result(name), 0) == Arrived(MessageId(55))
    assert outside.methods == [method]


async def test_a_large_picture_is_followed_by_its_original(
    courier: ResultCourier, outside: Outside
) -> None:
    large = result("large")
    assert await courier.carry(CHAT, large, 0) == Arrived(MessageId(55), originals=large.urls)
    original = result("large", is_original=True)
    assert await courier.carry(CHAT, original, 0) == Arrived(MessageId(55))
    assert outside.methods == ["sendPhoto", "sendDocument"]


@pytest.mark.parametrize(
    ("name", "words", "then"),
    [
        ("picture", "file is too big", Way.DOCUMENT),
        ("picture", "PHOTO_INVALID_DIMENSIONS", Way.DOCUMENT),
        ("picture", "IMAGE_PROCESS_FAILED", Way.DOCUMENT),
        ("picture", "something new", Way.DOCUMENT),
        ("clip", "file is too big", Way.LINK),
        ("clip", "VIDEO_CONTENT_TYPE_INVALID", Way.DOCUMENT),
        ("sound", "file is too big", Way.LINK),
        ("sound", "AUDIO_CONTENT_TYPE_INVALID", Way.DOCUMENT),
        ("long", "file is too big", Way.LINK),
        ("long", "something new", Way.LINK),
    ],
)
async def test_each_flaw_has_its_next_best_way(
    courier: ResultCourier, outside: Outside, name: str, words: str, then: Way
) -> None:
    outside.telegram.says(400, refused(words))
    fate = await courier.carry(CHAT, result(name), 0)
    assert fate == OtherWay(then)
    outside.telegram.says(200, MESSAGE)
    assert await courier.carry(CHAT, result(name), then) == Arrived(MessageId(55))
    assert outside.methods[1] == {Way.DOCUMENT: "sendDocument", Way.LINK: "sendMessage"}[then]


async def test_after_the_document_comes_the_link_and_after_the_link_nothing(
    courier: ResultCourier, outside: Outside
) -> None:
    outside.telegram.says(400, refused("no"))
    assert await courier.carry(CHAT, result("picture"), Way.DOCUMENT) == OtherWay(1)
    assert await courier.carry(CHAT, result("picture", is_original=True), 0) == OtherWay(2)
    fate = await courier.carry(CHAT, result("picture"), Way.LINK)
    assert fate == Hopeless("400: Bad Request: no", Reason.DELIVERY_FAILED)


async def test_a_link_is_escaped_and_needs_no_file(
    courier: ResultCourier, outside: Outside
) -> None:
    assert await courier.carry(CHAT, result("a?b=<&>"), Way.LINK) == Arrived(MessageId(55))
    assert not outside.files.requests
    text = outside.telegram.arguments["text"]
    assert text == "<b>done</b>\n\na link\n\nhttps://kie.test/a?b=&lt;&amp;&gt;"


async def test_what_is_too_big_to_be_fetched_goes_as_a_link(courier: ResultCourier) -> None:
    assert await courier.carry(CHAT, result("huge"), 0) == OtherWay(Way.LINK)


async def test_what_is_expected_is_fetched_ahead_and_kept_for_every_send(
    courier: ResultCourier, outside: Outside
) -> None:
    courier.shelf.expect(result("picture", "clip").urls)
    await courier.fetch_ahead(result("picture", "clip", "sound"))
    assert len(outside.files.requests) == 2  # nobody expects the sound any more
    for _ in range(2):
        assert await courier.carry(CHAT, result("picture"), 0) == Arrived(MessageId(55))
    assert len(outside.files.requests) == 2


async def test_a_file_that_is_being_fetched_ahead_is_not_fetched_twice(
    courier: ResultCourier, outside: Outside
) -> None:
    courier.shelf.expect(result("picture").urls)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(courier.fetch_ahead, result("picture"))
        nursery.start_soon(courier.carry, CHAT, result("picture"), 0)
    assert len(outside.files.requests) == 1
    assert outside.methods == ["sendPhoto"]


async def test_a_full_shelf_has_nothing_fetched_ahead(
    courier: ResultCourier, outside: Outside
) -> None:
    courier.shelf.bytes_max = len(FILES["picture"])
    courier.shelf.expect(result("picture", "clip").urls)
    await courier.fetch_ahead(result("picture", "clip"))
    assert len(outside.files.requests) == 1
    assert await courier.carry(CHAT, result("clip"), 0) == Arrived(MessageId(55))


@pytest.mark.parametrize("name", ["page", "nowhere"])
async def test_what_is_no_result_is_not_delivered(courier: ResultCourier, name: str) -> None:
    fate = await courier.carry(CHAT, result(name), 0)
    assert isinstance(fate, Hopeless)
    assert fate.reason is Reason.KIE_NO_RESULT


@pytest.mark.parametrize("names", [["busy"], ["picture", "busy"]])
async def test_a_host_that_is_busy_is_asked_later(courier: ResultCourier, names: list[str]) -> None:
    assert await courier.carry(CHAT, result(*names), 0) == TryLater(2.0)


@pytest.mark.parametrize(
    ("names", "fate"),
    [
        (["picture", "picture"], Arrived(None)),
        (["picture", "clip"], Arrived(None)),
        (["sound", "sound"], Arrived(None)),
        (["picture", "large"], Arrived(None, originals=("https://kie.test/large",))),
        (["picture", "sound"], Apart()),
        (["picture", "gif"], Apart()),
        (["clip", "mov"], Apart()),
        (["wav", "wav"], Arrived(None)),
        (["picture", "long"], Apart()),
        (["picture", "huge"], Apart()),
        (["picture", "nowhere"], Apart()),
    ],
)
async def test_what_goes_together_is_an_album(
    courier: ResultCourier, outside: Outside, names: list[str], fate: Fate
) -> None:
    messages = [{"message_id": number, "date": 1, "chat": {"id": 7}} for number in (1, 2)]
    outside.telegram.says(200, ok(messages))
    assert await courier.carry(CHAT, result(*names), 0) == fate
    assert outside.methods == ([] if fate == Apart() else ["sendMediaGroup"])


async def test_an_album_holds_no_more_than_one_upload_may(
    courier: ResultCourier, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FILES, "half", FILES["clip"] + bytes(RESULT_BYTES_MAX // 2))
    assert await courier.carry(CHAT, result("half", "half"), 0) == Apart()
    assert not outside.telegram.requests


Say = Callable[[Outside], None]


@pytest.mark.parametrize(
    ("says", "fate"),
    [
        (lambda o: o.telegram.says(400, refused("media_invalid")), Apart()),
        (
            lambda o: o.telegram.says(429, error(429, "Too Many Requests", retry_after=9)),
            TryLater(9.0, is_freeze=True),
        ),
        (lambda o: o.telegram.says(502, b"<html>"), Uncertain("502 not the Bot API's JSON")),
        (
            lambda o: o.telegram.says(403, error(403, "Forbidden: bot was blocked by the user")),
            Hopeless("the user blocked the bot"),
        ),
    ],
    ids=["refused", "429", "502", "blocked"],
)
async def test_an_album_that_does_not_arrive(
    courier: ResultCourier, outside: Outside, says: Say, fate: Fate
) -> None:
    says(outside)
    assert await courier.carry(CHAT, result("picture", "picture"), 0) == fate


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("picture", {"outcome": "ResultFile", "bytes_count": len(PNG_1X1)}),
        ("gone", {"outcome": "RefusedResult", "detail": "HTTP 404"}),
        ("busy", {"outcome": "unavailable", "detail": "result: HTTP 503"}),
    ],
)
async def test_each_fetch_is_told_once_with_its_end_and_under_its_cid(
    courier: ResultCourier, told: list[Event], name: str, fields: dict[str, object]
) -> None:
    await courier.carry(CHAT, result(name), 0, Cid("1a2b3c4d"))
    [event] = told
    assert event.name is EventName.KIE_FETCH
    assert (event.fields["cid"], event.fields["job_id"]) == ("1a2b3c4d", "j")
    assert event.fields.items() >= fields.items()
    assert isinstance(event.fields["duration_s"], float)


async def test_each_file_of_an_album_is_told(courier: ResultCourier, told: list[Event]) -> None:
    await courier.carry(CHAT, result("picture", "clip"), 0, Cid("1a2b3c4d"))
    sizes = [event.fields["bytes_count"] for event in told]
    assert sizes == [len(FILES["picture"]), len(FILES["clip"])]
