"""What a user can do to the bot, in the house's words."""

from typing import NewType

from attrs import field, frozen

from trt.domain.ids import CallbackId, ChatId, MessageId, UserId

FileId = NewType("FileId", str)
"""Telegram's id of a file, good for our bot only and for as long as we like."""

PreCheckoutId = NewType("PreCheckoutId", str)
"""Telegram's question whether a payment may go on, good for one answer within 10 s."""

ChargeId = NewType("ChargeId", str)
"""Telegram's id of one payment: whoever tells of it and however often, it is the same payment."""


@frozen(kw_only=True)
class Person:
    """Who did it."""

    user_id: UserId
    chat_id: ChatId
    first_name: str
    language_code: str
    """IETF tag from the Telegram profile, or empty."""


@frozen(kw_only=True)
class CommandSent:
    """A message that starts with a slash; `command` without the slash and the bot's name."""

    command: str
    argument: str


@frozen(kw_only=True)
class TextSent:
    """A plain text message."""

    text: str


@frozen(kw_only=True)
class MediaSent:
    """A sticker, contact, dice …, of which nothing can be fetched; `kind` is Telegram's field."""

    kind: str


@frozen(kw_only=True)
class FileSent:
    """A photo, video, document … that the bot can fetch, if it has at most 20 MB."""

    file_id: FileId
    kind: str
    """Telegram's field name: photo, video, animation, audio, voice or document."""
    size_bytes: int | None
    mime_type: str | None
    """As the sender's app named it; a photo is always a JPEG."""
    caption: str = field(repr=False)


@frozen(kw_only=True)
class ButtonTapped:
    """A tap on an inline button; `message_id` is None when Telegram no longer names the message."""

    callback_id: CallbackId
    data: str
    message_id: MessageId | None


UserEvent = CommandSent | TextSent | MediaSent | FileSent | ButtonTapped


@frozen(kw_only=True)
class PreCheckout:
    """Somebody pressed Pay: may it go on? The last moment at which a payment can be refused."""

    query_id: PreCheckoutId
    currency: str
    total_stars: int
    """Whole Stars if `currency` is XTR; of another currency, its smallest units."""
    payload: str
    """What our invoice named as its order; the invoice may have been forwarded."""


@frozen(kw_only=True)
class PaymentReceived:
    """Somebody paid. Told at least once; `telegram_payment_charge_id` is what counts once."""

    currency: str
    total_stars: int
    payload: str
    telegram_payment_charge_id: ChargeId
    provider_payment_charge_id: str


@frozen(kw_only=True)
class PaymentRefunded:
    """A payment went back, by us or from outside; the charge id is that of the payment."""

    currency: str
    total_stars: int
    payload: str
    telegram_payment_charge_id: ChargeId
    provider_payment_charge_id: str


PaymentEvent = PreCheckout | PaymentReceived | PaymentRefunded
