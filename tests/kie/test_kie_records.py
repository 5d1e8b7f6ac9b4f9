"""What recordInfo says of a task, in every shape that was documented, recorded or imagined."""

import json
from decimal import Decimal

import msgspec
import pytest

from trt.domain.job import Phase
from trt.kie.answers import read_record
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import Failed, NotFound, Succeeded, TaskRecord, Working

PROMPT = "a lighthouse"
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


def says(code: int, msg: str, data: object = None) -> dict[str, object]:
    return {"code": code, "msg": msg, "data": data}


def read(status: int, body: object) -> TaskRecord:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return read_record(status, content, [])


RECORDS = [
    ({"state": "waiting", "resultJson": "", "creditsConsumed": 6.0}, Working(phase=Phase.QUEUED)),
    ({"state": "queuing"}, Working(phase=Phase.QUEUED)),
    ({"state": "generating", "successFlag": 0}, Working(phase=Phase.GENERATING)),
    ({"state": "pondering"}, Working(phase=Phase.QUEUED)),
    ({"state": None, "successFlag": 0}, Working(phase=Phase.QUEUED)),
    ({"successFlag": 3, "errorCode": 500, "errorMessage": "x"}, Failed(code="500", detail="x")),
    (
        {"state": "fail", "failCode": "500", "failMsg": "Internal server error"},
        Failed(code="500", detail="Internal server error"),
    ),
    ({"state": "fail", "failCode": None, "failMsg": None}, Failed(code="", detail="")),
    (
        {
            "state": "fail",
            "failCode": 400,
            "failMsg": f"refused: {PROMPT}",
            "param": json.dumps({"input": json.dumps({"prompt": PROMPT}), "model": "m"}),
        },
        Failed(code="400", detail="refused: ***"),
    ),
    ({"state": "success"}, Succeeded(urls=())),
    ({"state": "success", "resultJson": "not json", "response": 5}, Succeeded(urls=())),
    (
        {"state": "success", "resultJson": '{"resultUrls":["https://cdn.test/a"]}'},
        Succeeded(urls=("https://cdn.test/a",)),
    ),
    (
        {"state": "success", "successFlag": 1, "creditsConsumed": 6.5, "resultJson": {}},
        Succeeded(urls=(), credits_consumed=Decimal("6.5")),
    ),
]


@pytest.mark.parametrize(("data", "record"), RECORDS)
def test_every_shape_of_a_record_is_read(data: object, record: object) -> None:
    assert read(200, says(200, "success", data)) == record


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, says(422, "recordInfo is null")),
        (200, says(404, "Task not found")),
        (404, says(404, "Task not found")),
        (200, says(200, "success", None)),
    ],
)
def test_a_task_that_kie_does_not_know_is_not_found(status: int, body: object) -> None:
    assert read(status, body) == NotFound()


def test_a_failed_task_in_a_failing_envelope_has_failed() -> None:
    data = {"state": "fail", "failCode": "501", "failMsg": "no"}
    assert read(200, says(501, "Playground task failed.", data)) == Failed(code="501", detail="no")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, says(429, "Your call frequency is too high.")),
        (200, says(500, "Server exception, please try again later")),
        (200, says(401, "You do not have access permissions")),
        (200, says(455, "maintenance")),
        (200, says(200, "success", "what")),
        (502, HTML),
        (404, HTML),
        (200, b""),
    ],
)
def test_what_says_nothing_about_the_task_is_asked_again(status: int, body: object) -> None:
    with pytest.raises(KIEUnavailable):
        read(status, body)
