"""The few fields of Telegram's update objects that we read (Bot API 10.2, Update)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Raw, UnsetType

Number = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""An id that a database can hold; Telegram's have at most 52 bits (Bot API, User, Chat)."""


class Id(msgspec.Struct):
    """Anything of which only the number matters: a user, a chat."""

    id: Number


class PartMessage(msgspec.Struct):
    """The message under a tapped button."""

    chat: Id | None = None


class Part(msgspec.Struct, rename={"from_": "from"}):
    """What the different kinds of updates have in common."""

    from_: Id | None = None
    user: Id | None = None
    chat: Id | None = None
    message: PartMessage | None = None
    id: str | int | None = None
    successful_payment: Raw | UnsetType = UNSET
    refunded_payment: Raw | UnsetType = UNSET


class Envelope(msgspec.Struct):
    """An update as the inbox sees it: which kind, and whose."""

    update_id: int
    message: Part | None = None
    callback_query: Part | None = None
    pre_checkout_query: Part | None = None
    edited_message: Part | None = None
    my_chat_member: Part | None = None
    channel_post: Part | None = None
    edited_channel_post: Part | None = None
    business_connection: Part | None = None
    business_message: Part | None = None
    edited_business_message: Part | None = None
    deleted_business_messages: Part | None = None
    guest_message: Part | None = None
    message_reaction: Part | None = None
    message_reaction_count: Part | None = None
    inline_query: Part | None = None
    chosen_inline_result: Part | None = None
    shipping_query: Part | None = None
    purchased_paid_media: Part | None = None
    poll: Part | None = None
    poll_answer: Part | None = None
    chat_member: Part | None = None
    chat_join_request: Part | None = None
    chat_boost: Part | None = None
    removed_chat_boost: Part | None = None
    managed_bot: Part | None = None
    subscription: Part | None = None


class User(msgspec.Struct):
    """Bot API, User."""

    id: Number
    first_name: str = ""
    language_code: str = ""


class Chat(msgspec.Struct):
    """Bot API, Chat."""

    id: Number
    type: str


class TappedMessage(msgspec.Struct):
    """Bot API, MaybeInaccessibleMessage."""

    message_id: Number
    chat: Chat
    date: int = 1


class CallbackQuery(msgspec.Struct, rename={"from_": "from"}):
    """Bot API, CallbackQuery."""

    id: str
    from_: User
    message: TappedMessage | None = None
    data: str | None = None


class Message(msgspec.Struct, rename={"from_": "from"}):
    """Bot API, Message: who, where, and what kind of content."""

    chat: Chat
    from_: User | None = None
    text: str | None = None
    caption: str | None = None
    # The order decides where Telegram fills two: an animation is also a document, a venue also a
    # location.
    animation: Raw | UnsetType = UNSET
    audio: Raw | UnsetType = UNSET
    live_photo: Raw | UnsetType = UNSET
    paid_media: Raw | UnsetType = UNSET
    photo: Raw | UnsetType = UNSET
    sticker: Raw | UnsetType = UNSET
    story: Raw | UnsetType = UNSET
    video: Raw | UnsetType = UNSET
    video_note: Raw | UnsetType = UNSET
    voice: Raw | UnsetType = UNSET
    document: Raw | UnsetType = UNSET
    checklist: Raw | UnsetType = UNSET
    contact: Raw | UnsetType = UNSET
    dice: Raw | UnsetType = UNSET
    game: Raw | UnsetType = UNSET
    poll: Raw | UnsetType = UNSET
    venue: Raw | UnsetType = UNSET
    location: Raw | UnsetType = UNSET
    rich_message: Raw | UnsetType = UNSET


MEDIA = Message.__struct_fields__[4:]
"""Kinds of content that are not text."""

FILES = frozenset({"photo", "video", "animation", "audio", "voice", "document"})
"""Kinds of content that the bot may want to fetch."""


class File(msgspec.Struct):
    """Bot API, PhotoSize, Video, Animation, Audio, Voice, Document: what they have in common."""

    file_id: str
    file_size: int | None = None
    mime_type: str | None = None
    width: int = 0
    height: int = 0


class EventUpdate(msgspec.Struct):
    """An update as the session sees it."""

    message: Message | None = None
    callback_query: CallbackQuery | None = None


class PreCheckoutQuery(msgspec.Struct, rename={"from_": "from"}):
    """Bot API, PreCheckoutQuery."""

    id: str
    from_: User
    currency: str
    total_amount: Number
    invoice_payload: str


class Payment(msgspec.Struct):
    """Bot API, SuccessfulPayment and RefundedPayment."""

    currency: str
    total_amount: Number
    invoice_payload: str
    telegram_payment_charge_id: str
    provider_payment_charge_id: str = ""


class PaymentMessage(msgspec.Struct, rename={"from_": "from"}):
    """Bot API, Message: the service messages about money."""

    chat: Chat
    from_: User | None = None
    successful_payment: Payment | None = None
    refunded_payment: Payment | None = None


class PaymentUpdate(msgspec.Struct):
    """An update as the till sees it."""

    pre_checkout_query: PreCheckoutQuery | None = None
    message: PaymentMessage | None = None
