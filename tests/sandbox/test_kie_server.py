"""The pretended KIE answers as the recorded one does and obeys its scripts."""

import base64
import hashlib
import hmac
import io
from typing import Any

import httpx
import msgspec
import pytest
import trio
from PIL import Image
from trio.testing import MockClock

from tests.sandbox.in_process import KEY, Outside, outside
from trt.sandbox.faults import CutAfter, CutBefore, ServerError
from trt.sandbox.http import Reply
from trt.sandbox.kie_script import (
    BEFORE_ANSWER,
    OFF,
    TWICE,
    Fail,
    KIEOptions,
    Never,
    Refuse,
    Succeed,
    delayed,
)

KLING = {
    "model": "kling-2.6/text-to-video",
    "input": {"prompt": "лес", "aspect_ratio": "9:16", "duration": "5", "sound": False},
}


async def made(out: Outside, **changes: Any) -> str:
    body = await out.create_task(**changes)
    assert (body["code"], body["msg"]) == (200, "success")
    task_id: str = body["data"]["taskId"]
    assert body["data"]["recordId"] == task_id
    assert len(task_id) == 32
    return task_id


def callbacks(out: Outside) -> list[dict[str, Any]]:
    return [msgspec.json.decode(request.body) for request in out.bot.requests]


async def test_a_task_runs_and_succeeds_as_recorded(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        task_id = await made(out)
        running = await out.record(task_id)
        assert running["state"] == "waiting"
        assert (running["resultJson"], running["costTime"], running["successFlag"]) == ("", None, 0)
        assert running["creditsConsumed"] == 0.8
        assert "response" not in running
        param = msgspec.json.decode(running["param"])
        assert msgspec.json.decode(param["input"])["prompt"] == "кот"
        await trio.sleep(6)
        done = await out.record(task_id)
        assert (done["state"], done["successFlag"], done["failCode"]) == ("success", 1, None)
        assert msgspec.json.decode(done["resultJson"]) == done["response"]
        assert done["costTime"] == (done["completeTime"] - done["createTime"]) // 1000
        [body] = callbacks(out)
        assert (body["code"], body["data"]["taskId"]) == (200, task_id)
        assert msgspec.json.decode(body["data"]["param"])["input"]["prompt"] == "кот"
        assert out.kie.tasks[0].polls == 2


async def test_an_older_shape_lacks_what_came_later(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(shape="2026-04")) as out:
        task_id = await made(out)
        await trio.sleep(9)
        written = await out.record(task_id)
        assert written["state"] == "success"
        assert not {"response", "successFlag", "creditsConsumed", "operationType"} & written.keys()


async def test_clips_show_that_they_are_generating(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        task_id = await made(out, **KLING)
        await trio.sleep(2)
        assert (await out.record(task_id))["state"] == "generating"


@pytest.mark.parametrize(
    ("changes", "code", "msg"),
    [
        ({"model": "gone"}, 422, "The model name you specified is not supported."),
        ({"model": None}, 500, "This field is required"),
        ({"input": "x"}, 500, "This field is required"),
        ({"input": {"aspect_ratio": "1:1"}}, 500, "prompt is required"),
        ({"input": {"prompt": "", "aspect_ratio": "1:1"}}, 500, "prompt is required"),
        ({"input": {"prompt": "x"}}, 500, "aspect_ratio is required"),
        ({"input": {"prompt": "x", "aspect_ratio": "7:1"}}, 422, "aspect_ratio is not within"),
        ({"input": {"prompt": 5, "aspect_ratio": "1:1"}}, 422, "prompt must be a str"),
        ({"input": {"prompt": "x" * 1001, "aspect_ratio": "1:1"}}, 422, "prompt exceeds"),
        (
            {"model": KLING["model"], "input": KLING["input"] | {"duration": 5}},  # type: ignore[operator]
            422,
            "duration must be a str",
        ),
    ],
)
async def test_what_the_schema_forbids_makes_no_task(
    autojump_clock: MockClock, changes: dict[str, Any], code: int, msg: str
) -> None:
    async with outside(autojump_clock) as out:
        body = await out.create_task(**changes)
        assert (body["code"], body["data"]) == (code, None)
        assert body["msg"].startswith(msg)
        assert not out.kie.tasks
        assert out.kie.credits == 10_000


async def test_keys_and_ids_are_checked(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        answer = await out.http.get("https://kie.test/api/v1/chat/credit")
        assert (answer.status_code, answer.json()["code"]) == (200, 401)
        unknown = await out.kie_call("GET", "jobs/recordInfo", params={"taskId": "x"})
        assert (unknown["code"], unknown["msg"]) == (422, "recordInfo is null")
        missing = await out.kie_call("GET", "jobs/recordInfo")
        assert (missing["code"], missing["msg"]) == (400, "taskId parameter is required")


async def test_a_new_task_may_be_unknown_for_a_while(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(visible_after_s=3)) as out:
        task_id = await made(out)
        assert await out.record(task_id) is None
        await trio.sleep(3)
        assert (await out.record(task_id))["taskId"] == task_id


async def test_credits_are_reserved_and_come_back_on_failure(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(credits=60)) as out:
        out.kie.script(Fail(code="400", msg="content policy", after_s=5))
        task_id = await made(out, **KLING)
        assert (await out.kie_call("GET", "chat/credit"))["data"] == 5
        poor = await out.create_task(**KLING)
        assert (poor["code"], poor["msg"]) == (402, "Insufficient Credits")
        await trio.sleep(5.1)
        assert out.kie.credits == 60
        failed = await out.record(task_id)
        assert (failed["state"], failed["successFlag"]) == ("fail", 3)
        assert (failed["failCode"], failed["failMsg"]) == ("400", "content policy")
        assert failed["creditsConsumed"] == 0
        [body] = callbacks(out)
        assert (body["code"], body["data"]["failCode"]) == (501, "400")
    async with outside(autojump_clock, options=KIEOptions(credits=0, credits_code=500)) as out:
        assert (await out.create_task())["msg"] == "Credits insufficient"


async def test_too_many_calls_are_turned_away(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        codes = [(await out.create_task())["code"] for _ in range(21)]
        assert codes == [200] * 20 + [429]
        assert len(out.kie.tasks) == 20
        await trio.sleep(10)
        task_id = await made(out)
        polls = [await out.record(task_id) for _ in range(11)]
        assert [poll is None for poll in polls] == [False] * 10 + [True]
        await trio.sleep(1)
        assert await out.record(task_id) is not None


async def test_scripts_decide_single_tasks(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        out.kie.script(Refuse(code=455, msg="maintenance"))
        out.kie.script(Never(), model="z-image")
        out.kie.script(Succeed(after_s=2, files=3), model=str(KLING["model"]))
        assert (await out.create_task())["code"] == 455
        clip_id, never_id = await made(out, **KLING), await made(out)
        await trio.sleep(2.1)
        clip = await out.record(clip_id)
        assert len(clip["response"]["resultUrls"]) == 3
        await trio.sleep(10_000)
        assert (await out.record(never_id))["state"] == "waiting"
        assert len(out.bot.requests) == 1


async def test_callbacks_are_lost_doubled_late_or_early_as_scripted(
    autojump_clock: MockClock,
) -> None:
    began = 0.0
    async with outside(autojump_clock) as out:
        for scripted, count in ((OFF, 0), (TWICE, 2), (delayed(30), 1)):
            out.bot.requests.clear()
            out.bot.at.clear()
            out.kie.script(Succeed(after_s=1, callbacks=scripted))
            began = trio.current_time()
            await made(out)
            await trio.sleep(40)
            assert len(out.bot.requests) == count
        assert out.bot.at[-1] - began == pytest.approx(31)
        out.kie.script(Succeed(callbacks=BEFORE_ANSWER))
        out.bot.requests.clear()
        task_id = await made(out)
        assert [body["data"]["taskId"] for body in callbacks(out)] == [task_id]


async def test_a_refused_callback_is_retried_three_times(autojump_clock: MockClock) -> None:
    async def hang() -> Reply:
        await trio.sleep_forever()
        raise AssertionError

    async with outside(autojump_clock) as out:
        out.bot.answers += [Reply(status=503, body=b""), hang, *[Reply(status=500, body=b"")] * 5]
        out.kie.script(Succeed(after_s=0))
        await made(out)
        await trio.sleep(600)
        assert [at - out.bot.at[0] for at in out.bot.at] == pytest.approx([0, 5, 50, 110])
        assert out.kie.tasks[0].callback_statuses == [503, None, 500, 500]


async def test_callbacks_are_signed_as_documented(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(hmac_key="canary")) as out:
        task_id = await made(out)
        await trio.sleep(10)
        headers = out.bot.requests[0].headers
        message = f"{task_id}.{headers['x-webhook-timestamp']}".encode()
        expected = base64.b64encode(hmac.new(b"canary", message, hashlib.sha256).digest())
        assert headers["x-webhook-signature"] == expected.decode()


async def test_a_cut_after_createtask_leaves_a_task_and_a_cut_before_none(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock) as out:
        for fault, count in ((CutBefore(), 0), (CutAfter(), 1)):
            out.kie.faults.add("createTask", fault)
            with pytest.raises(httpx.ReadError):
                await out.create_task()
            assert len(out.kie.tasks) == count
        out.kie.faults.add("createTask", ServerError(502))
        url = "https://kie.test/api/v1/jobs/createTask"
        answer = await out.http.post(url, headers={"Authorization": f"Bearer {KEY}"}, json={})
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "text/html"


async def test_results_are_real_and_expire(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        pro = {"prompt": "x", "aspect_ratio": "16:9", "output_format": "jpg", "resolution": "2K"}
        await made(out, model="nano-banana-pro", input=pro)
        await trio.sleep(6)
        [url] = out.kie.tasks[0].file_urls
        answer = await out.http.get(url)
        assert answer.headers["content-type"] == "image/jpeg"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.size) == ("JPEG", (2728, 1536))
        assert (await out.http.get("https://kie.test/results/x.png")).status_code == 404
        await trio.sleep(15 * 24 * 60 * 60)
        assert (await out.http.get(url)).status_code == 404


async def test_the_same_seed_gives_the_same_ids_and_durations(autojump_clock: MockClock) -> None:
    async def run() -> list[tuple[str, float]]:
        async with outside(autojump_clock, options=KIEOptions(callback_loss=0.5)) as out:
            for _ in range(3):
                await made(out)
            return [(task.task_id, task.duration_s) for task in out.kie.tasks]

    assert await run() == await run()
