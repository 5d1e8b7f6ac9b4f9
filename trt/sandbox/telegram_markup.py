"""Telegram's HTML: the tags it allows, the entities it makes of them, the errors it gives."""

import re
from typing import Any

from attrs import Factory, define, frozen

from trt.sandbox.telegram_refusal import Refused

# Bot API, "HTML style": tag to entity type.
_TYPES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline",
    "ins": "underline", "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough",
    "tg-spoiler": "spoiler", "span": "spoiler", "a": "text_link", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w+));?")
_ATTRIBUTE = re.compile(r"""\s*([^\s=>]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*)))?""")


@frozen(kw_only=True)
class Entity:
    """A styled piece of text; offset and length in UTF-16 units."""

    type: str
    offset: int
    length: int
    url: str | None = None

    def wire(self) -> dict[str, Any]:
        """Return it as the Bot API's MessageEntity."""
        wire: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        return wire | ({"url": self.url} if self.url else {})


@frozen(kw_only=True)
class FormattedText:
    """What the reader sees, and where it is styled."""

    text: str
    entities: tuple[Entity, ...] = ()


def parse_html(source: str) -> FormattedText:
    """Parse Telegram's HTML as the real server does (Bot API, "HTML style").

    Raises:
        Refused: 400 `can't parse entities: …` for a tag that is unknown, crossed or not closed.
    """
    parser = _Parser(source)
    parser.run()
    return FormattedText(text="".join(parser.text), entities=tuple(parser.entities))


@frozen
class _Open:
    tag: str
    offset: int
    attributes: dict[str, str]


@define
class _Parser:
    source: str
    position: int = 0
    length: int = 0
    text: list[str] = Factory(list)
    entities: list[Entity] = Factory(list)
    stack: list[_Open] = Factory(list)

    def run(self) -> None:
        while self.position < len(self.source):
            char = self.source[self.position]
            if char == "&":
                self._reference()
            elif char != "<":
                self._put(char)
                self.position += 1
            elif self.source.startswith("</", self.position):
                self._close()
            else:
                self._open()
        if self.stack:
            tag = self.stack[-1].tag
            raise _cannot_parse(f'Can\'t find end tag corresponding to start tag "{tag}"')
        self.entities.sort(key=lambda entity: (entity.offset, -entity.length))

    def _put(self, text: str) -> None:
        self.text.append(text)
        self.length += len(text.encode("utf-16-le")) // 2

    def _reference(self) -> None:
        match = _REFERENCE.match(self.source, self.position)
        char = _character(match) if match else None
        if match is None or char is None:
            self._put("&")
            self.position += 1
        else:
            self._put(char)
            self.position = match.end()

    def _open(self) -> None:
        at = self._byte_offset()
        end = self.source.find(">", self.position)
        inside = self.source[self.position + 1 : end if end >= 0 else None]
        words = inside.split(maxsplit=1)
        tag = words[0].lower() if words and not inside[0].isspace() else ""
        attributes = _attributes(words[1]) if tag and len(words) > 1 else {}
        is_known = tag in _TYPES and (tag != "span" or attributes.get("class") == "tg-spoiler")
        if not is_known:
            raise _cannot_parse(f'Unsupported start tag "{tag}" at byte offset {at}')
        if end < 0:
            raise _cannot_parse(f'Unclosed start tag "{tag}" at byte offset {at}')
        self.stack.append(_Open(tag, self.length, attributes))
        self.position = end + 1

    def _close(self) -> None:
        at = self._byte_offset()
        end = self.source.find(">", self.position)
        if end < 0:
            raise _cannot_parse(f"Unclosed end tag at byte offset {at}")
        if not self.stack:
            raise _cannot_parse(f"Unexpected end tag at byte offset {at}")
        found = self.source[self.position + 2 : end].strip().lower()
        opened = self.stack.pop()
        if found not in {"", opened.tag}:
            raise _cannot_parse(
                f"Unmatched end tag at byte offset {at}, "
                f'expected "</{opened.tag}>", found "</{found}>"'
            )
        self.position = end + 1
        self._add(opened)

    def _add(self, opened: _Open) -> None:
        length = self.length - opened.offset
        url = opened.attributes.get("href") if opened.tag == "a" else None
        if length == 0 or (opened.tag == "a" and not url):
            return
        self.entities.append(
            Entity(type=_TYPES[opened.tag], offset=opened.offset, length=length, url=url)
        )

    def _byte_offset(self) -> int:
        return len(self.source[: self.position].encode())


def _attributes(source: str) -> dict[str, str]:
    return {
        match[1].lower(): match[2] or match[3] or match[4] or ""
        for match in _ATTRIBUTE.finditer(source)
    }


def _character(match: re.Match[str]) -> str | None:
    decimal, hexadecimal, name = match.groups()
    if name is not None:
        return _NAMED.get(name)
    code = int(decimal) if decimal is not None else int(hexadecimal, 16)
    is_text = 0 < code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF  # noqa: PLR2004 - Unicode
    return chr(code) if is_text else None


def _cannot_parse(why: str) -> Refused:
    return Refused(400, f"Bad Request: can't parse entities: {why}")
