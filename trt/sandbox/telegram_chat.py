"""Chats as their two sides see them: people, messages, buttons, files."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define, field, frozen

from trt.sandbox.telegram_markup import Entity
from trt.sandbox.telegram_stars import Checkout, FakeInvoice


@frozen(kw_only=True)
class FakePerson:
    """A Telegram account."""

    user_id: int
    first_name: str
    language_code: str


@frozen(kw_only=True)
class FakeButton:
    """An inline button: a tap with `data`, a link with `url`, or the pay button of an invoice."""

    text: str
    data: str | None = None
    url: str | None = None
    is_pay: bool = False


FakeKeyboard = tuple[tuple[FakeButton, ...], ...]


@frozen(kw_only=True)
class FakeFile:
    """A file that Telegram keeps."""

    file_id: str
    kind: str
    """photo, video, audio, voice, document, animation or sticker."""
    name: str
    content_type: str
    data: bytes = field(repr=False)
    width: int = 0
    height: int = 0


@define(kw_only=True, eq=False)
class FakeMessage:
    """A message as it looks now; an edit changes it in place."""

    message_id: int
    chat_id: int
    is_from_bot: bool
    kind: str
    """text, the kind of its file, invoice, or the name of what `service` tells."""
    sent_at: datetime
    text: str = ""
    """What the reader sees: the text or the caption, without markup."""
    html: str = ""
    """The bot's markup behind `text`, in Telegram's HTML; empty for plain text."""
    entities: tuple[Entity, ...] = ()
    keyboard: FakeKeyboard = ()
    file: FakeFile | None = None
    album_id: str | None = None
    invoice: FakeInvoice | None = None
    service: Mapping[str, Any] | None = None
    """Of a service message, what it tells, as the Bot API writes it."""
    edits: int = 0
    edited_at: datetime | None = None

    @property
    def is_edited(self) -> bool:
        """Whether it was changed since it was sent."""
        return self.edits > 0

    @property
    def buttons(self) -> Sequence[FakeButton]:
        """All buttons in reading order."""
        return [button for row in self.keyboard for button in row]

    def button(self, wanted: str) -> FakeButton | None:
        """Return the tappable button with this text or this callback data."""
        for button in self.buttons:
            if button.data is not None and wanted in {button.text, button.data}:
                return button
        return None


@define(kw_only=True, eq=False)
class FakeChat:
    """The private chat of one person with the bot."""

    person: FakePerson
    messages: list[FakeMessage] = Factory(list)
    """What is in the chat, oldest first; a deleted message is gone."""
    is_started: bool = False
    """A bot may not write first (Bot API: can't initiate conversation)."""
    is_blocked: bool = False
    actions: list[str] = Factory(list)
    """Every chat action shown ("typing", "upload_photo"), oldest first."""
    _last_id: int = 0

    @property
    def chat_id(self) -> int:
        """A private chat has the id of its person."""
        return self.person.user_id

    def next_message_id(self) -> int:
        """Return the id of the next message: ids count per chat."""
        self._last_id += 1
        return self._last_id

    def find(self, message_id: int) -> FakeMessage | None:
        """Return the message, or None when it never was or is deleted."""
        return next((one for one in self.messages if one.message_id == message_id), None)


@frozen(kw_only=True)
class Tap:
    """One press of an inline button."""

    callback_id: str
    user_id: int
    message_id: int
    data: str
    update_id: int
    tapped_at: float
    """Seconds on trio's clock."""


@frozen(kw_only=True)
class Answer:
    """How the bot answered a tap."""

    text: str
    is_alert: bool
    after_s: float


@frozen(kw_only=True)
class MessageAdded:
    """A message came into a chat, from either side."""

    message: FakeMessage


@frozen(kw_only=True)
class MessageEdited:
    """A message looks different now."""

    message: FakeMessage


@frozen(kw_only=True)
class MessageDeleted:
    """A message is gone."""

    message: FakeMessage


@frozen(kw_only=True)
class TapMade:
    """A person pressed a button and sees a spinner on it."""

    tap: Tap


@frozen(kw_only=True)
class TapAnswered:
    """The spinner stopped."""

    tap: Tap
    answer: Answer


@frozen(kw_only=True)
class ChatActionShown:
    """The bot shows that it is doing something."""

    chat_id: int
    action: str


@frozen(kw_only=True)
class CheckoutEnded:
    """A payment came to its end, a good or a bad one."""

    checkout: Checkout


@frozen(kw_only=True)
class WalletChanged:
    """A person has more or fewer Stars."""

    user_id: int
    stars: int


ChatChange = (
    MessageAdded
    | MessageEdited
    | MessageDeleted
    | TapMade
    | TapAnswered
    | ChatActionShown
    | CheckoutEnded
    | WalletChanged
)
