"""How a call to the Bot API can end, as values to be matched."""

from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from trt.domain.ids import BotId, MessageId


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
    """The tap is too old to be answered; its spinner has stopped by itself."""

    description: str


@frozen
class Blocked:
    """This user cannot be written to: blocked us, deleted the account, or never wrote to us."""

    description: str


@frozen
class ChatNotFound:
    """There is no such chat for this bot."""

    description: str


@frozen
class Rejected:
    """Telegram refused the call itself; the same call would be refused again."""

    code: int
    description: str


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

SendOutcome = Sent | Refusal
ActOutcome = Done | Refusal
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


class Upload(Protocol):
    """A file to be sent: anything that has a name, a content type and bytes."""

    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def data(self) -> bytes: ...
