"""Telegram Stars: invoices, the last word before a payment, refunds, and the account's lines."""

import re
from datetime import UTC, datetime
from typing import Any, Protocol

from attrs import frozen

from trt.domain.ids import ChatId, UserId
from trt.domain.inputs import ChargeId, PreCheckoutId
from trt.domain.replies import Keyboard
from trt.telegram.answers import Answer, Ending, acted, gave, returned, sent
from trt.telegram.outcomes import (
    ActOutcome,
    AlreadyRefunded,
    Direction,
    Done,
    LinkMade,
    LinkOutcome,
    Refunded,
    RefundOutcome,
    SendOutcome,
    StarTransaction,
)
from trt.telegram.payments import STARS
from trt.telegram.wire import StarAmount, StarRow, StarRows, pay_keyboard

TITLE_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 255
PAYLOAD_BYTES_MAX = 128
TRANSACTIONS_MAX = 100
"""Bot API, getStarTransactions: `limit`."""
ALREADY_REFUNDED = "CHARGE_ALREADY_REFUNDED"

_START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{0,64}")


@frozen(kw_only=True)
class Invoice:
    """What is for sale (Bot API, sendInvoice); one price, in whole Stars."""

    title: str
    description: str
    payload: str
    """Our order, 1 to 128 bytes; the payer does not see it."""
    price_stars: int
    start_parameter: str = ""
    """Empty: a forwarded copy can be paid by whoever gets it. Else a forwarded copy has a link to
    the bot with this `/start` argument in place of the pay button."""

    def __attrs_post_init__(self) -> None:
        assert 1 <= len(self.title) <= TITLE_LENGTH_MAX, self.title
        assert 1 <= len(self.description) <= DESCRIPTION_LENGTH_MAX, self.description
        assert 1 <= len(self.payload.encode()) <= PAYLOAD_BYTES_MAX, self.payload
        assert self.price_stars >= 1, self.price_stars
        assert _START_PARAMETER.fullmatch(self.start_parameter), self.start_parameter


class Call(Protocol):
    """Makes one call to the Bot API."""

    async def __call__(self, method: str, arguments: dict[str, Any], /) -> Ending: ...


class StarsClient:
    """The calls about money; part of a `TelegramClient`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def send_invoice(
        self, chat_id: ChatId, invoice: Invoice, pay_text: str, keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send an invoice (Bot API, sendInvoice).

        Args:
            chat_id: Where to.
            invoice: What is for sale.
            pay_text: What stands on the pay button; Telegram shows "⭐" and "XTR" as a Star.
            keyboard: More rows below the pay button.
        """
        arguments = _invoice(invoice) | {
            "chat_id": chat_id,
            "reply_markup": pay_keyboard(pay_text, keyboard),
        }
        if invoice.start_parameter:
            arguments["start_parameter"] = invoice.start_parameter
        return sent(await self._call("sendInvoice", arguments))

    async def create_invoice_link(self, invoice: Invoice) -> LinkOutcome:
        """Make a link that opens the invoice anywhere (Bot API, createInvoiceLink)."""
        url = gave(await self._call("createInvoiceLink", _invoice(invoice)), str)
        return LinkMade(url) if isinstance(url, str) else url

    async def answer_pre_checkout_query(
        self, query_id: PreCheckoutId, *, refusal: str | None = None
    ) -> ActOutcome:
        """Let a payment go on, or refuse it with words for the payer.

        Telegram waits 10 s (Bot API, answerPreCheckoutQuery); afterwards, and when the query was
        answered before, the outcome is `CallbackExpired`. `Done` is no payment yet.
        """
        assert refusal != "", "a refusal says why"
        arguments: dict[str, Any] = {"pre_checkout_query_id": query_id, "ok": refusal is None}
        if refusal is not None:
            arguments["error_message"] = refusal
        return acted(await self._call("answerPreCheckoutQuery", arguments))

    async def refund_star_payment(self, user_id: UserId, charge_id: ChargeId) -> RefundOutcome:
        """Give a payment back, all of it (Bot API, refundStarPayment).

        It is done once, however often it is asked for: after an unknown outcome ask again.
        """
        arguments = {"user_id": user_id, "telegram_payment_charge_id": charge_id}
        ending = await self._call("refundStarPayment", arguments)
        if isinstance(ending, Answer) and ALREADY_REFUNDED in ending.description:
            return AlreadyRefunded()
        outcome = acted(ending)
        return Refunded() if isinstance(outcome, Done) else outcome

    async def get_star_transactions(
        self, offset: int = 0, limit: int = TRANSACTIONS_MAX
    ) -> tuple[StarTransaction, ...]:
        """Return lines of our Star account, oldest first (Bot API, getStarTransactions).

        New lines come at the end: who reads on at `offset` plus what came misses none.

        Args:
            offset: How many of the oldest to leave out.
            limit: 1 to 100; fewer lines came means that there are no more.

        Raises:
            TelegramUnavailable: No usable answer.
            TelegramUnauthorized: The token is wrong.
        """
        assert offset >= 0, offset
        assert 1 <= limit <= TRANSACTIONS_MAX, limit
        method = "getStarTransactions"
        ending = await self._call(method, {"offset": offset, "limit": limit})
        return tuple(_transaction(row) for row in returned(method, ending, StarRows).transactions)

    async def get_my_star_balance(self) -> int:
        """Return our whole Stars (Bot API, getMyStarBalance); raises as get_star_transactions.

        Buyers' chargebacks can make it negative.
        """
        method = "getMyStarBalance"
        return returned(method, await self._call(method, {}), StarAmount).amount


def _invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "title": invoice.title,
        "description": invoice.description,
        "payload": invoice.payload,
        "provider_token": "",
        "currency": STARS,
        "prices": [{"label": invoice.title, "amount": invoice.price_stars}],
    }


def _transaction(row: StarRow) -> StarTransaction:
    partner = row.source or row.receiver
    return StarTransaction(
        charge_id=ChargeId(row.id),
        direction=Direction.OUT if row.source is None else Direction.IN,
        amount_stars=row.amount,
        at=datetime.fromtimestamp(row.date, UTC),
        kind=(partner.transaction_type or partner.type) if partner is not None else "other",
        user_id=UserId(partner.user.id) if partner is not None and partner.user else None,
        payload=partner.invoice_payload if partner is not None else None,
    )
