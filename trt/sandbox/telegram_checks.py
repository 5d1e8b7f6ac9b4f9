"""What Telegram refuses in texts, keyboards and files, with its own words."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from trt.sandbox.telegram_chat import FakeButton, FakeKeyboard
from trt.sandbox.telegram_markup import FormattedText, parse_html
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_stars import STARS, FakeInvoice

TEXT_LENGTH_MAX = 4_096
CAPTION_LENGTH_MAX = 1_024
CALLBACK_DATA_BYTES_MAX = 64
TOAST_LENGTH_MAX = 200
BUTTONS_MAX = 100
PHOTO_BYTES_MAX = 10 * 1024 * 1024
FILE_BYTES_MAX = 50 * 1024 * 1024
PHOTO_SIDES_MAX = 10_000
PHOTO_RATIO_MAX = 20
TITLE_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 255
PAYLOAD_BYTES_MAX = 128
_START_PARAMETER = re.compile(r"[A-Za-z0-9_-]{0,64}")
_ACTIONS = frozenset(
    [
        "url",
        "callback_data",
        "web_app",
        "login_url",
        "switch_inline_query",
        "switch_inline_query_current_chat",
        "switch_inline_query_chosen_chat",
        "copy_text",
        "callback_game",
        "pay",
    ]
)
CHAT_ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)


def checked_text(source: str, parse_mode: str) -> FormattedText:
    """Return the text of a message, parsed.

    Raises:
        Refused: it is empty, longer than 4096 characters after parsing, or cannot be parsed.
    """
    if not source:
        raise Refused(400, "Bad Request: message text is empty")
    formatted = _formatted(source, parse_mode)
    if not formatted.text.strip():
        raise Refused(400, "Bad Request: text must be non-empty")
    if len(formatted.text) > TEXT_LENGTH_MAX:
        raise Refused(400, "Bad Request: message is too long")
    return formatted


def checked_caption(source: str, parse_mode: str) -> FormattedText:
    """Return a caption, parsed.

    Raises:
        Refused: it is longer than 1024 characters after parsing, or cannot be parsed.
    """
    formatted = _formatted(source, parse_mode)
    if len(formatted.text) > CAPTION_LENGTH_MAX:
        raise Refused(400, "Bad Request: message caption is too long")
    return formatted


def _formatted(source: str, parse_mode: str) -> FormattedText:
    match parse_mode.lower():
        case "":
            return FormattedText(text=source)
        case "html":
            return parse_html(source)
        case _:
            # Markdown is real at Telegram; this house writes HTML only.
            raise Refused(400, "Bad Request: unsupported parse_mode")


def checked_keyboard(markup: object, *, is_invoice: bool = False) -> FakeKeyboard:
    """Return the buttons of an InlineKeyboardMarkup; `None` is no keyboard.

    Only an invoice has a pay button, and it is its first one.

    Raises:
        Refused: it has another shape, or a button Telegram would not show.
    """
    if markup is None:
        return ()
    if not isinstance(markup, dict):
        raise Refused(400, "Bad Request: object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        raise Refused(400, "Bad Request: only inline keyboards are known to the sandbox")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refused(
            400, 'Bad Request: field "inline_keyboard" must be an Array of Arrays of buttons'
        )
    keyboard = tuple(tuple(_button(button) for button in row) for row in rows if row)
    if sum(map(len, keyboard)) > BUTTONS_MAX:
        raise Refused(400, "Bad Request: reply markup is too long")
    _check_pay_button([button.is_pay for row in keyboard for button in row], is_invoice=is_invoice)
    return keyboard


def _check_pay_button(is_pay: Sequence[bool], *, is_invoice: bool) -> None:
    if any(is_pay) and not is_invoice:
        raise Refused(400, "Bad Request: BUTTON_TYPE_INVALID")
    if any(is_pay[1:]):
        raise Refused(400, "Bad Request: BUTTON_POS_INVALID")
    if is_invoice and is_pay and not is_pay[0]:
        raise Refused(400, "Bad Request: REPLY_MARKUP_BUY_EMPTY")


def _button(button: object) -> FakeButton:
    if not isinstance(button, dict):
        raise _bad_button("expected an Object")
    text = button.get("text")
    if not isinstance(text, str) or not text:
        raise _bad_button('field "text" must be a non-empty String')
    actions = sorted(_ACTIONS & button.keys())
    if not actions:
        raise Refused(400, "Bad Request: Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise _bad_button("exactly one of its optional fields must be used")
    if actions == ["callback_data"]:
        data = button["callback_data"]
        if not isinstance(data, str) or not 1 <= len(data.encode()) <= CALLBACK_DATA_BYTES_MAX:
            raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return FakeButton(text=text, data=data)
    if actions == ["pay"]:
        return FakeButton(text=text.replace("XTR", "⭐"), is_pay=True)
    url = button.get("url")
    if actions == ["url"] and (not isinstance(url, str) or "." not in url):
        raise Refused(400, "Bad Request: inline keyboard button URL is invalid: Wrong HTTP URL")
    return FakeButton(text=text, url=url if isinstance(url, str) else "")


def _bad_button(why: str) -> Refused:
    return Refused(400, f"Bad Request: can't parse InlineKeyboardButton: {why}")


@frozen(kw_only=True)
class Size:
    """Pixels."""

    width: int
    height: int


def check_upload_size(kind: str, data: bytes) -> None:
    """Refuse an upload that is too big (Bot API, "Sending files").

    Raises:
        Refused: a photo over 10 MB, anything over 50 MB, or nothing at all.
    """
    if not data:
        raise Refused(400, "Bad Request: file must be non-empty")
    if len(data) > FILE_BYTES_MAX:
        raise Refused(413, "Request Entity Too Large")
    if kind == "photo" and len(data) > PHOTO_BYTES_MAX:
        raise Refused(400, "Bad Request: file is too big")


def checked_photo(data: bytes) -> Size:
    """Return the size of a photo.

    Raises:
        Refused: it is no image, or its sides break the rules of sendPhoto (width and height
            together at most 10000, ratio at most 20).
    """
    from PIL import Image  # noqa: PLC0415 - production never needs Pillow

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED") from None
    is_odd = max(width, height) > PHOTO_RATIO_MAX * min(width, height)
    if width + height > PHOTO_SIDES_MAX or is_odd:
        raise Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    return Size(width=width, height=height)


def checked_invoice(arguments: Mapping[str, Any]) -> FakeInvoice:
    """Return what sendInvoice or createInvoiceLink offers.

    The house sells for Stars only: another currency is refused for want of a provider.

    Raises:
        Refused: it breaks a rule of the Bot API for invoices in Telegram Stars.
    """
    for name, length_max in (("title", TITLE_LENGTH_MAX), ("description", DESCRIPTION_LENGTH_MAX)):
        if not arguments[name]:
            raise Refused(400, f"Bad Request: parameter {name} is required")
        if len(arguments[name]) > length_max:
            raise Refused(400, f"Bad Request: {name} must have at most {length_max} characters")
    if not 1 <= len(arguments["payload"].encode()) <= PAYLOAD_BYTES_MAX:
        raise Refused(400, "Bad Request: INVOICE_PAYLOAD_INVALID")
    if arguments["currency"] != STARS or arguments.get("provider_token"):
        raise Refused(400, "Bad Request: PAYMENT_PROVIDER_INVALID")
    if not _START_PARAMETER.fullmatch(arguments.get("start_parameter", "")):
        raise Refused(400, "Bad Request: START_PARAM_INVALID")
    return FakeInvoice(
        title=arguments["title"],
        description=arguments["description"],
        payload=arguments["payload"],
        price_stars=_checked_price(arguments["prices"]),
        start_parameter=arguments.get("start_parameter", ""),
    )


def _checked_price(prices: object) -> int:
    if not isinstance(prices, list):
        raise Refused(400, "Bad Request: expected an Array of labeled prices")
    if not prices:
        raise Refused(400, "Bad Request: there must be at least one price")
    price = prices[0]
    if not isinstance(price, dict) or not isinstance(price.get("label"), str) or not price["label"]:
        raise Refused(
            400, "Bad Request: can't parse labeled price: expected an Object with a label"
        )
    amount = price.get("amount")
    if type(amount) is not int:
        raise Refused(400, "Bad Request: can't parse labeled price: amount must be a Number")
    if len(prices) > 1:
        raise Refused(400, "Bad Request: STARS_INVOICE_INVALID")
    if amount < 1:
        raise Refused(400, "Bad Request: CURRENCY_TOTAL_AMOUNT_INVALID")
    return amount
