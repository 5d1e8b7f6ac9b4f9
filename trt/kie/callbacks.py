"""KIE's callbacks to us: whose task they name, and whether they may be believed to be meant."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from trt.domain.ids import JobId, TaskId
from trt.kie.wire import loads, unwrapped

SIGNATURE_LENGTH = 32
TASK_ID_LENGTH_MAX = 200
RECENT_WITHIN_S = 300
"""KIE names no window; five minutes forgive two clocks, and what was overheard grows useless."""
_DEPTH_MAX = 6
_ID_KEYS = ("taskId", "task_id", "recordId", "record_id")


def parse_callback(body: bytes) -> TaskId | None:
    """Return the task that a callback's body names, or None.

    The id has been seen in `taskId`, `data.taskId` and `data.task_id`; arrays and JSON inside
    strings are looked through too. Nothing else of the body is read: it is not signed, so what
    became of the task is asked with recordInfo.
    """
    return next((TaskId(found) for found in _ids(loads(body), 0)), None)


def _ids(value: Any, depth: int) -> Iterator[str]:
    value = unwrapped(value)
    if depth > _DEPTH_MAX:
        return
    if isinstance(value, Mapping):
        for key in _ID_KEYS:
            found = value.get(key)
            if isinstance(found, int) and not isinstance(found, bool):
                found = str(found)
            if isinstance(found, str) and 0 < len(found.strip()) <= TASK_ID_LENGTH_MAX:
                yield found.strip()
        # `param` repeats our own order and names no task of KIE's.
        for key, item in value.items():
            if key not in ("param", "paramJson"):
                yield from _ids(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item, depth + 1)


def sign(secret: bytes, job_id: JobId) -> str:
    """Return the 32 hex characters that make a callback URL of ours unguessable."""
    return hmac.new(secret, job_id.encode(), hashlib.sha256).hexdigest()[:SIGNATURE_LENGTH]


def is_signed(secret: bytes, job_id: JobId, signature: str) -> bool:
    """Return whether `signature` is ours for this job, in constant time."""
    shown = signature.encode(errors="replace")
    return hmac.compare_digest(sign(secret, job_id).encode(), shown)


def verify_hmac(key: bytes, task_id: str, timestamp: str, signature: str) -> bool:
    """Return whether KIE's `X-Webhook-Signature` fits the task and `X-Webhook-Timestamp`.

    It is base64(HMAC-SHA256(key, taskId + "." + timestamp)) (docs.kie.ai, webhook-verification);
    the body is not covered.
    """
    message = f"{task_id}.{timestamp}".encode(errors="replace")
    expected = base64.b64encode(hmac.digest(key, message, "sha256"))
    return hmac.compare_digest(expected, signature.strip().encode(errors="replace"))


def is_recent(timestamp: str, now: datetime) -> bool:
    """Return whether an `X-Webhook-Timestamp`, in unix seconds, is within the replay window.

    Without it a signature that somebody overheard would be good for ever. One from the future is
    no better: it could be kept until then.
    """
    is_time = re.fullmatch(r"[0-9]{1,12}", timestamp) is not None
    return is_time and abs(now.timestamp() - int(timestamp)) <= RECENT_WITHIN_S
