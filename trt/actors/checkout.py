"""Checkout: the last word before a payment, from the question and our signature alone."""

from collections.abc import Callable
from datetime import datetime

import trio
from attrs import frozen

from trt.domain.copy import Copies, language_of
from trt.domain.inputs import PreCheckout
from trt.domain.payments import DOUBT_KEYS, doubt_about
from trt.domain.till import Till
from trt.storage.inbox import InboxRow
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import CallbackExpired, Done
from trt.telegram.payments import read_payment
from trt.telegram.updates import Unsupported
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

ANSWER_S_MAX = 10.0
"""How long Telegram waits for the answer (Bot API, answerPreCheckoutQuery)."""
_PAUSES_S = (0.2, 0.4, 0.8)


@frozen(kw_only=True)
class Checkout:
    """Answers pre-checkouts; needs no database, so every instance can, active or not.

    To agree commits us to nothing: the money arrives as an update of its own, which is kept.
    """

    till: Till
    copies: Copies
    telegram: TelegramClient
    events: EventStream
    now: Callable[[], datetime]

    async def answer(self, row: InboxRow) -> None:
        """Let a payment go on or refuse it with words; what is too late is left alone.

        A call that surely did not reach Telegram is repeated, and so is one whose answer was lost:
        the first answer is the one that counts.
        """
        read = read_payment(row.payload)
        if isinstance(read, Unsupported):
            return
        person, query = read
        if not isinstance(query, PreCheckout):
            return
        asked_s = trio.current_time()
        waited_s = max(0.0, (self.now() - row.received_at).total_seconds())
        doubt = doubt_about(query, self.till.stars.seal, self.now())
        refusal = None
        if doubt is not None:
            refusal = self.copies.of(language_of(person.language_code)).plain(DOUBT_KEYS[doubt])
        outcome = "late"
        with trio.move_on_after(ANSWER_S_MAX - waited_s):
            outcome = await self._answer(query, refusal)
        self.events.emit(
            EventName.PRE_CHECKOUT,
            cid=row.cid,
            user_id=row.user_id,
            update_id=row.update_id,
            outcome=outcome,
            reason=doubt,
            stars=query.total_stars,
            duration_s=round(trio.current_time() - asked_s, 3),
        )

    async def _answer(self, query: PreCheckout, refusal: str | None) -> str:
        for pause_s in (*_PAUSES_S, None):
            try:
                ended = await self.telegram.stars.answer_pre_checkout_query(
                    query.query_id, refusal=refusal
                )
            except TelegramUnavailable:
                ended = None
            if isinstance(ended, Done):
                return "agreed" if refusal is None else "refused"
            if isinstance(ended, CallbackExpired):
                return "late"
            if pause_s is not None:
                await trio.sleep(pause_s)
        return "unanswered"
