"""Sending: one outbox row turned into the Telegram calls that carry it out."""

from typing import assert_never

from attrs import frozen

from trt.actors.fates import Arrived, Fate, Hopeless, OtherWay, TryLater, fate_of
from trt.actors.open_taps import OpenTaps
from trt.actors.result_sending import ResultCourier
from trt.domain.ids import ChatId, MessageId
from trt.domain.replies import (
    AnswerCallback,
    PassOnFile,
    Screen,
    SendInvoice,
    SendResult,
    ShowScreen,
)
from trt.storage.outbox import OutboxRow, UnreadableReply
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import (
    CallbackExpired,
    MessageGone,
    OutcomeUnknown,
    SendOutcome,
)
from trt.telegram.stars import Invoice

RETRY_S = 2.0
"""How soon a send is tried again that surely did not happen; each further pause is longer."""


@frozen(kw_only=True)
class Courier:
    """Carries out outbox rows; knows Telegram and where results are fetched, no database."""

    telegram: TelegramClient
    results: ResultCourier
    taps: OpenTaps
    retry_s: float = RETRY_S

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
                    return await self.results.carry(row.chat_id, row.reply, ways_tried, row.cid)
                case SendInvoice():
                    return fate_of(await self._offer(row.chat_id, row.reply))
                case PassOnFile():
                    return fate_of(await self._pass_on(row.chat_id, row.reply))
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
            return OtherWay() if isinstance(outcome, MessageGone) else fate_of(outcome)
        return fate_of(await self.telegram.send_message(chat_id, screen.text, screen.keyboard))

    async def _answer(self, answer: AnswerCallback) -> Fate:
        self.taps.take(answer.callback_id)
        if self.taps.is_answered(answer.callback_id):
            return Arrived(None)  # somebody was faster, and Telegram takes one answer
        outcome = await self.telegram.answer_callback_query(
            answer.callback_id, answer.text, is_alert=answer.is_alert
        )
        if isinstance(outcome, CallbackExpired):
            return Arrived(None)  # the clock was faster, or the tap is too old: no spinner is left
        return fate_of(outcome)

    async def _offer(self, chat_id: ChatId, offer: SendInvoice) -> SendOutcome:
        invoice = Invoice(
            title=offer.title,
            description=offer.description,
            payload=offer.payload,
            price_stars=offer.price_stars,
        )
        return await self.telegram.stars.send_invoice(chat_id, invoice, offer.pay_text)

    async def _pass_on(self, chat_id: ChatId, file: PassOnFile) -> SendOutcome:
        send = self.telegram.send_photo if file.is_photo else self.telegram.send_document
        return await send(chat_id, file.file_id, file.caption, file.keyboard)
