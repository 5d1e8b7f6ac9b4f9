"""Decides which addresses may be fetched and what the bytes behind them are."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

LOOPBACK_NAME = "localhost"
_HTTPS_PORT = 443


class ResultHosts:
    """The hosts that results come from: listed ones, their subdomains, and the APIs' own."""

    def __init__(self, hosts: Collection[str], *base_urls: str) -> None:
        self._hosts = tuple(sorted(host.lower().strip(".") for host in hosts if host))
        bases = [urlsplit(url) for url in base_urls]
        self._bases = {(base.scheme, base.hostname) for base in bases}

    def problem(self, url: str) -> str | None:
        """Return why `url` must not be fetched, or None."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "not an address"
        host = parts.hostname or ""
        if parts.username is not None or parts.password is not None:
            return "credentials in the address"
        if (parts.scheme, host) in self._bases:
            return None
        if not any(host == known or host.endswith(f".{known}") for known in self._hosts):
            return "host is not on the list"
        return None if _is_loopback(host) else _open_world_problem(parts, port)


def _open_world_problem(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme != "https":
        return "not https"
    return None if port in (None, _HTTPS_PORT) else "unusual port"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == LOOPBACK_NAME


_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"OggS"), "audio/ogg"),
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), "audio/mpeg"),
    (re.compile(rb"....ftypM4A", re.DOTALL), "audio/mp4"),
    (re.compile(rb"....ftypqt", re.DOTALL), "video/quicktime"),
    (re.compile(rb"....ftyp", re.DOTALL), "video/mp4"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "video/webm"),
)
_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
_MARKUP = re.compile(rb"(\xef\xbb\xbf)?\s*[<{\[]")
"""HTML, XML and JSON: error pages that came with a 200."""


def content_type_of(data: bytes, declared: str) -> str | None:
    """Return what a file is, by its first bytes and then by its declared type.

    Returns:
        A content type, or None when it is nothing to deliver: empty, markup, or text.
    """
    for magic, content_type in _MAGIC:
        if magic.match(data):
            return content_type
    declared = declared.partition(";")[0].strip().lower()
    if not data or _MARKUP.match(data):
        return None
    is_media = declared.startswith(("image/", "video/", "audio/"))
    return declared if is_media or declared == "application/octet-stream" else None


def name_for(content_type: str) -> str:
    """Return a neutral file name; the vendor's names would tell where the file comes from."""
    return f"result.{_EXTENSIONS.get(content_type, 'bin')}"
