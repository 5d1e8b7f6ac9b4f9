"""WebhookKeeper: the active instance tells Telegram where to post, and drops nothing."""

from typing import assert_never

from attrs import frozen

from trt.secret import Secret
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import Conflict, Done, RateLimited, Rejected
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

ALLOWED_UPDATES = ("message", "callback_query", "pre_checkout_query")
"""What the bot handles; without the list Telegram would keep whatever was set before."""
CONNECTIONS_MAX = 40
RETRY_S = 5.0
RETRY_REFUSED_S = 60.0


@frozen(kw_only=True)
class WebhookAddress:
    """Where Telegram shall post, and the word that proves that it is Telegram."""

    url: Secret
    secret_token: Secret


class WebhookKeeper:
    """Sets the webhook when this instance becomes active, until Telegram has accepted it.

    Pending updates are kept: `drop_pending_updates` is never sent. It ends when it is done.
    """

    def __init__(
        self, telegram: TelegramClient, events: EventStream, address: WebhookAddress
    ) -> None:
        self._telegram = telegram
        self._events = events
        self._address = address

    async def run(self, ctx: Context[None]) -> None:
        """Set the webhook, however long it takes."""
        ctx.ready()
        pause_s: float | None = await self._set()
        while pause_s is not None and await ctx.sleep(pause_s):
            pause_s = await self._set()

    async def _set(self) -> float | None:
        """Try once; returns the seconds until the next try, or None when it is set."""
        try:
            outcome = await self._telegram.set_webhook(
                self._address.url.reveal(),
                secret_token=self._address.secret_token.reveal(),
                allowed_updates=ALLOWED_UPDATES,
                max_connections=CONNECTIONS_MAX,
            )
        except TelegramUnavailable:
            return self._failed("unavailable", RETRY_S)
        except TelegramUnauthorized:
            return self._failed("TELEGRAM_BOT_TOKEN is not accepted", RETRY_REFUSED_S)
        match outcome:
            case Done():
                self._events.emit(EventName.WEBHOOK_SET)
                return None
            case RateLimited(retry_after_s=retry_after_s):
                return self._failed("rate limited", retry_after_s)
            case Conflict(description=description):
                return self._failed(description, RETRY_S)
            case Rejected(description=description):
                return self._failed(description, RETRY_REFUSED_S)
            case _:
                assert_never(outcome)

    def _failed(self, reason: str, pause_s: float) -> float:
        self._events.emit(EventName.WEBHOOK_FAILED, reason=reason, retry_after_s=pause_s)
        return pause_s
