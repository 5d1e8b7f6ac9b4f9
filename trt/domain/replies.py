"""What we can say to a user, without transport: these are the rows of the outbox."""

from enum import StrEnum

from attrs import frozen

from trt.domain.ids import CallbackId, JobId, MessageId
from trt.domain.model_card import OutputKind


class ScreenId(StrEnum):
    """Every screen there is, as the log calls it (UI_RENDER)."""

    MAIN_MENU = "MAIN_MENU"
    CATEGORY_PICK = "CATEGORY_PICK"
    MODEL_CARD = "MODEL_CARD"
    PARAMS_FORM = "PARAMS_FORM"
    CONFIRM = "CONFIRM"
    PROCESSING = "PROCESSING"
    RESULT = "RESULT"
    FAILURE = "FAILURE"
    BALANCE = "BALANCE"
    INSUFFICIENT = "INSUFFICIENT"
    TOP_UP = "TOP_UP"
    TRANSFER = "TRANSFER"
    """Where to transfer money by hand; what is sent next is the receipt."""
    LEGAL = "LEGAL"
    """Terms, privacy, help with payments."""
    JOBS = "JOBS"
    HELP = "HELP"
    NOTICE = "NOTICE"
    """A short text that is not a place to be: stray input, outdated button, passive mode."""

    @classmethod
    def of_an_order(cls) -> "frozenset[ScreenId]":
        """Return the screens on which an order is being filled in."""
        return frozenset({cls.MODEL_CARD, cls.PARAMS_FORM, cls.CONFIRM, cls.INSUFFICIENT})


@frozen(kw_only=True)
class Button:
    """An inline button; `data` is at most 64 bytes of UTF-8 (Bot API, InlineKeyboardButton)."""

    text: str
    data: str


Keyboard = tuple[tuple[Button, ...], ...]
"""Rows of buttons."""


@frozen(kw_only=True)
class Screen:
    """A message with buttons; `text` is Telegram HTML with every foreign word escaped."""

    screen_id: ScreenId
    text: str
    keyboard: Keyboard = ()


@frozen(kw_only=True)
class ShowScreen:
    """Show a screen: in place of `edit_message_id` where that still works, else newly."""

    screen: Screen
    edit_message_id: MessageId | None = None
    slot: str | None = None
    """Screens of one slot replace each other: the next one edits the message of the last one, and
    one that was not yet sent is skipped when a newer one waits."""


@frozen(kw_only=True)
class AnswerCallback:
    """Stop the spinner on a button, with an optional toast (at most 200 characters) or alert."""

    callback_id: CallbackId
    text: str = ""
    is_alert: bool = False


@frozen(kw_only=True)
class SendResult:
    """Send what a job made; its delivery is what the user pays for."""

    job_id: JobId
    output: OutputKind
    urls: tuple[str, ...]
    caption: str
    keyboard: Keyboard = ()
    link_words: str = ""
    """HTML above the bare address, should Telegram take the file in no other way."""
    is_original: bool = False
    """Send the one file as it is, below the preview that was sent before."""


@frozen(kw_only=True)
class SendInvoice:
    """Offer rubles for Stars (Bot API, sendInvoice)."""

    title: str
    """At most 32 characters."""
    description: str
    """At most 255 characters."""
    payload: str
    """A signed offer."""
    price_stars: int
    pay_text: str


@frozen(kw_only=True)
class PassOnFile:
    """Show somebody a file that a user sent: a receipt to the admin."""

    file_id: str
    is_photo: bool
    """Else a document."""
    caption: str
    keyboard: Keyboard = ()


Reply = ShowScreen | AnswerCallback | SendResult | SendInvoice | PassOnFile
