"""What became of a try to send one outbox row, in the words of whoever has to decide what next."""

from typing import assert_never

from attrs import frozen

from trt.domain.ids import MessageId
from trt.domain.reasons import Reason
from trt.telegram.outcomes import (
    ActOutcome,
    Blocked,
    CallbackExpired,
    ChatNotFound,
    Done,
    MessageGone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    SendOutcome,
    Sent,
)


@frozen
class Arrived:
    """It is done."""

    message_id: MessageId | None
    """None for what makes no message, or several."""
    originals: tuple[str, ...] = ()
    """Addresses of pictures of which only a smaller preview has arrived."""


@frozen
class TryLater:
    """It did not happen, surely; try again in `seconds`. A freeze holds for the whole chat."""

    seconds: float
    is_freeze: bool = False


@frozen
class Uncertain:
    """It may have happened. A second time is better than never, and is counted."""

    detail: str


@frozen
class OtherWay:
    """Telegram will not have it this way: the message to edit is gone, or it is no photo for it.

    The next way is a send of its own, with its own place in the pace.
    """

    steps: int = 1
    """How many ways further on the next one is that may work."""


@frozen
class Apart:
    """These files do not go into one message: each has to go by itself."""


@frozen
class Hopeless:
    """It will never happen; `detail` is for the operator."""

    detail: str
    reason: Reason = Reason.DELIVERY_FAILED
    """If it is a result: what its job has failed of."""


Fate = Arrived | TryLater | Uncertain | OtherWay | Apart | Hopeless


def fate_of(outcome: SendOutcome | ActOutcome) -> Fate:
    """Return what an outcome means that has no other way."""
    match outcome:
        case Sent(message_id=message_id):
            return Arrived(message_id)
        case Done():
            return Arrived(None)
        case RateLimited(retry_after_s=retry_after_s):
            return TryLater(retry_after_s, is_freeze=True)
        case OutcomeUnknown(why=detail):
            return Uncertain(detail)
        case Blocked():
            return Hopeless("the user blocked the bot")
        case ChatNotFound():
            return Hopeless("chat not found")
        case MessageGone():
            return Hopeless("the message to edit is gone")
        case CallbackExpired():
            return Hopeless("the tap is too old to be answered")
        case Rejected(code=code, description=description):
            return Hopeless(f"{code}: {description}")
        case _:
            assert_never(outcome)
