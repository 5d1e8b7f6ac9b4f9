"""A call that sets the bot up at Telegram: made once, with the pause until the next try."""

from collections.abc import Awaitable
from typing import assert_never

from attrs import frozen

from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import Conflict, Done, RateLimited, Rejected, SetupOutcome

RETRY_S = 5.0
RETRY_REFUSED_S = 60.0


@frozen(kw_only=True)
class NotSetUp:
    """Telegram did not take it, or nobody knows; setting it again does no harm."""

    reason: str
    retry_after_s: float


async def set_up(call: Awaitable[SetupOutcome]) -> NotSetUp | None:
    """Wait for a call's end; None says that Telegram has taken it."""
    try:
        outcome = await call
    except TelegramUnavailable:
        return NotSetUp(reason="unavailable", retry_after_s=RETRY_S)
    except TelegramUnauthorized:
        reason = "TELEGRAM_BOT_TOKEN is not accepted"
        return NotSetUp(reason=reason, retry_after_s=RETRY_REFUSED_S)
    match outcome:
        case Done():
            return None
        case RateLimited(retry_after_s=retry_after_s):
            return NotSetUp(reason="rate limited", retry_after_s=retry_after_s)
        case Conflict(description=description):
            return NotSetUp(reason=description, retry_after_s=RETRY_S)
        case Rejected(description=description):
            return NotSetUp(reason=description, retry_after_s=RETRY_REFUSED_S)
        case _:
            assert_never(outcome)
