"""Telegram's updates about money: the third way of reading them, beside envelope and event."""

import msgspec

from trt.domain.ids import ChatId, UserId
from trt.domain.inputs import (
    ChargeId,
    PaymentEvent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    PreCheckout,
    PreCheckoutId,
)
from trt.telegram.update_parts import (
    Payment,
    PaymentMessage,
    PaymentUpdate,
    PreCheckoutQuery,
    User,
)
from trt.telegram.updates import UNKNOWN_KIND, Unsupported, Update, parse_update

STARS = "XTR"
"""The currency of Telegram Stars (Bot API, Telegram Stars)."""

_payments = msgspec.json.Decoder(PaymentUpdate)


def read_payment(payload: bytes) -> tuple[Person, PaymentEvent] | Unsupported:
    """Read what an accepted update says about money (Bot API, Payments).

    Args:
        payload: An update of which `parse_update` said `is_payment`.

    Returns:
        Who and what; amounts, currency and payload are Telegram's word and still to be compared
        with the order. `Unsupported` for everything that is not about money, for a message outside
        of a private chat, and for an update that is not as the Bot API says: such a payment is
        found again in the list of Star transactions.
    """
    try:
        update = _payments.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _unsupported(payload)
    read = None
    if update.pre_checkout_query is not None:
        read = _pre_checkout(update.pre_checkout_query)
    elif update.message is not None and update.message.chat.type == "private":
        read = _message(update.message)
    return _unsupported(payload) if read is None else read


def _unsupported(payload: bytes) -> Unsupported:
    summary = parse_update(payload)
    return Unsupported(summary.kind if isinstance(summary, Update) else UNKNOWN_KIND)


def _pre_checkout(query: PreCheckoutQuery) -> tuple[Person, PaymentEvent]:
    # A pre-checkout names no chat; a private chat has the id of its user.
    return _person(query.from_.id, query.from_), PreCheckout(
        query_id=PreCheckoutId(query.id),
        currency=query.currency,
        total_stars=query.total_amount,
        payload=query.invoice_payload,
    )


def _message(message: PaymentMessage) -> tuple[Person, PaymentEvent] | None:
    # Of a refund Telegram tells in a message that the bot itself sends: who was refunded is the
    # chat (tdlib/telegram-bot-api, Client.cpp, outgoing messages that are not skipped).
    person = _person(message.chat.id, message.from_)
    if message.successful_payment is not None:
        return person, _fields(PaymentReceived, message.successful_payment)
    if message.refunded_payment is not None:
        return person, _fields(PaymentRefunded, message.refunded_payment)
    return None


def _fields(
    event: type[PaymentReceived] | type[PaymentRefunded], payment: Payment
) -> PaymentReceived | PaymentRefunded:
    return event(
        currency=payment.currency,
        total_stars=payment.total_amount,
        payload=payment.invoice_payload,
        telegram_payment_charge_id=ChargeId(payment.telegram_payment_charge_id),
        provider_payment_charge_id=payment.provider_payment_charge_id,
    )


def _person(user_id: int, user: User | None) -> Person:
    own = user if user is not None and user.id == user_id else None
    return Person(
        user_id=UserId(user_id),
        chat_id=ChatId(user_id),
        first_name=own.first_name.replace("\x00", "") if own is not None else "",
        language_code=own.language_code if own is not None else "",
    )
