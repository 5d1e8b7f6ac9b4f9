"""Result sending: what a job made, in the handsomest way that Telegram will have it."""

from enum import IntEnum
from html import escape
from typing import Literal, assert_never

import trio
from attrs import Factory, frozen

from trt.actors.fates import Apart, Arrived, Fate, Hopeless, OtherWay, TryLater, fate_of
from trt.actors.result_shelf import ResultShelf
from trt.domain.ids import ChatId, Cid, JobId
from trt.domain.reasons import Reason
from trt.domain.replies import SendResult
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import RefusedResult, ResultFile
from trt.kie.picture_size import PictureSize, picture_size
from trt.telegram.client import TelegramClient
from trt.telegram.outcomes import AlbumSent, FileFlaw, Rejected, SendOutcome
from trt.telegram.requests import AlbumItem
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream

RESULT_BYTES_MAX = 50_000_000
"""Bot API, sending files: other files up to 50 MB; so much for a whole album too."""
PHOTO_BYTES_MAX = 10_000_000
"""Bot API, sendPhoto."""
PHOTO_SIDES_MAX, PHOTO_RATIO_MAX = 10_000, 20
"""Bot API, sendPhoto: width and height together, and one by the other."""
PREVIEW_SIDE_MAX = 2560
"""The largest size in which Telegram keeps a photo (core.telegram.org/api/files, type w)."""

Kind = Literal["photo", "video", "audio", "document"]


class Way(IntEnum):
    """How a single file can go, the handsomest first."""

    AS_IT_IS = 0
    """A picture as a photo, a clip as a video, a sound as a track."""
    DOCUMENT = 1
    LINK = 2


@frozen(kw_only=True)
class ResultCourier:
    """Fetches results and sends them; each call is one that Telegram counts."""

    telegram: TelegramClient
    kie: KIEClient
    events: EventStream
    retry_s: float
    shelf: ResultShelf = Factory(ResultShelf)

    async def fetch_ahead(self, result: SendResult, cid: Cid | None = None) -> None:
        """Fetch the files of a row before its turn has come, as long as there is room for them."""
        for url in result.urls:
            if self.shelf.place(url) is not None and self.shelf.room > 0:
                await self._file(url, result.job_id, cid)

    async def carry(
        self, chat_id: ChatId, result: SendResult, ways_tried: int, cid: Cid | None = None
    ) -> Fate:
        """Send the files of one row: one by itself, several as an album.

        Args:
            chat_id: To whom.
            result: What.
            ways_tried: How many of the ways of a single file are behind us.
            cid: Under which a fetch is told.
        """
        if len(result.urls) > 1:
            return await self._album(chat_id, result, cid)
        way = Way(max(ways_tried, Way.DOCUMENT if result.is_original else Way.AS_IT_IS))
        if way is Way.LINK:
            return fate_of(await self._link(chat_id, result))
        file = await self._file(result.urls[0], result.job_id, cid)
        if not isinstance(file, ResultFile):
            return _without(file, ways_tried)
        kind: Kind = "document" if way is Way.DOCUMENT else _kind(file)
        outcome = await self._send(kind, chat_id, file, result)
        if isinstance(outcome, Rejected):
            return OtherWay(_next_way(kind, outcome.flaw) - ways_tried)
        fate = fate_of(outcome)
        if isinstance(fate, Arrived) and kind == "photo" and _is_shrunk(file):
            return Arrived(fate.message_id, originals=result.urls)
        return fate

    async def _album(self, chat_id: ChatId, result: SendResult, cid: Cid | None) -> Fate:
        items: list[AlbumItem] = []
        originals: list[str] = []
        bytes_left = RESULT_BYTES_MAX
        for url in result.urls:
            file = await self._file(url, result.job_id, cid, bytes_left)
            if isinstance(file, TryLater):
                return file
            if isinstance(file, RefusedResult):
                return Apart()
            bytes_left -= len(file.data)
            items.append(AlbumItem(kind=_kind(file), file=file))
            if items[-1].kind == "photo" and _is_shrunk(file):
                originals.append(url)
        kinds = {item.kind for item in items}
        if len(kinds) > 1 and kinds != {"photo", "video"}:
            return Apart()
        outcome = await self.telegram.send_media_group(chat_id, items, result.caption)
        if isinstance(outcome, Rejected):
            return Apart()
        if isinstance(outcome, AlbumSent):
            return Arrived(None, originals=tuple(originals))
        return fate_of(outcome)

    async def _file(
        self, url: str, job_id: JobId, cid: Cid | None, bytes_max: int = RESULT_BYTES_MAX
    ) -> ResultFile | RefusedResult | TryLater:
        """Return a file that is kept, or fetch it, and keep it if it is expected."""
        place = self.shelf.place(url)
        if place is None:
            return await self._fetch(url, job_id, cid, bytes_max)
        async with place.lock:
            file = place.file
            if file is None:
                fetched = await self._fetch(url, job_id, cid, bytes_max)
                if isinstance(fetched, ResultFile):
                    self.shelf.put(place, fetched)
                return fetched
        if len(file.data) > bytes_max:
            return RefusedResult(why=f"bigger than {bytes_max} bytes", is_too_big=True)
        return file

    async def _fetch(
        self, url: str, job_id: JobId, cid: Cid | None, bytes_max: int = RESULT_BYTES_MAX
    ) -> ResultFile | RefusedResult | TryLater:
        began = trio.current_time()
        fetched: ResultFile | RefusedResult | KIEUnavailable
        try:
            fetched = await self.kie.fetch_result(url, bytes_max)
        except KIEUnavailable as unavailable:
            fetched = unavailable
        self.events.emit(
            EventName.KIE_FETCH,
            cid=cid,
            job_id=job_id,
            duration_s=round(trio.current_time() - began, 3),
            **_outcome(fetched),
        )
        return TryLater(self.retry_s) if isinstance(fetched, KIEUnavailable) else fetched

    async def _send(
        self, kind: Kind, chat_id: ChatId, file: ResultFile, result: SendResult
    ) -> SendOutcome:
        telegram = self.telegram
        send = {
            "photo": telegram.send_photo,
            "video": telegram.send_video,
            "audio": telegram.send_audio,
            "document": telegram.send_document,
        }[kind]
        return await send(chat_id, file, result.caption, result.keyboard)

    async def _link(self, chat_id: ChatId, result: SendResult) -> SendOutcome:
        words = [result.caption, result.link_words, escape(result.urls[0])]
        text = "\n\n".join(each for each in words if each)
        return await self.telegram.send_message(chat_id, text, result.keyboard)


