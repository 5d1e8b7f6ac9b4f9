"""Chats as the Bot API writes them in JSON."""

from datetime import datetime
from typing import Any

from trt.sandbox.telegram_chat import (
    FakeButton,
    FakeChat,
    FakeFile,
    FakeKeyboard,
    FakeMessage,
    FakePerson,
)
from trt.sandbox.telegram_stars import FakeInvoice

JSON = dict[str, Any]


def unix(at: datetime) -> int:
    """Return whole seconds since 1970, as every date of the Bot API is."""
    return int(at.timestamp())


def user_wire(person: FakePerson) -> JSON:
    """Return a person as the Bot API's User."""
    return {
        "id": person.user_id,
        "is_bot": False,
        "first_name": person.first_name,
        "language_code": person.language_code,
    }


def bot_wire(bot_id: int, username: str) -> JSON:
    """Return the bot as the Bot API's User."""
    return {"id": bot_id, "is_bot": True, "first_name": "TRT", "username": username}


def chat_wire(chat: FakeChat) -> JSON:
    """Return a private chat as the Bot API's Chat."""
    return {"id": chat.chat_id, "type": "private", "first_name": chat.person.first_name}


def message_wire(message: FakeMessage, chat: FakeChat, bot: JSON) -> JSON:
    """Return a message as the Bot API's Message."""
    wire: JSON = {
        "message_id": message.message_id,
        "from": bot if message.is_from_bot else user_wire(chat.person),
        "chat": chat_wire(chat),
        "date": unix(message.sent_at),
    }
    if message.edited_at is not None:
        wire["edit_date"] = unix(message.edited_at)
    prefix = "" if message.kind == "text" else "caption_"
    if message.text:
        wire[prefix.rstrip("_") or "text"] = message.text
    entities = [entity.wire() for entity in message.entities] or _commands(message)
    if entities:
        wire[f"{prefix}entities"] = entities
    if message.file is not None:
        wire[message.kind] = file_wire(message.file)
    if message.album_id is not None:
        wire["media_group_id"] = message.album_id
    if message.invoice is not None:
        wire["invoice"] = invoice_wire(message.invoice)
    if message.service is not None:
        wire[message.kind] = message.service
    if message.keyboard:
        wire["reply_markup"] = {"inline_keyboard": keyboard_wire(message.keyboard)}
    return wire


def keyboard_wire(keyboard: FakeKeyboard) -> list[list[JSON]]:
    """Return the rows of an InlineKeyboardMarkup."""
    return [[_button_wire(button) for button in row] for row in keyboard]


def _button_wire(button: FakeButton) -> JSON:
    if button.is_pay:
        return {"text": button.text, "pay": True}
    if button.data is not None:
        return {"text": button.text, "callback_data": button.data}
    return {"text": button.text, "url": button.url}


def invoice_wire(invoice: FakeInvoice) -> JSON:
    """Return an invoice as the Bot API's Invoice; its payload is for the bot alone."""
    return {
        "title": invoice.title,
        "description": invoice.description,
        "start_parameter": invoice.start_parameter,
        "currency": invoice.currency,
        "total_amount": invoice.price_stars,
    }


def file_wire(file: FakeFile) -> JSON | list[JSON]:
    """Return a file as the Bot API's PhotoSize list, Video, Audio, Document and so on."""
    wire: JSON = {
        "file_id": file.file_id,
        "file_unique_id": file.file_id[-16:],
        "file_size": len(file.data),
    }
    if file.kind == "photo":
        return [wire | {"width": file.width, "height": file.height}]
    wire |= {"mime_type": file.content_type}
    match file.kind:
        case "sticker":
            return wire | {
                "type": "regular", "width": file.width, "height": file.height,
                "is_animated": False, "is_video": False,
            }  # fmt: skip
        case "video" | "animation":
            return wire | {"width": file.width, "height": file.height, "duration": 0}
        case "audio" | "voice":
            return wire | {"duration": 0}
        case _:
            return wire | {"file_name": file.name}


def _commands(message: FakeMessage) -> list[JSON]:
    if message.is_from_bot or not message.text.startswith("/"):
        return []
    return [{"type": "bot_command", "offset": 0, "length": len(message.text.split()[0])}]
