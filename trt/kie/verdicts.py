"""What KIE's codes and words mean: refused for which reason, or in which trouble."""

import re

from trt.domain.reasons import Reason
from trt.kie.errors import Trouble

_ACCOUNT_CODES = frozenset({401, 403, 433})
"""Key, permissions, the key's own spending limit."""
_RATE_CODES = frozenset({429, 430})
_OLDER_RATE_CODE = 405
"""The older Suno's limit; to the file service it is a wrong method: only the words tell."""
_POLICY_CODES = frozenset({400, 451})
_GONE_CODES = frozenset({404, 505})
"""No such model or endpoint; feature disabled."""
TIMEOUT_CODES = frozenset({408, 504, 524})
"""Somebody gave up waiting; what happened behind them nobody knows."""
_NO_CREDITS_CODE = 402
_FAILED_CODE = 501
"""The end of a task, also where it is told at once."""
_MAINTENANCE_CODE = 455
_MIXED_CODE = 500
"""An outage, but also missing fields, missing credits and paused models: only the words tell."""
_GATEWAY_CODES = range(502, 600)

_OUT_OF_CREDITS = re.compile(
    r"insufficient.{0,20}(credit|balance)|(credits?|balance).{0,20}(insufficient|not enough)",
    re.IGNORECASE,
)
_GONE = re.compile(
    r"(temporarily|currently) paused|model( name)? you specified is not supported|"
    r"does not exist or is not published|model.{0,40}(discontinued|offline|retired)",
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"polic(y|ies)|violat|sensitive|nsfw|prohibited|moderat(ion|ed)|inappropriate|flagged|"
    r"unsafe|copyright|only.{0,20}english|english.{0,20}only",
    re.IGNORECASE,
)
_RATE = re.compile(r"rate.?limit|call frequency|too (many|often)", re.IGNORECASE)
_OUTAGE = re.compile(
    r"server (exception|error|busy)|internal (server )?error|try again later|"
    r"(service|temporarily) unavailable|overloaded|bad gateway",
    re.IGNORECASE,
)


def verdict(code: int, msg: str) -> Reason | Trouble:
    """Return why an envelope with a code other than 200 took no order.

    Args:
        code: The envelope's code, as documented on docs.kie.ai or recorded.
        msg: KIE's words.

    Returns:
        A reason: the same order would be refused again. A trouble: it may pass, where `TIMEOUT`
        alone does not say whether the order was taken.
    """
    if code == _NO_CREDITS_CODE or _OUT_OF_CREDITS.search(msg):
        return Reason.KIE_NO_CREDITS
    if code in _ACCOUNT_CODES:
        return Reason.KIE_ACCOUNT
    if code in _GONE_CODES or _GONE.search(msg):
        return Reason.KIE_MODEL_GONE
    return _trouble(code, msg) or _blame(code, msg)


def _trouble(code: int, msg: str) -> Trouble | None:
    if code in _RATE_CODES or (code == _OLDER_RATE_CODE and _RATE.search(msg)):
        return Trouble.RATE
    if code == _MAINTENANCE_CODE:
        return Trouble.MAINTENANCE
    if code in TIMEOUT_CODES:
        return Trouble.TIMEOUT
    is_outage = code in _GATEWAY_CODES or (code == _MIXED_CODE and (not msg or _OUTAGE.search(msg)))
    return Trouble.OUTAGE if is_outage else None


def _blame(code: int, msg: str) -> Reason:
    if code in _POLICY_CODES or _POLICY.search(msg):
        return Reason.KIE_POLICY
    return Reason.KIE_FAILED if code == _FAILED_CODE else Reason.KIE_REFUSED


def failure_reason(code: str, msg: str) -> Reason:
    """Return why a task that KIE had taken ended without a result.

    Args:
        code: `failCode` or `errorCode`, as text; may be empty.
        msg: KIE's words.
    """
    if _OUT_OF_CREDITS.search(msg):
        return Reason.KIE_NO_CREDITS
    is_policy = _POLICY.search(msg) or code in {str(known) for known in _POLICY_CODES}
    return Reason.KIE_POLICY if is_policy else Reason.KIE_FAILED
