"""The Bot API methods this sandbox knows, with every argument that Telegram documents for them."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from attrs import frozen

from trt.sandbox.http import Upload
from trt.sandbox.telegram_refusal import Refused


class Kind(StrEnum):
    """What an argument may be."""

    INT = "int"
    BOOL = "bool"
    STR = "str"
    FLOAT = "float"
    CHAT = "chat"
    """A number or a @username."""
    FILE = "file"
    """An upload, an address or a file_id."""
    JSON = "json"
    """An object or an array; as text in every encoding but JSON."""


@frozen(kw_only=True)
class Argument:
    """One documented argument of a method."""

    kind: Kind
    is_required: bool


# Bot API 10.2 (2026-07-14): name, then `argument:kind`, with `!` where it is required.
_DOCUMENTED = """
getMe
getUpdates
    offset:int limit:int timeout:int allowed_updates:json
setWebhook
    url:str! certificate:file ip_address:str max_connections:int allowed_updates:json
    drop_pending_updates:bool secret_token:str
deleteWebhook
    drop_pending_updates:bool
getWebhookInfo
sendMessage
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str text:str!
    parse_mode:str entities:json link_preview_options:json disable_notification:bool
    protect_content:bool allow_paid_broadcast:bool message_effect_id:str
    suggested_post_parameters:json reply_parameters:json reply_markup:json
sendPhoto
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str photo:file!
    caption:str parse_mode:str caption_entities:json show_caption_above_media:bool
    has_spoiler:bool disable_notification:bool protect_content:bool
    allow_paid_broadcast:bool message_effect_id:str suggested_post_parameters:json
    reply_parameters:json reply_markup:json
sendVideo
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str video:file!
    duration:int width:int height:int thumbnail:file cover:file start_timestamp:int
    caption:str parse_mode:str caption_entities:json show_caption_above_media:bool
    has_spoiler:bool supports_streaming:bool disable_notification:bool
    protect_content:bool allow_paid_broadcast:bool message_effect_id:str
    suggested_post_parameters:json reply_parameters:json reply_markup:json
sendAudio
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str audio:file!
    caption:str parse_mode:str caption_entities:json duration:int performer:str title:str
    thumbnail:file disable_notification:bool protect_content:bool
    allow_paid_broadcast:bool message_effect_id:str suggested_post_parameters:json
    reply_parameters:json reply_markup:json
sendVoice
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str voice:file!
    caption:str parse_mode:str caption_entities:json duration:int
    disable_notification:bool protect_content:bool allow_paid_broadcast:bool
    message_effect_id:str suggested_post_parameters:json reply_parameters:json
    reply_markup:json
sendDocument
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str document:file!
    thumbnail:file caption:str parse_mode:str caption_entities:json
    disable_content_type_detection:bool disable_notification:bool protect_content:bool
    allow_paid_broadcast:bool message_effect_id:str suggested_post_parameters:json
    reply_parameters:json reply_markup:json
sendAnimation
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int receiver_user_id:int callback_query_id:str
    animation:file! duration:int width:int height:int thumbnail:file caption:str
    parse_mode:str caption_entities:json show_caption_above_media:bool has_spoiler:bool
    disable_notification:bool protect_content:bool allow_paid_broadcast:bool
    message_effect_id:str suggested_post_parameters:json reply_parameters:json
    reply_markup:json
sendChatAction
    business_connection_id:str chat_id:chat! message_thread_id:int action:str!
editMessageText
    business_connection_id:str chat_id:chat message_id:int inline_message_id:str text:str
    parse_mode:str entities:json link_preview_options:json rich_message:json
    reply_markup:json
editMessageCaption
    business_connection_id:str chat_id:chat message_id:int inline_message_id:str
    caption:str parse_mode:str caption_entities:json show_caption_above_media:bool
    reply_markup:json
editMessageReplyMarkup
    business_connection_id:str chat_id:chat message_id:int inline_message_id:str
    reply_markup:json
deleteMessage
    chat_id:chat! message_id:int!
answerCallbackQuery
    callback_query_id:str! text:str show_alert:bool url:str cache_time:int
answerPreCheckoutQuery
    pre_checkout_query_id:str! ok:bool! error_message:str
sendMediaGroup
    business_connection_id:str chat_id:chat! message_thread_id:int
    direct_messages_topic_id:int media:json! disable_notification:bool protect_content:bool
    allow_paid_broadcast:bool message_effect_id:str reply_parameters:json
