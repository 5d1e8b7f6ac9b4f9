"""How a call to the Bot API can end, as values to be matched."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

from trt.domain.ids import BotId, MessageId, UserId
from trt.domain.inputs import ChargeId


@frozen
class Sent:
    """The message is in the chat in the form that we wanted."""

    message_id: MessageId


@frozen
class Done:
    """A call that has nothing to tell but that it was carried out."""


@frozen
class RateLimited:
    """Nothing was done; not before `retry_after_s` seconds again."""

    retry_after_s: float


@frozen
class MessageGone:
    """The message to edit is not there or cannot be edited any more: send a new one."""

    description: str


@frozen
class CallbackExpired:
    """The query is too old to be answered, or was answered before.

    A tap's spinner has stopped by itself; the payment of a pre-checkout does not happen.
    """

    description: str


@frozen
class Blocked:
    """This user cannot be written to: blocked us, deleted the account, or never wrote to us."""

    description: str


@frozen
class ChatNotFound:
    """There is no such chat for this bot."""

    description: str


class FileFlaw(StrEnum):
    """What Telegram has against a file; each has its own next best way."""

    TOO_BIG = "TOO_BIG"
    """For this method: a photo may still go as a document, a document only as a link."""
    BAD_DIMENSIONS = "BAD_DIMENSIONS"
    """Too large or too long a picture for a photo: send it as a document."""
    WRONG_TYPE = "WRONG_TYPE"
    """Not what the method wants: send it as a document; a document by address: upload it."""
    UNREACHABLE = "UNREACHABLE"
    """Telegram could not get the file by its address or file_id: upload it."""


@frozen
class Rejected:
    """Telegram refused the call itself; the same call would be refused again."""

    code: int
    description: str
    flaw: FileFlaw | None = None
    """Set where the refusal is about the file."""


@frozen
class OutcomeUnknown:
    """The request may have been carried out: the answer was lost, late or unreadable."""

    why: str


@frozen
class Conflict:
    """Another instance polls, a webhook is set, or another setWebhook is under way (409)."""

    description: str


Refusal = (
    RateLimited | MessageGone | CallbackExpired | Blocked | ChatNotFound | Rejected | OutcomeUnknown
)
"""Every way in which a send, an edit or an answer can fail; one match serves them all."""


@frozen
class AlbumSent:
    """The album is in the chat; the ids of its messages, in order."""

    message_ids: tuple[MessageId, ...]


@frozen
class LinkMade:
    """An invoice link: whoever has it can pay, as often as they like."""

    url: str


@frozen
class Refunded:
    """The Stars went back to the payer."""


@frozen
class AlreadyRefunded:
    """They went back before: by us, or from outside. For a refund that is repeated, success."""


SendOutcome = Sent | Refusal
AlbumOutcome = AlbumSent | Refusal
ActOutcome = Done | Refusal
LinkOutcome = LinkMade | Refusal
RefundOutcome = Refunded | AlreadyRefunded | Refusal
SetupOutcome = Done | RateLimited | Conflict | Rejected


@frozen(kw_only=True)
class BotProfile:
    """Who our token belongs to."""

    bot_id: BotId
    username: str
    first_name: str


@frozen(kw_only=True)
class WebhookInfo:
    """What Telegram knows of our webhook; the address holds a secret path, so no repr of it."""

    url: str = field(repr=False)
    pending_update_count: int
    max_connections: int | None
    allowed_updates: tuple[str, ...]
    last_error_at: datetime | None
    last_error_message: str | None


class Direction(StrEnum):
    """Where Stars went, seen from our balance."""

    IN = "IN"
    OUT = "OUT"


INVOICE_PAYMENT = "invoice_payment"
"""The kind of a paid invoice, and of its refund in the other direction."""


@frozen(kw_only=True)
class StarTransaction:
    """A line of our Star account; (`charge_id`, `direction`) is its key.

    A refund has the charge id of its payment and the direction OUT.
    """

    charge_id: ChargeId
    direction: Direction
    amount_stars: int
    at: datetime
    kind: str
    """With a user: `invoice_payment`, `paid_media_payment`, `gift_purchase` …; else the type of
    the other side: `fragment`, `telegram_ads`, `telegram_api`, `affiliate_program`, `other` …"""
    user_id: UserId | None
    payload: str | None
    """Of a paid invoice: what it named as its order."""


@frozen(kw_only=True)
class UserFile:
    """A file that a user sent."""

    path: str
    """Telegram's file_path, such as `photos/file_7.jpg`."""
    data: bytes = field(repr=False)


class Upload(Protocol):
    """A file to be sent: anything that has a name, a content type and bytes."""

    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def data(self) -> bytes: ...
