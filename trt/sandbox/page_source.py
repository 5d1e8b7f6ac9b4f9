"""What the sandbox page shows, and the narrow doors through which its server gets it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal, Protocol

from attrs import frozen

TreeView = Mapping[str, Any]
"""The supervision tree as JSON-able data: a snapshot's fields, and `channels` beside them."""


@frozen(kw_only=True)
class Bot:
    """Whom the chat is with."""

    name: str
    username: str


@frozen(kw_only=True)
class Person:
    """A prepared user with the app open."""

    id: int
    name: str
    language: str
    stars: int = 0
    """Pretended Telegram Stars."""


@frozen(kw_only=True)
class PageButton:
    """An inline button: with `data` it is a tap, with `url` a link; a pay button pays."""

    text: str
    data: str | None = None
    url: str | None = None
    is_pay: bool = False


@frozen(kw_only=True)
class PageInvoice:
    """What is for sale."""

    title: str
    description: str
    price_stars: int


@frozen(kw_only=True)
class PageMessage:
    """A message of a private chat, as its person sees it now."""

    id: int
    is_from_bot: bool
    kind: Literal["text", "photo", "video", "audio", "document", "invoice", "notice"]
    html: str
    """Text or caption in Telegram's HTML subset (Bot API, "HTML style")."""

    file_id: str | None = None
    file_name: str | None = None
    invoice: PageInvoice | None = None
    keyboard: Sequence[Sequence[PageButton]] = ()
    edits: int = 0
    sent_at: datetime


@frozen(kw_only=True)
class PageFile:
    """The bytes of a photo, clip or document."""

    content: bytes
    media_type: str


@frozen(kw_only=True)
class MessageShown:
    """A message appeared, or changed in place."""

    user_id: int
    message: PageMessage


@frozen(kw_only=True)
class MessageGone:
    """The bot deleted a message."""

    user_id: int
    message_id: int


@frozen(kw_only=True)
class TapAnswered:
    """The bot answered a tap: the spinner of that button stops."""

    user_id: int
    message_id: int
    data: str
    text: str
    is_alert: bool


@frozen(kw_only=True)
class ActionShown:
    """The bot shows that it is busy, for at most 5 s (Bot API, sendChatAction)."""

    user_id: int
    action: str


@frozen(kw_only=True)
class StarsChanged:
    """A person has more or fewer Stars."""

    user_id: int
    stars: int


@frozen(kw_only=True)
class CheckoutEnded:
    """A payment that the person began is over; `text` says how."""

    user_id: int
    text: str
    is_alert: bool


Change = MessageShown | MessageGone | TapAnswered | ActionShown | StarsChanged | CheckoutEnded


@frozen(kw_only=True)
class PageWireEntry:
    """One finished call between the bot and a service; never with a secret or a prompt."""

    at: datetime
    direction: Literal["in", "out"]
    """`in`: the service called the bot. `out`: the bot called the service."""

    service: str
    method: str
    status: int | None
    """The HTTP status; `None` when the connection was lost."""

    duration_s: float
    summary: str = ""


class ChatSource(Protocol):
    """The pretended Telegram, seen from its people's side."""

    def bot(self) -> Bot: ...

    def people(self) -> Sequence[Person]:
        """Return the prepared users; at least one."""
        ...

    def messages(self, user_id: int) -> Sequence[PageMessage]:
        """Return the whole chat of a prepared user, oldest first."""
        ...

    def send(self, user_id: int, text: str) -> None:
        """Let the person write to the bot."""
        ...

    def tap(self, user_id: int, message_id: int, data: str) -> bool:
        """Let the person tap a button; `False` when that message has no such button now."""
        ...

    def pay(self, user_id: int, message_id: int) -> bool:
        """Let the person pay an invoice; `False` without a pay button there or enough Stars."""
        ...

    def file(self, file_id: str) -> PageFile | None: ...

    def subscribe(self) -> AbstractContextManager[AsyncIterator[Change]]:
        """Return a context that yields every change from now on."""
        ...


class WireSource(Protocol):
    """The log of calls between the bot and the outside world."""

    def recent(self) -> Sequence[PageWireEntry]:
        """Return the newest calls that are still remembered, oldest first."""
        ...

    def subscribe(self) -> AbstractContextManager[AsyncIterator[PageWireEntry]]:
        """Return a context that yields every new call from now on."""
        ...
