"""Takes secrets out of everything that is about to be written to the log."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

STARS = "***"

_SECRET_LENGTH_MIN = 4
"""Shorter values would black out ordinary words."""

_SHAPES = (
    # A bot token, also inside an address and also percent-encoded.
    (re.compile(r"\d{6,}(?::|%3A)[\w-]{30,}", re.IGNORECASE), STARS),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s\"',;]+", re.IGNORECASE), rf"\1 {STARS}"),
    # The password in scheme://user:password@host; it may hold an unescaped @ itself.
    (
        re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@\"']*):[^\s\"'/]*@", re.IGNORECASE),
        rf"\1:{STARS}@",
    ),
    (re.compile(r"\b(password|passwd|pwd)=[^\s&\"']+", re.IGNORECASE), rf"\1={STARS}"),
)


_SUSPICIOUS = re.compile(r"[:%=\s]")
"""Each of the shapes holds one of these; most strings of a log line, ids and names, none."""


class Redactor:
    """Removes registered secrets and secret-shaped strings; also a structlog processor."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may be the beginning of another.
        worth_hiding = {secret for secret in secrets if len(secret) >= _SECRET_LENGTH_MIN}
        exact = sorted(worth_hiding, key=lambda secret: (-len(secret), secret))
        self._exact = re.compile("|".join(map(re.escape, exact))) if exact else None

    def redact(self, text: str) -> str:
        """Return `text` with three stars in the place of every secret."""
        if self._exact is not None:
            text = self._exact.sub(STARS, text)
        if _SUSPICIOUS.search(text):
            for shape, stars in _SHAPES:
                text = shape.sub(stars, text)
        return text

    def __call__(
        self, _logger: object, _method: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Redact every string of a log line, in depth, whatever it is wrapped in."""
        return {key: self._clean(value) for key, value in event_dict.items()}

    def _clean(self, value: object) -> object:
        match value:
            case str():
                return self.redact(value)
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {self.redact(str(key)): self._clean(item) for key, item in value.items()}
            case list() | tuple():
                return [self._clean(item) for item in value]
            case BaseException():
                return type(value).__name__
            case _:
                # What JSON cannot say is said by its repr, and a repr can hold a secret.
                return self.redact(repr(value))
