"""A user's picture goes from Telegram to KIE's file service, or it is said why it cannot."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from tests.telegram.answers import error, ok, refused
from tests.wire import Wire
from trt.actors.picture_courier import Carried, NotNow, PictureCourier, Spoiled
from trt.domain.ids import JobId
from trt.domain.inputs import FileId
from trt.domain.pictures import BYTES_MAX
from trt.domain.reasons import Reason
from trt.kie.client import KIEClient
from trt.telegram.client import TelegramClient

TOKEN, KEY = "1:canary-token", "canary-key"
JPEG = b"\xff\xd8\xff" + bytes(20)
STORED_AT = "https://files.test/inputs/a.jpg"
STORED = {"success": True, "code": 200, "data": {"downloadUrl": STORED_AT}}


class Outside:
    """Gives out one file as Telegram, and answers uploads as KIE."""

    def __init__(self) -> None:
        self.telegram, self.kie = Wire(), Wire()
        self.data = JPEG
        self.telegram.answer = self._serve
        self.kie.says(200, STORED)

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/file/"):
            return httpx.Response(200, content=self.data)
        found = ok({"file_id": "x", "file_unique_id": "u", "file_path": "photos/a.jpg"})
        return httpx.Response(200, content=msgspec.json.encode(found))


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
async def courier(outside: Outside) -> AsyncIterator[PictureCourier]:
    async with (
        httpx.AsyncClient(transport=outside.telegram) as telegram,
        httpx.AsyncClient(transport=outside.kie) as kie,
    ):
        yield PictureCourier(
            telegram=TelegramClient(telegram, "https://telegram.test", TOKEN),
            kie=KIEClient(kie, "https://kie.test", KEY, ["files.test"]),
        )


async def carry(courier: PictureCourier) -> Carried | Spoiled | NotNow:
    return await courier.carry(JobId("j" * 32), {"image_input": FileId("x")})


@pytest.mark.parametrize(
    ("data", "name", "content_type"),
    [
        (JPEG, "jpg", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "png", "image/png"),
        (b"RIFF\0\0\0\0WEBP" + bytes(20), "webp", "image/webp"),
    ],
)
async def test_a_picture_is_uploaded_as_what_it_is_under_the_name_of_its_job(
    courier: PictureCourier, outside: Outside, data: bytes, name: str, content_type: str
) -> None:
    outside.data = data
    assert await carry(courier) == Carried({"image_input": STORED_AT})
    [upload] = outside.kie.requests
    assert upload.url.host == "kieai.redpandaai.co"
    assert f'filename="{"j" * 32}-image_input.{name}"'.encode() in upload.content
    assert f"Content-Type: {content_type}".encode() in upload.content
    assert data in upload.content
    assert TOKEN.encode() not in upload.content


async def test_a_second_try_has_the_same_name(courier: PictureCourier, outside: Outside) -> None:
    await carry(courier)
    await carry(courier)
    first, second = (request.content for request in outside.kie.requests)
    assert first.count(b"-image_input.jpg") == second.count(b"-image_input.jpg") == 2


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"GIF89a" + bytes(9), b"ID3" + bytes(9)])
async def test_what_is_no_picture_is_not_handed_on(
    courier: PictureCourier, outside: Outside, data: bytes
) -> None:
    outside.data = data
    outcome = await carry(courier)
    assert isinstance(outcome, Spoiled)
    assert outcome.reason is Reason.PICTURE_UNFIT
    assert not outside.kie.requests


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("file is too big", Reason.PICTURE_TOO_BIG),
        ("wrong file_id or the file is temporarily unavailable", Reason.PICTURE_GONE),
        ("invalid file_id", Reason.PICTURE_GONE),
    ],
)
async def test_telegrams_refusal_spoils_the_order(
    courier: PictureCourier, outside: Outside, description: str, reason: Reason
) -> None:
    outside.telegram.says(400, refused(description))
    outcome = await carry(courier)
    assert isinstance(outcome, Spoiled)
    assert outcome.reason is reason
    assert not outside.kie.requests


async def test_a_file_that_is_bigger_than_was_said_is_not_handed_on(
    courier: PictureCourier, outside: Outside
) -> None:
    outside.data = JPEG + bytes(BYTES_MAX)
    outcome = await carry(courier)
    assert isinstance(outcome, Spoiled)
    assert outcome.reason is Reason.PICTURE_TOO_BIG


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"success": False, "code": 400, "msg": "Invalid file"}, Reason.KIE_REFUSED),
        ({"success": False, "code": 401, "msg": "Unauthorized"}, Reason.KIE_ACCOUNT),
        (
            {"success": True, "code": 200, "data": {"downloadUrl": "https://0x0.test/a.jpg"}},
            Reason.KIE_REFUSED,
        ),
    ],
)
async def test_kies_refusal_spoils_the_order(
    courier: PictureCourier, outside: Outside, answer: object, reason: Reason
) -> None:
    outside.kie.says(200, answer)
    outcome = await carry(courier)
    assert isinstance(outcome, Spoiled)
    assert outcome.reason is reason


async def test_a_bad_moment_of_kie_is_waited_out(courier: PictureCourier, outside: Outside) -> None:
    outside.kie.says(502, b"<html>bad gateway</html>")
    assert isinstance(await carry(courier), NotNow)
    outside.kie.breaks(httpx.ReadError)
    assert isinstance(outcome := await carry(courier), NotNow)
    assert KEY not in repr(outcome)


async def test_a_bad_moment_of_telegram_is_waited_out_and_its_address_not_told(
    courier: PictureCourier, outside: Outside
) -> None:
    outside.telegram.says(429, error(429, "Too Many Requests", retry_after=7))
    outcome = await carry(courier)
    assert isinstance(outcome, NotNow)
    assert outcome.retry_after_s == 7
    outside.telegram.says(401, error(401, "Unauthorized"))
    assert isinstance(await carry(courier), NotNow)
    outside.telegram.breaks(httpx.ReadError)
    outcome = await carry(courier)
    assert isinstance(outcome, NotNow)
    assert TOKEN not in repr(outcome)
    assert not outside.kie.requests
