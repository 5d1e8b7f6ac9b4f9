"""How many pixels a picture has, read from its first bytes; nothing is decoded."""

import struct

from attrs import frozen

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG (ITU T.81, B.1.1.3): the segments that begin with the size of the frame."""


@frozen
class PictureSize:
    """In pixels."""

    width: int
    height: int


def picture_size(data: bytes) -> PictureSize | None:
    """Return the size of a PNG, JPEG or WebP; None for anything else, and for what is broken."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return PictureSize(*struct.unpack_from(">II", data, 16))
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        pass  # cut off before its size
    return None


def _jpeg(data: bytes) -> PictureSize | None:
    at = 2
    while data[at] == 0xFF:  # noqa: PLR2004 - each segment begins with it
        marker, length = struct.unpack_from(">xBH", data, at)
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return PictureSize(width, height)
        at += 2 + length
    return None


def _webp(data: bytes) -> PictureSize | None:
    """Read a WebP's size (RFC 9649)."""
    match data[12:16]:
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            height = int.from_bytes(data[27:30], "little") + 1
            return PictureSize(width, height)
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return PictureSize((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return PictureSize(width & 0x3FFF, height & 0x3FFF)
        case _:
            return None
