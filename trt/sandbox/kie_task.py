"""One task at the pretended KIE, and the ways KIE writes it in JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

import msgspec
from attrs import Factory, define, field

from trt.sandbox.kie_models import FakeModel
from trt.sandbox.kie_script import Callbacks, Fail, Never, Succeed

JSON = dict[str, Any]
Ending = Succeed | Fail | Never
_RUNNING = ("waiting", "generating")


@define(kw_only=True, eq=False)
class FakeTask:
    """A task, from createTask to its end."""

    task_id: str
    model: FakeModel
    given: Mapping[str, Any] = field(repr=False)
    callback_url: str | None = field(repr=False)
    created_at: datetime
    created: float
    """Seconds on trio's clock."""
    duration_s: float
    ending: Ending
    callbacks: Callbacks
    credits: float
    """Reserved while it runs, 0 when it failed."""
    state: str = "waiting"
    completed_at: datetime | None = None
    file_urls: tuple[str, ...] = ()
    polls: int = 0
    callback_statuses: list[int | None] = Factory(list)
    """What each delivery of the callback was answered with; None for no answer."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.state in _RUNNING

    @property
    def model_id(self) -> str:
        """The model's id."""
        return self.model.model_id


def record(task: FakeTask, *, shape: str) -> JSON:
    """Return the `data` of recordInfo; "2026-04" lacks what KIE added later."""
    body: JSON = {"model": task.model_id, "input": _text(task.given)}
    if task.callback_url is not None:
        body["callBackUrl"] = task.callback_url
    # The input is JSON inside JSON here and an object in callbacks, as at the real KIE.
    result = _result(task)
    failure = task.ending if task.state == "fail" and isinstance(task.ending, Fail) else None
    written: JSON = {
        "taskId": task.task_id,
        "model": task.model_id,
        "state": task.state,
        "param": _text(body),
        "resultJson": _text(result) if result is not None else "",
        "failCode": failure.code if failure else None,
        "failMsg": failure.msg if failure else None,
        "costTime": _cost_s(task),
        "completeTime": _milliseconds(task.completed_at),
        "createTime": _milliseconds(task.created_at),
    }
    if shape == "2026-04":
        return written
    written |= {
        "creditsConsumed": task.credits,
        "operationType": task.model_id,
        "successFlag": {"success": 1, "fail": 3}.get(task.state, 0),
        "paramJson": written["param"],
    }
    return written | ({"response": result} if result is not None else {})


def callback(task: FakeTask, *, remaining: float) -> JSON:
    """Return the body of the callback of an ended task."""
    assert task.completed_at is not None, "only an ended task is called back"
    param = {"callBackUrl": task.callback_url, "model": task.model_id, "input": task.given}
    data: JSON = {
        "taskId": task.task_id,
        "model": task.model_id,
        "state": task.state,
        "param": _text(param),
        "costTime": _cost_s(task),
        "createTime": _milliseconds(task.created_at),
        "completeTime": _milliseconds(task.completed_at),
        "updateTime": _milliseconds(task.completed_at),
        "consumeCredits": task.credits,
        "remainedCredits": remaining,
    }
    if isinstance(task.ending, Fail):
        data |= {"failCode": task.ending.code, "failMsg": task.ending.msg, "resultJson": None}
        return {"code": 501, "msg": "Playground task failed.", "data": data}
    data |= {"failCode": None, "failMsg": None, "resultJson": _text(_result(task))}
    return {"code": 200, "msg": "Playground task completed successfully.", "data": data}


def _result(task: FakeTask) -> JSON | None:
    if not isinstance(task.ending, Succeed) or task.state != "success":
        return None
    urls = list(task.file_urls)
    match task.ending.shape:
        case "urls":
            return {"resultUrls": urls}
        case "object":
            return {"resultObject": {"mask_urls": urls}}
        case "suno":
            return {"data": [{"audio_url": url, "title": "Harbour", "duration": 9} for url in urls]}
        case "watermark":
            return {"resultWaterMarkUrls": urls}
        case "lyrics":
            return {"resultObject": {"lyricsData": [{"text": "la la la"}]}}
        case "none":
            return {"resultUrls": []}
        case _:
            assert_never(task.ending.shape)


def _cost_s(task: FakeTask) -> int | None:
    if task.completed_at is None:
        return None
    return int((task.completed_at - task.created_at).total_seconds())


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def _text(content: object) -> str:
    return msgspec.json.encode(content).decode()
