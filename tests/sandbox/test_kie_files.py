"""Files at the pretended KIE, as the real client meets them: uploads, results, links, expiry."""

import base64
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import KEY, Outside, outside
from trt.domain.ids import ModelId, TaskId
from trt.domain.reasons import Reason
from trt.kie.client import KIEClient
from trt.kie.outcomes import (
    Busy,
    Created,
    DownloadLink,
    RefusedResult,
    ResultFile,
    Succeeded,
    Uploaded,
    UploadRefused,
)
from trt.sandbox.http import Reply
from trt.sandbox.kie_script import Shape, Succeed

BASE = "https://kie.test"
PNG = b"\x89PNG\r\n\x1a\nfirst"
DAY_S = 24 * 60 * 60.0


def client(out: Outside, key: str = KEY) -> KIEClient:
    return KIEClient(out.http, BASE, key, [], upload_base=BASE)


async def upload(out: Outside, kind: str, **request: Any) -> dict[str, Any]:
    url = f"{BASE}/api/file-{kind}-upload"
    answer = await out.http.post(url, headers={"Authorization": f"Bearer {KEY}"}, **request)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_an_upload_is_stored_described_as_recorded_and_used_by_a_model(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        stored = await client(out).upload(PNG, "a1.png", "image/png", "inputs/7")
        assert stored == Uploaded(url=f"{BASE}/kieai/136592/inputs/7/a1.png")
        answer = await out.http.get(stored.url)
        assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
        body = await upload(
            out, "stream", files={"file": ("x.png", PNG)}, data={"uploadPath": "inputs"}
        )
        assert (body["success"], body["code"]) == (True, 200)
        assert body["data"]["fileSize"] == len(PNG)
        assert body["data"]["fileName"].endswith(".png")
        assert body["data"]["fileName"] != "x.png"
        given = {"prompt": "кот", "image_input": [stored.url]}
        assert isinstance(
            await client(out).create_task(ModelId("nano-banana-pro"), given, None), Created
        )


async def test_the_same_name_replaces_the_file_and_it_is_gone_after_a_day(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        kie = client(out)
        first = await kie.upload(PNG, "a.png", "image/png", "inputs")
        await trio.sleep(DAY_S / 2)
        second = await kie.upload(PNG + b"2", "a.png", "image/png", "inputs")
        assert isinstance(second, Uploaded)
        assert first == second
        await trio.sleep(DAY_S / 2 + 60)
        assert (await out.http.get(second.url)).content == PNG + b"2"
        await trio.sleep(DAY_S / 2)
        assert (await out.http.get(second.url)).status_code == 404
        # What the real one says of an address that it cannot read.
        given = {"prompt": "кот", "image_input": [second.url]}
        outcome = await kie.create_task(ModelId("nano-banana-pro"), given, None)
        assert isinstance(outcome, Busy)
        assert outcome.detail == "Server exception, please try again later"


async def test_files_come_as_text_and_by_address_too(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        out.bot.answers = [
            Reply(status=200, body=PNG, content_type="image/png"),
            Reply(status=404, body=b""),
        ]
        coded = "data:image/png;base64," + base64.b64encode(PNG).decode()
        for kind, more in (
            ("base64", {"base64Data": coded, "fileName": "b.png"}),
            ("url", {"fileUrl": "https://bot.test/u.png", "fileName": "u.png"}),
        ):
            body = await upload(out, kind, json={"uploadPath": "inputs", **more})
            answer = await out.http.get(body["data"]["downloadUrl"])
            assert (answer.content, body["data"]["mimeType"]) == (PNG, "image/png")
        gone = await upload(out, "url", json={"uploadPath": "p", "fileUrl": "https://bot.test/x"})
        assert gone["code"] == 500


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("stream", {"files": {"file": ("x.png", PNG)}}),
        ("stream", {"data": {"uploadPath": "inputs"}}),
        ("base64", {"json": {"uploadPath": "inputs"}}),
        ("base64", {"json": {"uploadPath": "inputs", "base64Data": "%%%"}}),
        ("url", {"json": {"uploadPath": "inputs"}}),
        ("url", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    ],
)
async def test_a_half_upload_stores_nothing(
    autojump_clock: MockClock, kind: str, request_: dict[str, Any]
) -> None:
    async with outside(autojump_clock) as out:
        headers = {"Authorization": f"Bearer {KEY}"} | request_.pop("headers", {})
        url = f"{BASE}/api/file-{kind}-upload"
        answer = await out.http.post(url, headers=headers, **request_)
        assert answer.json()["code"] == 400
        assert not out.kie.files.uploads


async def test_without_the_key_nothing_is_stored(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        refused = await client(out, "wrong").upload(PNG, "a.png", "image/png", "inputs")
        assert isinstance(refused, UploadRefused)
        assert refused.reason is Reason.KIE_ACCOUNT
        assert not out.kie.files.uploads


async def test_a_link_to_a_result_lives_twenty_minutes_and_foreign_ones_are_refused(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        kie = client(out)
        await out.create_task()
        await trio.sleep(10)
        [url] = out.kie.tasks[0].file_urls
        link = await kie.download_link(url)
        assert isinstance(link, DownloadLink)
        assert link.url != url
        assert isinstance(await kie.fetch_result(link.url, 10_000_000), ResultFile)
        await trio.sleep(21 * 60)
        assert await kie.fetch_result(link.url, 10_000_000) == RefusedResult(why="HTTP 404")
        for foreign in ("https://cdn.test/a.png", "https://kie.test.evil.test/results/a.png"):
            assert await kie.download_link(foreign) == RefusedResult(why="422 url is wrong")


@pytest.mark.parametrize(
    ("shape", "count"),
    [("urls", 3), ("object", 3), ("suno", 3), ("watermark", 3), ("lyrics", 0), ("none", 0)],
)
async def test_every_shape_of_a_result_is_found_by_the_client(
    autojump_clock: MockClock, shape: Shape, count: int
) -> None:
    async with outside(autojump_clock) as out:
        out.kie.script(Succeed(files=3, shape=shape))
        await out.create_task()
        await trio.sleep(10)
        record = await client(out).record(TaskId(out.kie.tasks[0].task_id))
        assert isinstance(record, Succeeded)
        assert record.urls == out.kie.tasks[0].file_urls[:count]
        for url in record.urls:
            assert isinstance(await client(out).fetch_result(url, 10_000_000), ResultFile)
