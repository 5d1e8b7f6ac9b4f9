"""Requests to the Bot API as data: JSON, or a form where something is uploaded; without httpx."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from attrs import frozen

from trt.domain.ids import ChatId
from trt.domain.replies import Keyboard
from trt.telegram.outcomes import Upload
from trt.telegram.wire import inline_keyboard

ALBUM_ITEMS_MIN = 2
ALBUM_ITEMS_MAX = 10
_ALONE = ("document", "audio")

FileSource = Upload | str
"""An upload; or as text an http(s) address or a file_id."""

Request = dict[str, Any]
"""Keyword arguments of an httpx request."""


@frozen(kw_only=True)
class AlbumItem:
    """One file of an album."""

    kind: Literal["photo", "video", "audio", "document"]
    file: FileSource


def text_arguments(chat_id: ChatId, text: str, keyboard: Keyboard) -> dict[str, Any]:
    """Return what sendMessage and editMessageText have in common."""
    arguments = {
        "chat_id": chat_id,
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    return arguments | _markup(keyboard)


def captioned(chat_id: ChatId, caption: str, keyboard: Keyboard) -> dict[str, Any]:
    """Return what sendPhoto, sendVideo and so on have in common."""
    return {"chat_id": chat_id} | _caption(caption) | _markup(keyboard)


def json_request(arguments: Mapping[str, Any]) -> Request:
    """Return a call without uploads."""
    body = msgspec.json.encode(arguments)
    return {"content": body, "headers": {"Content-Type": "application/json"}}


def file_request(kind: str, file: FileSource, arguments: Mapping[str, Any]) -> Request:
    """Return a call whose argument `kind` is a file."""
    if isinstance(file, str):
        return json_request({**arguments, kind: file})
    return _form_request(arguments, {kind: file})


def album_request(
    arguments: Mapping[str, Any], items: Sequence[AlbumItem], caption: str
) -> Request:
    """Return a sendMediaGroup; uploads are referred to by name (Bot API, Sending files)."""
    kinds = {item.kind for item in items}
    assert ALBUM_ITEMS_MIN <= len(items) <= ALBUM_ITEMS_MAX, len(items)
    assert len(kinds) == 1 or not kinds & set(_ALONE), "documents and audios go with their own kind"
    media: list[dict[str, str]] = []
    uploads: dict[str, Upload] = {}
    for number, item in enumerate(items):
        if isinstance(item.file, str):
            media.append({"type": item.kind, "media": item.file})
        else:
            uploads[f"file{number}"] = item.file
            media.append({"type": item.kind, "media": f"attach://file{number}"})
    # Telegram shows the caption of an album's first item under the album, of documents' the last.
    media[-1 if items[0].kind == "document" else 0] |= _caption(caption)
    with_media = {**arguments, "media": media}
    return _form_request(with_media, uploads) if uploads else json_request(with_media)


def _form_request(arguments: Mapping[str, Any], files: Mapping[str, Upload]) -> Request:
    # Outside of JSON bodies nested objects are JSON strings (Bot API, Making requests).
    fields = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in arguments.items()
    }
    parts = {name: (file.name, file.data, file.content_type) for name, file in files.items()}
    return {"data": fields, "files": parts}


def _caption(caption: str) -> dict[str, str]:
    return {"caption": caption, "parse_mode": "HTML"} if caption else {}


def _markup(keyboard: Keyboard) -> dict[str, Any]:
    return {"reply_markup": inline_keyboard(keyboard)} if keyboard else {}
