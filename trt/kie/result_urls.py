"""Finds the addresses of the results in a task's record, in every shape that KIE has used."""

from collections.abc import Iterator, Mapping
from typing import Any

from trt.kie.wire import DEPTH_MAX, unwrapped

_PLACES = ("resultJson", "response", "resultInfo", "info", "videoInfo")
_KEYS = (
    "resultUrls",
    "result_urls",
    "resultUrl",
    "urls",
    "audio_url",
    "audioUrl",
    "video_url",
    "videoUrl",
    "url",
)
_NESTED = ("resultObject", "data", "sunoData", "results", "output")
_LAST_RESORT = ("resultWaterMarkUrls",)


def find_result_urls(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of what a task made, in KIE's order, each once.

    `param` is never looked at: it holds the addresses of what went in. Of the places that repeat
    each other (`resultJson`, `response`) the first one with an address counts.
    """
    for keys in (_KEYS, _LAST_RESORT):
        for place in _PLACES:
            found = tuple(dict.fromkeys(_in_place(unwrapped(record.get(place)), keys)))
            if found:
                return found
        found = tuple(dict.fromkeys(_under(record, keys)))
        if found:
            return found
    return ()


def _in_place(value: Any, keys: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    value = unwrapped(value)
    if depth > DEPTH_MAX:
        return
    match value:
        case str():
            yield from _addresses(value)
        case list():
            for item in value:
                yield from _in_place(item, keys, depth + 1)
        case Mapping():
            found = tuple(_under(value, keys))
            yield from found
            for name in () if found else _NESTED:
                inner = unwrapped(value.get(name))
                if name == "resultObject":
                    yield from _every_address(inner, depth + 1)
                else:
                    yield from _in_place(inner, keys, depth + 1)
        case _:
            return


def _under(value: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    """Yield what the first of `keys` that holds an address has."""
    for key in keys:
        found = tuple(_addresses(unwrapped(value.get(key))))
        if found:
            yield from found
            return


def _every_address(value: Any, depth: int) -> Iterator[str]:
    """Yield all addresses inside a result object, whose keys differ per model."""
    value = unwrapped(value)
    if depth > DEPTH_MAX:
        return
    match value:
        case Mapping():
            for item in value.values():
                yield from _every_address(item, depth + 1)
        case list():
            for item in value:
                yield from _every_address(item, depth + 1)
        case _:
            yield from _addresses(value)


def _addresses(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                yield from _addresses(item)
    elif isinstance(value, str):
        text = value.strip()
        if text.startswith("//"):
            text = f"https:{text}"
        if text.startswith(("https://", "http://")):
            yield text
