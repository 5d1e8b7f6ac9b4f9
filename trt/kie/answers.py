"""What KIE's answers mean for us: pure, from a status and a body to an outcome."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any

from trt.domain.ids import TaskId
from trt.domain.job import Phase
from trt.domain.reasons import Reason
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import (
    Busy,
    Created,
    CreateOutcome,
    Failed,
    NotFound,
    OutcomeUnknown,
    Refused,
    Succeeded,
    TaskRecord,
    Working,
)
from trt.kie.result_urls import find_result_urls
from trt.kie.wire import Envelope, operator_text, private_texts, read_envelope, unwrapped

OK = 200

_ACCOUNT_CODES = frozenset({401, 402, 403, 433})
"""Key, credits, permissions, the key's own spending limit."""
_LATER_CODES = frozenset({429, 455})
"""Rate limit (rejected, not queued) and maintenance."""
_TIMEOUT_CODES = frozenset({408, 504, 524})
"""Somebody gave up waiting; what happened behind them nobody knows."""

_OUT_OF_CREDITS = re.compile(
    r"insufficient.{0,20}credit|credits?.{0,20}insufficient", re.IGNORECASE
)
_OUTAGE = re.compile(
    r"server (exception|error|busy)|internal (server )?error|try again later|"
    r"(service|temporarily) unavailable|overloaded|bad gateway",
    re.IGNORECASE,
)


def read_created(
    status: int, body: bytes, retry_after_s: float | None, private: Iterable[str]
) -> CreateOutcome:
    """Return how createTask ended.

    An envelope without a task id says that no task exists; anything that is not an envelope says
    nothing unless its HTTP status does.

    Args:
        status: HTTP status.
        body: The body as it came.
        retry_after_s: The Retry-After header in seconds, if there was one.
        private: Texts that must not show up in the outcome.
    """
    envelope = read_envelope(body)
    if envelope is None:
        return _created_by_status(status, retry_after_s)
    data = unwrapped(envelope.data)
    task_id = _text(data, "taskId", "task_id", "recordId")
    if task_id:
        return Created(task_id=TaskId(task_id))
    if envelope.code == OK:
        if status < HTTPStatus.BAD_REQUEST:
            return OutcomeUnknown(why="accepted without a task id")
        return _created_by_status(status, retry_after_s)
    return _not_created(envelope, retry_after_s, operator_text(envelope.msg, iter(private)))


def _created_by_status(status: int, retry_after_s: float | None) -> CreateOutcome:
    detail = f"HTTP {status} without KIE's JSON"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(retry_after_s=retry_after_s, detail=detail)
    if status in _TIMEOUT_CODES or not 300 <= status < 500:  # noqa: PLR2004 - HTTP
        return OutcomeUnknown(why=detail)
    # A redirect, a block or a wrong address stopped the request before KIE: the operator's matter.
    is_ours = status in _ACCOUNT_CODES or status < HTTPStatus.BAD_REQUEST
    reason = Reason.KIE_ACCOUNT if is_ours else Reason.KIE_REFUSED
    return Refused(reason=reason, code=status, detail=detail)


def _not_created(envelope: Envelope, retry_after_s: float | None, detail: str) -> CreateOutcome:
    code, msg = envelope.code, envelope.msg
    if code in _ACCOUNT_CODES or _OUT_OF_CREDITS.search(msg):
        return Refused(reason=Reason.KIE_ACCOUNT, code=code, detail=detail)
    if code in _LATER_CODES:
        return Busy(retry_after_s=retry_after_s, detail=detail)
    if code in _TIMEOUT_CODES:
        return OutcomeUnknown(why=f"{code} {detail}")
    # 500 is also what KIE says for a missing field, so only its words tell an outage from a
    # refusal; 502 and 503 mean one thing only. 501 ("generation failed") and 505 ("feature
    # disabled") are refusals.
    is_outage = code in (500, 502, 503) and (code != 500 or not msg or _OUTAGE.search(msg))  # noqa: PLR2004 - KIE's codes
    if is_outage:
        return Busy(retry_after_s=retry_after_s, detail=detail)
    return Refused(reason=Reason.KIE_REFUSED, code=code, detail=detail)


def read_record(status: int, body: bytes, private: Iterable[str]) -> TaskRecord:
    """Return what recordInfo says of a task.

    Raises:
        KIEUnavailable: It says nothing about the task; ask again later.
    """
    envelope = read_envelope(body)
    if envelope is None:
        raise KIEUnavailable(f"recordInfo: HTTP {status} without KIE's JSON")
    data = unwrapped(envelope.data)
    if isinstance(data, Mapping) and ("state" in data or "successFlag" in data):
        return _read_task(data, private)
    if envelope.code in (404, 422) or (envelope.code == OK and status == OK and data is None):
        return NotFound()
    detail = operator_text(envelope.msg, iter(private))
    raise KIEUnavailable(f"recordInfo: HTTP {status}, code {envelope.code} {detail}")


def _read_task(data: Mapping[str, Any], private: Iterable[str]) -> TaskRecord:
    match _state(data):
        case "success":
            consumed = data.get("creditsConsumed", data.get("consumeCredits"))
            return Succeeded(urls=find_result_urls(data), credits_consumed=_decimal(consumed))
        case "fail":
            hidden = [*private, *private_texts(data.get("param"))]
            detail = _text(data, "failMsg", "errorMessage")
            return Failed(
                code=_text(data, "failCode", "errorCode"),
                detail=operator_text(detail, iter(hidden)),
            )
        case "generating":
            return Working(phase=Phase.GENERATING)
        case _:
            return Working(phase=Phase.QUEUED)


def _state(data: Mapping[str, Any]) -> str:
    state = data.get("state")
    if isinstance(state, str) and state:
        return state.lower()
    match data.get("successFlag"):
        case 1:
            return "success"
        case 2 | 3:
            return "fail"
        case _:
            return "waiting"


def read_credits(status: int, body: bytes, private: Iterable[str]) -> Decimal:
    """Return the account's balance in credits.

    Raises:
        KIEUnavailable: There is no number in the answer.
    """
    envelope = read_envelope(body)
    if envelope is not None and envelope.code == OK:
        amount = _decimal(envelope.data)
        if amount is not None:
            return amount
    what = "without KIE's JSON"
    if envelope is not None:
        what = f"code {envelope.code} {operator_text(envelope.msg, iter(private))}"
    raise KIEUnavailable(f"credit: HTTP {status}, {what}")


def _text(data: Any, *keys: str) -> str:
    if not isinstance(data, Mapping):
        return ""
    for key in keys:
        value = data.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _decimal(value: Any) -> Decimal | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
