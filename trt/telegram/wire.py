"""The parts of the Bot API's JSON that we read and write; unknown fields are ignored."""

from typing import Any

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


class UserRef(msgspec.Struct):
    """Of a user we need only the id."""

    id: int


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


class FilePath(msgspec.Struct):
    """Bot API, File."""

    file_size: int | None = None
    file_path: str | None = None


class Partner(msgspec.Struct):
    """Bot API, TransactionPartner, of every kind."""

    type: str
    transaction_type: str | None = None
    user: UserRef | None = None
    invoice_payload: str | None = None


class StarRow(msgspec.Struct):
    """Bot API, StarTransaction; `nanostar_amount` never comes of invoices and is left out."""

    id: str
    amount: int
    date: int
    source: Partner | None = None
    receiver: Partner | None = None


class StarRows(msgspec.Struct):
    """Bot API, StarTransactions."""

    transactions: list[StarRow]


class StarAmount(msgspec.Struct):
    """Bot API, StarAmount."""

    amount: int


def inline_keyboard(keyboard: Keyboard) -> dict[str, list[list[dict[str, Any]]]]:
    """Return a keyboard as Bot API, InlineKeyboardMarkup."""
    return {
        "inline_keyboard": [
            [{"text": button.text, "callback_data": button.data} for button in row]
            for row in keyboard
        ]
    }


def pay_keyboard(pay_text: str, keyboard: Keyboard) -> dict[str, list[list[dict[str, Any]]]]:
    """Return a keyboard that begins with a pay button, as an invoice's must (Bot API)."""
    markup = inline_keyboard(keyboard)
    markup["inline_keyboard"].insert(0, [{"text": pay_text, "pay": True}])
    return markup
