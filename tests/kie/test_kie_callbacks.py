"""KIE's callbacks: the task they name, our signature in their address, KIE's own signature."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import JobId
from trt.kie.callbacks import (
    RECENT_WITHIN_S,
    is_recent,
    is_signed,
    parse_callback,
    sign,
    verify_hmac,
)

SECRET = b"callback secret"
JOB = JobId("0123456789abcdef0123456789abcdef")

DOCUMENTED = {
    "code": 501,
    "msg": "Playground task failed.",
    "data": {"taskId": "t1", "model": "m", "state": "fail", "param": "{}", "failCode": "500"},
}


@pytest.mark.parametrize(
    "body",
    [
        DOCUMENTED,
        {"taskId": "t1"},
        {"task_id": " t1 "},
        {"data": {"task_id": "t1"}},
        {"data": json.dumps({"taskId": "t1"})},
        [{"data": [{"taskId": "t1"}]}],
        json.dumps({"taskId": "t1"}),
        {"code": 200, "data": {"recordId": "t1"}},
        {"data": {"param": json.dumps({"taskId": "other"}), "taskId": "t1"}},
    ],
)
def test_the_task_is_found_wherever_it_is_named(body: object) -> None:
    assert parse_callback(json.dumps(body).encode()) == "t1"


def test_a_number_is_taken_for_a_task_id() -> None:
    assert parse_callback(b'{"taskId": 17}') == "17"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"taskId=t1",
        b"null",
        b"{}",
        b'{"taskId": ""}',
        b'{"taskId": null}',
        b'{"taskId": true}',
        b'{"data": {"param": {"taskId": "t1"}}}',
        b"\xff",
        b"[" * 100_000,
        json.dumps({"taskId": "t" * 201}).encode(),
    ],
)
def test_a_body_that_names_no_task_is_none(body: bytes) -> None:
    assert parse_callback(body) is None


@given(body=st.binary(max_size=50))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    parse_callback(body)


def test_our_signature_fits_one_job_and_one_secret() -> None:
    signature = sign(SECRET, JOB)
    assert len(signature) == 32
    assert is_signed(SECRET, JOB, signature)
    assert not is_signed(SECRET, JobId("f" * 32), signature)
    assert not is_signed(b"another", JOB, signature)


@pytest.mark.parametrize("shown", ["", "0" * 32, "é" * 32, "\ud800", sign(SECRET, JOB)[:-1]])
def test_anything_else_is_not_our_signature(shown: str) -> None:
    assert not is_signed(SECRET, JOB, shown)


def test_kies_signature_is_checked_as_documented() -> None:
    # openssl: printf 't1.1700000000' | openssl dgst -sha256 -hmac key -binary | base64
    signature = "huRygVv4u7kTBSUyFDTS+VXa93yoteJNmW+ebY+WcFU="
    assert verify_hmac(b"key", "t1", "1700000000", signature)
    assert not verify_hmac(b"key", "t1", "1700000001", signature)
    assert not verify_hmac(b"key", "t2", "1700000000", signature)
    assert not verify_hmac(b"yek", "t1", "1700000000", signature)
    assert not verify_hmac(b"key", "t1", "1700000000", "é")


NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(age_s: float) -> str:
    return str(int((NOW - timedelta(seconds=age_s)).timestamp()))


@pytest.mark.parametrize("age_s", [0, 1, RECENT_WITHIN_S, -1, -RECENT_WITHIN_S])
def test_a_timestamp_within_five_minutes_of_our_clock_is_recent(age_s: int) -> None:
    assert is_recent(at(age_s), NOW)


@pytest.mark.parametrize(
    "timestamp",
    [
        at(RECENT_WITHIN_S + 1),
        at(-RECENT_WITHIN_S - 1),
        at(0) + "000",
        at(0) + ".0",
        "-" + at(0),
        "\u0661\u0667",
        "9" * 5000,
        "0",
        "abc",
        "",
    ],
)
def test_any_other_timestamp_is_not(timestamp: str) -> None:
    assert not is_recent(timestamp, NOW)
