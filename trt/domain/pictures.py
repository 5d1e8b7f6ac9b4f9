"""Pictures that users attach to an order: which are taken, and where in the order they belong."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from trt.domain.inputs import FileId, FileSent, MediaSent
from trt.domain.model_card import ModelCard, Param, ParamKind, Value

BYTES_MAX: Final = 20 * 1024 * 1024
"""Bot API, getFile: bots can fetch files of up to 20 MB."""
SUFFIXES: Final[Mapping[str, str]] = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
"""The types that models take, each with its file name extension."""


@frozen
class Attached:
    """A picture that the bot can fetch, as far as Telegram's word goes."""

    file_id: FileId


@frozen
class NoPicture:
    """Something else, or a picture of a type that no model takes."""


@frozen
class TooBig:
    """A picture that Telegram would not hand to a bot."""


def check(sent: FileSent | MediaSent) -> Attached | NoPicture | TooBig:
    """Judge what a user sent, without having seen its bytes."""
    if isinstance(sent, MediaSent) or sent.kind not in {"photo", "document"}:
        return NoPicture()
    if sent.mime_type not in SUFFIXES:
        return NoPicture()
    if sent.size_bytes is not None and sent.size_bytes > BYTES_MAX:
        return TooBig()
    return Attached(sent.file_id)


def param_of(card: ModelCard, asking: str | None = None) -> Param | None:
    """Return where a picture belongs: the parameter that is asked for, or else the first."""
    takers = [param for param in card.params if param.kind is ParamKind.PICTURE]
    asked = next((param for param in takers if param.name == asking), None)
    return asked or next(iter(takers), None)


def attached(card: ModelCard, values: Mapping[str, Value]) -> dict[str, FileId]:
    """Return the pictures of an order by the names of their parameters."""
    return {
        param.name: FileId(str(values[param.name]))
        for param in card.params
        if param.kind is ParamKind.PICTURE and param.name in values
    }
