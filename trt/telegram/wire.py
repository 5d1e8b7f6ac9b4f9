"""The parts of the Bot API's JSON that we read and write; unknown fields are ignored."""

import msgspec

from trt.domain.replies import Keyboard


class Parameters(msgspec.Struct):
    """Bot API, ResponseParameters."""

    retry_after: float | None = None


class Reply(msgspec.Struct):
    """The envelope of every answer (Bot API, Making requests)."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int | None = None
    description: str = ""
    parameters: Parameters | None = None


class MessageRef(msgspec.Struct):
    """Of a sent message we need only the id."""

    message_id: int


class Me(msgspec.Struct):
    """Bot API, User, as getMe returns it."""

    id: int
    first_name: str
    username: str = ""


class WebhookState(msgspec.Struct):
    """Bot API, WebhookInfo."""

    url: str
    pending_update_count: int = 0
    max_connections: int | None = None
    allowed_updates: tuple[str, ...] = ()
    last_error_date: int | None = None
    last_error_message: str | None = None


def inline_keyboard(keyboard: Keyboard) -> dict[str, list[list[dict[str, str]]]]:
    """Return a keyboard as Bot API, InlineKeyboardMarkup."""
    return {
        "inline_keyboard": [
            [{"text": button.text, "callback_data": button.data} for button in row]
            for row in keyboard
        ]
    }
