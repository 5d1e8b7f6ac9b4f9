"""WebhookKeeper: the active instance tells Telegram where to post, and drops nothing."""

from attrs import frozen

from trt.actors.telegram_setup import set_up
from trt.secret import Secret
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream

ALLOWED_UPDATES = ("message", "callback_query", "pre_checkout_query")
"""What the bot handles; without the list Telegram would keep whatever was set before."""
CONNECTIONS_MAX = 40


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
        not_yet = await set_up(
            self._telegram.set_webhook(
                self._address.url.reveal(),
                secret_token=self._address.secret_token.reveal(),
                allowed_updates=ALLOWED_UPDATES,
                max_connections=CONNECTIONS_MAX,
            )
        )
        if not_yet is None:
            self._events.emit(EventName.WEBHOOK_SET)
            return None
        self._events.emit(
            EventName.WEBHOOK_FAILED, reason=not_yet.reason, retry_after_s=not_yet.retry_after_s
        )
        return not_yet.retry_after_s
