"""What recordInfo says of a task, in every shape that was documented, recorded or imagined."""

import json
from decimal import Decimal

import msgspec
import pytest

from trt.domain.job import Phase
from trt.kie.answers import read_record
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import Failed, Succeeded, TaskRecord, Working

PROMPT = "a lighthouse"
HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


def says(code: int, msg: str, data: object = None) -> dict[str, object]:
    return {"code": code, "msg": msg, "data": data}


def read(status: int, body: object) -> TaskRecord:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return read_record(status, content, [])


RECORDS = [
    # The bodies that were printed stand in printed_bodies.py; these are what else may come.
    ({"state": None, "successFlag": 0}, Working(phase=Phase.QUEUED)),
    ({"state": 7, "successFlag": "0"}, Working(phase=Phase.QUEUED)),
    ({"state": " Generating "}, Working(phase=Phase.GENERATING)),
    ({"state": "generating", "successFlag": 1}, Working(phase=Phase.GENERATING)),
    ({"state": "x" * 41}, Working(phase=Phase.QUEUED, unknown_state="unreadable")),
    (
        {
            "state": "fail",
            "failCode": 500,
            "failMsg": f"broke at: {PROMPT}",
            "param": json.dumps({"input": json.dumps({"prompt": PROMPT}), "model": "m"}),
        },
        Failed(code="500", detail="broke at: ***"),
    ),
    ({"state": "success"}, Succeeded(urls=())),
    ({"state": "success", "resultJson": "not json", "response": 5}, Succeeded(urls=())),
    (
        {"state": "success", "creditsConsumed": None, "consumeCredits": "6.5", "resultJson": {}},
        Succeeded(urls=(), credits_consumed=Decimal("6.5")),
    ),
    ({"state": "success", "creditsConsumed": True}, Succeeded(urls=())),
    ({"state": "success", "creditsConsumed": "a few"}, Succeeded(urls=())),
    ({"state": "success", "creditsConsumed": "NaN"}, Succeeded(urls=())),
    ({"state": "success", "creditsConsumed": "9" * 5000}, Succeeded(urls=())),
]


@pytest.mark.parametrize(("data", "record"), RECORDS)
def test_every_shape_of_a_record_is_read(data: object, record: object) -> None:
    assert read(200, says(200, "success", data)) == record


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, says(200, "success", "what")), (404, HTML), (200, b""), (200, {"code": "4xx"})],
)
def test_what_says_nothing_about_the_task_is_asked_again(status: int, body: object) -> None:
    with pytest.raises(KIEUnavailable):
        read(status, body)


def test_how_long_to_wait_is_passed_on() -> None:
    with pytest.raises(KIEUnavailable) as caught:
        read_record(429, b'{"code":429,"msg":"slow"}', [], retry_after_s=7.0)
    assert (caught.value.trouble, caught.value.retry_after_s) == (Trouble.RATE, 7.0)
