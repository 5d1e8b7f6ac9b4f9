"""The Bot API's methods about files: photos, clips, documents, albums, and their bytes."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from trt.sandbox.telegram_chat import FakeFile
from trt.sandbox.telegram_checks import checked_caption, checked_keyboard
from trt.sandbox.telegram_files import DOWNLOAD_BYTES_MAX
from trt.sandbox.telegram_markup import FormattedText
from trt.sandbox.telegram_outgoing import Arguments, Done, Method, Outgoing
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_world import TelegramWorld

FILE_KINDS = ("photo", "video", "audio", "voice", "document", "animation")
ALBUM_MIN = 2
ALBUM_MAX = 10
_ALBUM_KINDS = frozenset({"photo", "video", "audio", "document"})
_ALONE = frozenset({"audio", "document"})


@frozen
class MediaMethods:
    """Everything that sends or names a file."""

    _world: TelegramWorld
    _outgoing: Outgoing

    @property
    def table(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {
            "sendMediaGroup": self._send_album,
            "getFile": self._get_file,
        } | {f"send{kind.title()}": _FileSender(self, kind) for kind in FILE_KINDS}

    async def send_file(self, kind: str, arguments: Arguments) -> Done:
        """Do sendPhoto, sendVideo and so on."""
        chat = self._outgoing.chat(arguments)
        formatted = _caption(arguments)
        keyboard = checked_keyboard(arguments.get("reply_markup"))
        file = await self._world.files.take(kind, arguments.get(kind), arguments)
        return Done(
            self._outgoing.put(
                chat,
                kind,
                **_looks(arguments, formatted),
                keyboard=keyboard,
                file=_sized(file, arguments),
            )
        )

    async def _send_album(self, arguments: Arguments) -> Done:
        # How an album counts against the limits is not documented: here as one message.
        chat = self._outgoing.chat(arguments)
        items = _checked_album(arguments["media"])
        ready: list[dict[str, Any]] = []
        for number, item in enumerate(items, 1):
            try:
                looks = _looks(item, _caption(item))
                file = await self._world.files.take(item["type"], item.get("media"), arguments)
            except Refused as refusal:
                raise _item_failed(number, refusal) from None
            ready.append(looks | {"file": _sized(file, item)})
        album_id = str(self._world.sources.random().getrandbits(60))
        return Done(
            [
                self._outgoing.put(chat, item["type"], album_id=album_id, **content)
                for item, content in zip(items, ready, strict=True)
            ]
        )

    async def _get_file(self, arguments: Arguments) -> Done:
        file = self._world.files.get(arguments["file_id"])
        if file is None:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(file.data) > DOWNLOAD_BYTES_MAX:
            raise Refused(400, "Bad Request: file is too big")
        return Done(
            {
                "file_id": file.file_id,
                "file_unique_id": file.file_id[-16:],
                "file_size": len(file.data),
                "file_path": self._world.files.link(file),
            }
        )


@frozen
class _FileSender:
    _methods: MediaMethods = field(repr=False)
    _kind: str

    async def __call__(self, arguments: Arguments) -> Done:
        return await self._methods.send_file(self._kind, arguments)


def _caption(arguments: Arguments) -> FormattedText:
    return checked_caption(arguments.get("caption", ""), arguments.get("parse_mode", ""))


def _looks(arguments: Arguments, formatted: FormattedText) -> dict[str, Any]:
    html = arguments.get("caption", "") if arguments.get("parse_mode") else ""
    return {"text": formatted.text, "html": html, "entities": formatted.entities}


def _sized(file: FakeFile, arguments: Arguments) -> FakeFile:
    """Pictures are measured, of clips the sender says the size."""
    if file.kind == "photo":
        return file
    return evolve(file, width=arguments.get("width", 0), height=arguments.get("height", 0))


def _checked_album(media: object) -> list[dict[str, Any]]:
    if not isinstance(media, list):
        raise Refused(400, "Bad Request: expected an Array of InputMedia")
    if len(media) < ALBUM_MIN:
        raise Refused(400, "Bad Request: too few messages to send as an album")
    if len(media) > ALBUM_MAX:
        raise Refused(400, "Bad Request: too many messages to send as an album")
    for item in media:
        if not isinstance(item, dict) or not isinstance(item.get("media"), str):
            raise Refused(400, "Bad Request: can't parse InputMedia: media not found")
        if item.get("type") not in _ALBUM_KINDS:
            raise Refused(400, "Bad Request: can't parse InputMedia: type must be supported")
    kinds = {item["type"] for item in media}
    if len(kinds) > 1 and kinds & _ALONE:
        raise Refused(400, "Bad Request: can't use the media of the specified type in the album")
    return media


def _item_failed(number: int, refusal: Refused) -> Refused:
    if not refusal.description.startswith("Bad Request: "):
        return refusal
    why = refusal.description.removeprefix("Bad Request: ")
    text = f'failed to send message #{number} with the error message "{why}"'
    return Refused(refusal.code, f"Bad Request: {text}")