def _outcome(fetched: ResultFile | RefusedResult | KIEUnavailable) -> dict[str, FieldValue]:
    """Return how a fetch is told to have ended."""
    match fetched:
        case ResultFile(data=data):
            return {"outcome": "ResultFile", "bytes_count": len(data)}
        case RefusedResult(why=why):
            return {"outcome": "RefusedResult", "detail": why}
        case KIEUnavailable():
            return {"outcome": "unavailable", "detail": str(fetched)}
        case _:
            assert_never(fetched)


def _without(file: RefusedResult | TryLater, ways_tried: int) -> Fate:
    """Return what becomes of a row whose file could not be had."""
    match file:
        case TryLater():
            return file
        case RefusedResult(is_too_big=True):
            return OtherWay(Way.LINK - ways_tried)
        case RefusedResult(why=why):
            return Hopeless(why, Reason.KIE_NO_RESULT)
        case _:
            assert_never(file)


def _kind(file: ResultFile) -> Kind:
    """Return what a file is sent as, if Telegram's limits allow that."""
    match file.content_type.partition("/"):
        case ("image", _, kind) if kind != "gif" and _is_photo(file):
            return "photo"
        case ("video", _, "mp4"):
            return "video"
        case ("audio", _, "mpeg" | "mp4"):
            return "audio"
        case _:
            # As a photo a GIF would stand still; of others than MPEG-4, MP3 and M4A the Bot API
            # (sendVideo, sendAudio) says that they are documents.
            return "document"


def _is_photo(file: ResultFile) -> bool:
    if len(file.data) > PHOTO_BYTES_MAX:
        return False
    size = picture_size(file.data)
    if size is None:
        return True  # let Telegram look
    long, short = max(size.width, size.height), min(size.width, size.height)
    return long + short <= PHOTO_SIDES_MAX and long <= PHOTO_RATIO_MAX * short


def _is_shrunk(file: ResultFile) -> bool:
    """Return whether a photo in the chat is smaller than the picture."""
    size: PictureSize | None = picture_size(file.data)
    return size is not None and max(size.width, size.height) > PREVIEW_SIDE_MAX


def _next_way(kind: Kind, flaw: FileFlaw | None) -> Way:
    """Return the next way of a file that was refused as `kind`."""
    # A document may be as big as a video and no bigger: there only the link is left.
    is_hopeless_as_file = kind == "document" or (kind != "photo" and flaw is FileFlaw.TOO_BIG)
    return Way.LINK if is_hopeless_as_file else Way.DOCUMENT
