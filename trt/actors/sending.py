"""Sending: one outbox row turned into the Telegram calls that carry it out."""

from collections.abc import Awaitable, Callable
from typing import assert_never

from attrs import frozen

from trt.actors.open_taps import OpenTaps
from trt.domain.ids import ChatId, MessageId
from trt.domain.replies import AnswerCallback, Keyboard, Screen, SendResult, ShowScreen
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable
from trt.kie.outcomes import RefusedResult, ResultFile
from trt.storage.outbox import OutboxRow, UnreadableReply
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import (
    ActOutcome,
    Blocked,
    CallbackExpired,
    ChatNotFound,
    Done,
    MessageGone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendOutcome,
    Sent,
)

RESULT_BYTES_MAX = 50_000_000
"""Bot API, sending files: other files up to 50 MB."""
PHOTO_BYTES_MAX = 10_000_000
"""Bot API, sendPhoto."""


@frozen
class Arrived:
    """It is done; `message_id` is None for what makes no message."""

    message_id: MessageId | None


@frozen
class TryLater:
    """It did not happen, surely; try again in `seconds`. A freeze holds for the whole chat."""

    seconds: float
    is_freeze: bool = False


@frozen
class Uncertain:
    """It may have happened. A second time is better than never, and is counted."""

    detail: str


@frozen
class OtherWay:
    """Telegram will not have it this way: the message to edit is gone, or it is no photo for it.

    The next way is a send of its own, with its own place in the pace.
    """


@frozen
class Hopeless:
    """It will never happen; `detail` is for the operator."""

    detail: str


Fate = Arrived | TryLater | Uncertain | OtherWay | Hopeless

Sender = Callable[[ChatId, ResultFile, str, Keyboard], Awaitable[SendOutcome]]


@frozen(kw_only=True)
class Courier:
    """Carries out outbox rows; knows Telegram and where results are fetched, no database."""

    telegram: TelegramClient
    kie: KIEClient
    taps: OpenTaps
    retry_s: float = 2.0

    async def carry(self, row: OutboxRow, target: MessageId | None, ways_tried: int = 0) -> Fate:
        """Carry out one row, by one call that Telegram counts.

        Args:
            row: What to say and to whom.
            target: The message that the row's screen should replace, if it is known.
            ways_tried: How many ways of saying it ended as `OtherWay` before.
        """
        try:
            match row.reply:
                case ShowScreen(screen=screen, edit_message_id=edit_message_id):
                    edited = (target or edit_message_id) if ways_tried == 0 else None
                    return await self._show(row.chat_id, screen, edited)
                case AnswerCallback():
                    return await self._answer(row.reply)
                case SendResult():
                    return await self._send_result(row.chat_id, row.reply, ways_tried)
                case UnreadableReply():
                    return Hopeless("the row was written by another release")
                case _:
                    assert_never(row.reply)
        except TelegramUnavailable:
            return TryLater(self.retry_s)

    async def _show(self, chat_id: ChatId, screen: Screen, target: MessageId | None) -> Fate:
        if target is not None:
            outcome = await self.telegram.edit_message_text(
                chat_id, target, screen.text, screen.keyboard
            )
            if isinstance(outcome, OutcomeUnknown):
                return TryLater(self.retry_s)  # the same edit a second time changes nothing
            return OtherWay() if isinstance(outcome, MessageGone) else self._fate(outcome)
        return self._fate(await self.telegram.send_message(chat_id, screen.text, screen.keyboard))

    async def _answer(self, answer: AnswerCallback) -> Fate:
        self.taps.take(answer.callback_id)
        outcome = await self.telegram.answer_callback_query(
            answer.callback_id, answer.text, is_alert=answer.is_alert
        )
        if isinstance(outcome, CallbackExpired):
            return Arrived(None)  # the clock was faster, or the tap is too old: no spinner is left
        return self._fate(outcome)

    async def _send_result(self, chat_id: ChatId, result: SendResult, ways_tried: int) -> Fate:
        try:
            file = await self.kie.fetch_result(result.urls[0], RESULT_BYTES_MAX)
        except KIEUnavailable:
            return TryLater(self.retry_s)
        if isinstance(file, RefusedResult):
            return Hopeless(file.why)
        send, *others = self._ways(file)[ways_tried:]
        outcome = await send(chat_id, file, result.caption, result.keyboard)
        return OtherWay() if isinstance(outcome, Rejected) and others else self._fate(outcome)

    def _ways(self, file: ResultFile) -> tuple[Sender, ...]:
        """Return the ways of sending a file, the handsomest first."""
        document: Sender = self.telegram.send_document
        kind = file.content_type.partition("/")[0]
        if kind == "image" and len(file.data) <= PHOTO_BYTES_MAX:
            return (self.telegram.send_photo, document)
        if kind == "video":
            return (self.telegram.send_video, document)
        if kind == "audio":
            return (self.telegram.send_audio, document)
        return (document,)

    def _fate(self, outcome: SendOutcome | ActOutcome) -> Fate:
        match outcome:
            case Sent(message_id=message_id):
                return Arrived(message_id)
            case Done():
                return Arrived(None)
            case RateLimited(retry_after_s=retry_after_s):
                return TryLater(retry_after_s, is_freeze=True)
            case OutcomeUnknown(why=detail):
                return Uncertain(detail)
            case Blocked():
                return Hopeless("the user blocked the bot")
            case ChatNotFound():
                return Hopeless("chat not found")
            case MessageGone():
                return Hopeless("the message to edit is gone")
            case CallbackExpired():
                return Hopeless("the tap is too old to be answered")
            case Rejected(code=code, description=description):
                return Hopeless(f"{code}: {description}")
            case _:
                assert_never(outcome)
