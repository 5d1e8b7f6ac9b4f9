"""KIE's JSON envelope, read without trusting any of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from attrs import frozen

DETAIL_LENGTH_MAX = 300
DEPTH_MAX = 12

_TEXT_KEYS = frozenset({"prompt", "negative_prompt", "text", "lyrics", "title", "style", "script"})
_TEXT_LENGTH_MIN = 25
"""A longer string is a person's words or a person's file, whatever its field is called."""


@frozen
class Envelope:
    """`{"code", "msg", "data"}`; the HTTP status is 200 even for most errors."""

    code: int
    msg: str
    data: Any


def loads(text: str | bytes) -> Any:
    """Return the JSON value in `text`, or None when there is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def read_envelope(body: bytes) -> Envelope | None:
    """Return the envelope, or None for HTML, half a JSON, or JSON of somebody else."""
    raw = loads(body)
    if not isinstance(raw, dict):
        return None
    code = raw.get("code")
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool):
        return None
    msg = raw.get("msg") or raw.get("message")
    return Envelope(code, msg if isinstance(msg, str) else "", raw.get("data"))


def unwrapped(value: Any) -> Any:
    """Return `value`, decoded if it is JSON inside a string."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        inner = loads(value)
        return value if inner is None else inner
    return value


def private_texts(value: Any, key: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the strings of a createTask body that must not be repeated in a log."""
    value = unwrapped(value)
    if depth > DEPTH_MAX:
        return
    match value:
        case str() if key in _TEXT_KEYS or len(value) >= _TEXT_LENGTH_MIN:
            yield value
        case Mapping():
            for name, item in value.items():
                yield from private_texts(item, str(name), depth + 1)
        case list() | tuple():
            for item in value:
                yield from private_texts(item, key, depth + 1)
        case _:
            return


def operator_text(text: str, private: Iterator[str]) -> str:
    """Return KIE's words on one line, bounded, without anything private that they repeat."""
    for secret in sorted({part.strip() for part in private}, key=lambda part: (-len(part), part)):
        if secret:
            text = text.replace(secret, "***")
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= DETAIL_LENGTH_MAX else text[: DETAIL_LENGTH_MAX - 1] + "…"