sendInvoice
    chat_id:chat! message_thread_id:int direct_messages_topic_id:int title:str!
    description:str! payload:str! provider_token:str currency:str! prices:json!
    max_tip_amount:int suggested_tip_amounts:json start_parameter:str provider_data:str
    photo_url:str photo_size:int photo_width:int photo_height:int need_name:bool
    need_phone_number:bool need_email:bool need_shipping_address:bool
    send_phone_number_to_provider:bool send_email_to_provider:bool is_flexible:bool
    disable_notification:bool protect_content:bool allow_paid_broadcast:bool
    message_effect_id:str suggested_post_parameters:json reply_parameters:json
    reply_markup:json
createInvoiceLink
    business_connection_id:str title:str! description:str! payload:str! provider_token:str
    currency:str! prices:json! subscription_period:int max_tip_amount:int
    suggested_tip_amounts:json provider_data:str photo_url:str photo_size:int
    photo_width:int photo_height:int need_name:bool need_phone_number:bool need_email:bool
    need_shipping_address:bool send_phone_number_to_provider:bool
    send_email_to_provider:bool is_flexible:bool
refundStarPayment
    user_id:int! telegram_payment_charge_id:str!
getStarTransactions
    offset:int limit:int
getMyStarBalance
getFile
    file_id:str!
setMyCommands
    commands:json! scope:json language_code:str
getMyCommands
    scope:json language_code:str
deleteMyCommands
    scope:json language_code:str
setChatMenuButton
    chat_id:int menu_button:json
"""


def _parse(documented: str) -> dict[str, dict[str, Argument]]:
    methods: dict[str, dict[str, Argument]] = {}
    name = ""
    for line in documented.strip().splitlines():
        if not line.startswith(" "):
            name = line
            methods[name] = {}
            continue
        for word in line.split():
            argument, _, kind = word.partition(":")
            methods[name][argument] = Argument(
                kind=Kind(kind.rstrip("!")), is_required=kind.endswith("!")
            )
    return methods


METHODS: Mapping[str, Mapping[str, Argument]] = _parse(_DOCUMENTED)
_NAMES = {name.lower(): name for name in METHODS}


def method_name(spelled: str) -> str | None:
    """Return the documented spelling of a method, in whatever case it came; None if unknown."""
    return _NAMES.get(spelled.lower())


def read_arguments(
    method: str, values: Mapping[str, object], *, is_strict: bool
) -> dict[str, object]:
    """Return the arguments of `method` in their own types: int, bool, float, str, JSON or Upload.

    An argument the method does not have is refused when `is_strict`, else dropped, as the real
    server does.

    Raises:
        Refused: an argument is unknown, missing or of the wrong type.
    """
    documented = METHODS[method]
    read: dict[str, object] = {}
    for name, value in values.items():
        if name not in documented:
            # Files of a multipart body are named freely and referred to as attach://name.
            if isinstance(value, Upload):
                read[name] = value
            elif is_strict:
                raise Refused(400, f"Bad Request: {method} has no argument {name} (strict sandbox)")
            continue
        if value is not None:
            read[name] = _convert(name, documented[name].kind, value)
    for name, argument in documented.items():
        if argument.is_required and name not in read:
            raise Refused(400, _MISSING.get(name, f"Bad Request: parameter {name} is required"))
    return read


_MISSING = {
    "chat_id": "Bad Request: chat_id is empty",
    "text": "Bad Request: message text is empty",
    "photo": "Bad Request: there is no photo in the request",
    "video": "Bad Request: there is no video in the request",
    "audio": "Bad Request: there is no audio in the request",
    "document": "Bad Request: there is no document in the request",
    "user_id": "Bad Request: invalid user_id specified",
}


def _convert(name: str, kind: Kind, value: object) -> object:
    match kind, value:
        case Kind.BOOL, bool():
            return value
        case Kind.BOOL, str() if value.lower() in {"true", "1", "yes", "false", "0", "no", ""}:
            return value.lower() in {"true", "1", "yes"}
        case Kind.INT | Kind.FLOAT, (int() | float() | str()) if not isinstance(value, bool):
            return _number(name, kind, value)
        case Kind.CHAT, int() if not isinstance(value, bool):
            return value
        case Kind.CHAT, str():
            return int(value) if value.lstrip("-").isdigit() else value
        case Kind.STR, (int() | float()) if not isinstance(value, bool):
            return str(value)
        case (Kind.STR, str()) | (Kind.FILE, (str() | Upload())) | (Kind.JSON, (dict() | list())):
            return value
        case Kind.JSON, str():
            return _json(name, value)
        case _:
            raise Refused(400, f"Bad Request: parameter {name} has a wrong type")


def _number(name: str, kind: Kind, value: float | str) -> float:
    try:
        return int(value) if kind is Kind.INT else float(value)
    except ValueError:
        raise Refused(400, f"Bad Request: parameter {name} must be a number") from None


def _json(name: str, value: str) -> object:
    if not value:
        return None
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise Refused(400, f"Bad Request: can't parse {name} JSON object") from None
