"""What KIE's answers about tasks mean for us: pure, from a status and a body to an outcome."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any, assert_never

from trt.domain.ids import TaskId
from trt.domain.job import Phase
from trt.domain.reasons import Reason
from trt.kie.errors import KIEUnavailable, Trouble
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
from trt.kie.verdicts import TIMEOUT_CODES, failure_reason, verdict
from trt.kie.wire import Envelope, operator_text, private_texts, read_envelope, unwrapped

OK = 200
CREDITS_MAX = 1_000_000_000
"""Five million dollars: more is no amount of credits but a broken number."""

_PHASES = {
    "waiting": Phase.QUEUED,
    "wait": Phase.QUEUED,
    "queuing": Phase.QUEUED,
    "queueing": Phase.QUEUED,
    "pending": Phase.QUEUED,
    "generating": Phase.GENERATING,
    "text_success": Phase.GENERATING,
    "first_success": Phase.GENERATING,
}
"""States of a running task: of jobs, of the older Runway, and (`status`) of the older Suno."""
_FAILED_STATES = {
    "fail",
    "create_task_failed",
    "generate_audio_failed",
    "callback_exception",
    "sensitive_word_error",
}
_SUCCEEDED, _FAILED, _UNNAMED = "success", "fail", "waiting"
_FLAGS = {"0": _UNNAMED, "1": _SUCCEEDED, "2": _FAILED, "3": _FAILED}
_STATE_WORD = re.compile(r"[a-z0-9_-]{1,40}")


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
        return Busy(trouble=Trouble.RATE, retry_after_s=retry_after_s, detail=detail)
    if status in TIMEOUT_CODES or not 300 <= status < 500:  # noqa: PLR2004 - HTTP
        return OutcomeUnknown(why=detail)
    # A redirect, a block or a wrong address stopped the request before KIE: the operator's matter.
    is_ours = status in {401, 402, 403} or status < HTTPStatus.BAD_REQUEST
    reason = Reason.KIE_ACCOUNT if is_ours else Reason.KIE_REFUSED
    return Refused(reason=reason, code=status, detail=detail)


def _not_created(envelope: Envelope, retry_after_s: float | None, detail: str) -> CreateOutcome:
    why = verdict(envelope.code, envelope.msg)
    match why:
        case Reason():
            return Refused(reason=why, code=envelope.code, detail=detail)
        case Trouble.TIMEOUT:
            return OutcomeUnknown(why=f"{envelope.code} {detail}")
        case Trouble():
            return Busy(trouble=why, retry_after_s=retry_after_s, detail=detail)
        case _:
            assert_never(why)


def read_record(
    status: int, body: bytes, private: Iterable[str], retry_after_s: float | None = None
) -> TaskRecord:
    """Return what recordInfo says of a task.

    Raises:
        KIEUnavailable: It says nothing about the task; ask again later.
    """
    envelope = read_envelope(body)
    if envelope is not None:
        data = unwrapped(envelope.data)
        if isinstance(data, Mapping) and {"state", "status", "successFlag"} & data.keys():
            return _read_task(data, private)
        is_unknown = envelope.code in (404, 422) or (envelope.code == status == OK and data is None)
        if is_unknown:
            return NotFound()
    raise unavailable("recordInfo", status, envelope, private, retry_after_s)


def unavailable(
    what: str,
    status: int,
    envelope: Envelope | None,
    private: Iterable[str],
    retry_after_s: float | None = None,
) -> KIEUnavailable:
    """Return the error for an answer that does not say what was asked."""
    if envelope is None:
        code, said = status, "without KIE's JSON"
    else:
        # A bare 200 around nothing hides what its HTTP status may tell.
        code = envelope.code if envelope.code != OK else status
        said = f"code {envelope.code} {operator_text(envelope.msg, iter(private))}"
    why = verdict(code, "" if envelope is None else envelope.msg) if code != OK else None
    match why:
        case Trouble():
            trouble = why
        case Reason.KIE_ACCOUNT | Reason.KIE_NO_CREDITS:
            trouble = Trouble.ACCOUNT
        case _:
            trouble = Trouble.UNREADABLE
    text = f"{what}: HTTP {status}, {said}".rstrip()
    return KIEUnavailable(text, trouble=trouble, retry_after_s=retry_after_s)


def _read_task(data: Mapping[str, Any], private: Iterable[str]) -> TaskRecord:
    state = _state(data)
    if state == _SUCCEEDED:
        return Succeeded(urls=find_result_urls(data), credits_consumed=_consumed(data))
    if state in _FAILED_STATES:
        ours = (data.get("param"), data.get("paramJson"))
        hidden = [*private, *private_texts(ours)]
        code, words = _text(data, "failCode", "errorCode"), _text(data, "failMsg", "errorMessage")
        return Failed(
            code=code,
            detail=operator_text(words, iter(hidden)),
            reason=failure_reason(code, f"{words} {state}"),
            credits_consumed=_consumed(data),
        )
    phase = _PHASES.get(state)
    if phase is not None:
        return Working(phase=phase)
    return Working(
        phase=Phase.QUEUED, unknown_state=state if _STATE_WORD.fullmatch(state) else "unreadable"
    )


def _state(data: Mapping[str, Any]) -> str:
    """Return the state in lower case; where the word is unknown, the newer flag may know."""
    named = data.get("state", data.get("status"))
    state = named.strip().lower() if isinstance(named, str) else ""
    if state == _SUCCEEDED or state in _FAILED_STATES or state in _PHASES:
        return state
    by_flag = _FLAGS.get(_text(data, "successFlag"), _UNNAMED)
    return by_flag if by_flag != _UNNAMED or not state else state


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
    raise unavailable("credit", status, envelope, private)


def _consumed(data: Mapping[str, Any]) -> Decimal | None:
    """Return the credits; the older name is the one of callbacks."""
    for key in ("creditsConsumed", "consumeCredits"):
        amount = _decimal(data.get(key))
        if amount is not None:
            return amount
    return None


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
    except (InvalidOperation, ValueError):  # ValueError: thousands of digits
        return None
    return number if number.is_finite() and abs(number) < CREDITS_MAX else None
