"""Files as Telegram takes, measures, groups and gives them out."""

import io
from typing import Any

import httpx
import msgspec
import pytest
import trio
from PIL import Image
from trio.testing import MockClock

from tests.sandbox.in_process import TOKEN, Outside, outside
from trt.sandbox.faults import CutBefore, ServerError, TooMany
from trt.sandbox.http import Reply, Request, asgi
from trt.sandbox.telegram_rates import NO_LIMITS
from trt.testing.network import InProcessNetwork


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "PNG")
    return out.getvalue()


async def test_files_are_measured_and_given_out_again(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        user = out.started_user()

        async def send(kind: str, data: bytes, **more: str) -> httpx.Response:
            return await out.http.post(
                f"https://telegram.test/bot{TOKEN}/send{kind.title()}",
                data={"chat_id": str(user.user_id)} | more,
                files={kind: ("file", data)},
            )

        for data, description in (
            (b"no image", "IMAGE_PROCESS_FAILED"),
            (png(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
            (png(6000, 4001), "PHOTO_INVALID_DIMENSIONS"),
            (png(9, 9) + bytes(10 * 1024 * 1024), "file is too big"),
            (b"", "file must be non-empty"),
        ):
            response = await send("photo", data)
            assert response.json()["description"] == f"Bad Request: {description}"
        assert (await send("video", bytes(50 * 1024 * 1024 + 1))).status_code == 413
        caption = {"caption": f"<b>{'x' * 1025}</b>", "parse_mode": "HTML"}
        response = await send("photo", png(9, 9), **caption)
        assert response.json()["description"] == "Bad Request: message caption is too long"
        picture = png(40, 20)
        sent = (await send("photo", picture, caption="<i>вот</i>", parse_mode="HTML")).json()
        size = sent["result"]["photo"][0]
        assert (size["width"], size["height"]) == (40, 20)
        assert (user.last.text, user.last.html) == ("вот", "<i>вот</i>")
        path = (await out.result("getFile", file_id=size["file_id"]))["file_path"]
        again = await out.http.get(f"https://telegram.test/file/bot{TOKEN}/{path}")
        assert again.content == picture
        await out.result("sendPhoto", chat_id=user.user_id, photo=size["file_id"])
        refusal = await out.refusal("sendVideo", chat_id=user.user_id, video=size["file_id"])
        assert refusal == (400, "Bad Request: can't use file of type Photo as Video")


async def test_a_photo_by_address_is_fetched(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        await out.create_task()
        await trio.sleep(10)
        [url] = out.kie.tasks[0].file_urls
        await out.result("sendPhoto", chat_id=user.user_id, photo=url)
        assert user.last.kind == "photo"
        assert user.last.file is not None
        assert user.last.file.width == 1024
        for photo, description in (
            ("https://nowhere.test/a.png", "failed to get HTTP URL content"),
            ("never-seen", "wrong file identifier/HTTP URL specified"),
        ):
            refusal = await out.refusal("sendPhoto", chat_id=user.user_id, photo=photo)
            assert refusal == (400, f"Bad Request: {description}")


async def send_album(out: Outside, chat_id: int, media: object, **files: bytes) -> httpx.Response:
    return await out.http.post(
        f"https://telegram.test/bot{TOKEN}/sendMediaGroup",
        data={"chat_id": str(chat_id), "media": msgspec.json.encode(media).decode()},
        files=files or None,
    )


def photo(name: str, **more: str) -> dict[str, str]:
    return {"type": "photo", "media": f"attach://{name}", **more}


async def test_an_album_is_one_group_of_messages(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        media = [photo("a", caption="<b>вот</b>", parse_mode="HTML"), photo("b"), photo("a")]
        response = await send_album(out, user.user_id, media, a=png(4, 2), b=png(2, 4))
        assert response.status_code == 200, response.text
        sent = response.json()["result"]
        assert [message["photo"][0]["width"] for message in sent] == [4, 2, 4]
        assert len({message["media_group_id"] for message in sent}) == 1
        assert [message["message_id"] for message in sent] == [2, 3, 4]
        assert [message.text for message in user.messages[1:]] == ["вот", "", ""]
        again = [{"type": "photo", "media": sent[0]["photo"][0]["file_id"]}] * 2
        assert (await send_album(out, user.user_id, again)).status_code == 200


DOCUMENT = {"type": "document", "media": "attach://a"}


@pytest.mark.parametrize(
    ("media", "description"),
    [
        ([], "too few messages to send as an album"),
        ([photo("a")], "too few messages to send as an album"),
        ([photo("a")] * 11, "too many messages to send as an album"),
        ({}, "expected an Array of InputMedia"),
        ([photo("a"), 5], "can't parse InputMedia: media not found"),
        ([photo("a"), {"type": "photo"}], "can't parse InputMedia: media not found"),
        (
            [photo("a"), photo("a") | {"type": "voice"}],
            "can't parse InputMedia: type must be supported",
        ),
        ([photo("a"), DOCUMENT], "can't use the media of the specified type in the album"),
        (
            [photo("a"), photo("long")],
            'failed to send message #2 with the error message "PHOTO_INVALID_DIMENSIONS"',
        ),
        (
            [photo("a"), photo("a", caption="x" * 1025)],
            'failed to send message #2 with the error message "message caption is too long"',
        ),
    ],
)
async def test_an_album_that_breaks_a_rule_is_refused_as_a_whole(
    autojump_clock: MockClock, media: object, description: str
) -> None:
    async with outside(autojump_clock) as out:
        user = out.started_user()
        response = await send_album(out, user.user_id, media, a=png(4, 2), long=png(2100, 100))
        assert response.status_code == 400
        assert response.json()["description"] == f"Bad Request: {description}"
        assert len(user.messages) == 1


async def test_by_address_telegram_takes_only_what_it_says(autojump_clock: MockClock) -> None:
    files: dict[str, tuple[str, bytes]] = {
        "/a.pdf": ("application/pdf", b"%PDF"),
        "/a.bin": ("application/octet-stream", b"bin"),
        "/a.mp4": ("video/mp4", bytes(20 * 1024 * 1024 + 1)),
        "/a.png": ("image/png", png(9, 9) + bytes(5 * 1024 * 1024)),
    }

    async def serve(request: Request) -> Reply:
        content_type, data = files[request.path]
        return Reply(status=200, body=data, content_type=content_type)

    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        network = out.http._transport
        assert isinstance(network, InProcessNetwork)
        network.apps["files.test"] = asgi(serve)
        user = out.started_user()

        async def send(kind: str, name: str) -> dict[str, Any]:
            arguments = {"chat_id": user.user_id, kind: f"https://files.test{name}"}
            body: dict[str, Any] = (await out.call(f"send{kind.title()}", **arguments)).json()
            return body

        assert (await send("document", "/a.pdf"))["ok"]
        for kind, name, description in (
            ("document", "/a.bin", "wrong type of the web page content"),
            ("photo", "/a.pdf", "wrong type of the web page content"),
            ("video", "/a.mp4", "file is too big"),
            ("photo", "/a.png", "file is too big"),
        ):
            assert (await send(kind, name))["description"] == f"Bad Request: {description}"


async def get(out: Outside, path: str) -> httpx.Response:
    return await out.http.get(f"https://telegram.test/file/bot{TOKEN}/{path}")


async def test_what_a_user_sent_can_be_fetched_for_an_hour(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        picture = png(4, 2)
        user.send_photo(picture, "кот")
        user.send_document(b"%PDF", "a.pdf", "application/pdf", "счёт")
        user.send_video(b"mp4", "клип")
        messages = [update.body["message"] for update in out.telegram.pending]
        assert [message["caption"] for message in messages] == ["кот", "счёт", "клип"]
        assert messages[1]["document"]["mime_type"] == "application/pdf"
        assert messages[2]["video"]["file_size"] == 3
        file_id = messages[0]["photo"][0]["file_id"]
        path = (await out.result("getFile", file_id=file_id))["file_path"]
        assert (await get(out, path)).content == picture
        await trio.sleep(60 * 60 + 1)
        assert (await get(out, path)).status_code == 404
        assert (await out.result("getFile", file_id=file_id))["file_path"] == path
        assert (await get(out, path)).content == picture
        wrong = await out.http.get(f"https://telegram.test/file/bot1:x/{path}")
        assert wrong.status_code == 401


async def test_what_is_too_big_to_be_fetched_is_refused(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        user.send_document(bytes(20 * 1024 * 1024 + 1))
        document = out.telegram.pending[0].body["message"]["document"]
        refusal = await out.refusal("getFile", file_id=document["file_id"])
        assert refusal == (400, "Bad Request: file is too big")
        refusal = await out.refusal("getFile", file_id="nothing")
        assert "wrong file_id" in refusal[1]


async def test_a_download_can_go_wrong_on_order(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        user = out.telegram.user()
        user.send_document(b"x")
        document = out.telegram.pending[0].body["message"]["document"]
        path = (await out.result("getFile", file_id=document["file_id"]))["file_path"]
        for fault in (ServerError(), TooMany(), CutBefore()):
            out.telegram.faults.add("download", fault)
        assert (await get(out, path)).status_code == 502
        assert (await get(out, path)).status_code == 429
        with pytest.raises(httpx.ReadError):
            await get(out, path)
        assert (await get(out, path)).content == b"x"
        assert out.wire.entries[-1].what == "download"
        assert document["file_id"] not in repr(out.wire.entries)
