"""Asking Telegram where it posts our updates: one question, before the doctor asks anybody else."""

import trio

from trt.secret import Secret
from trt.telegram.client import open_client
from trt.telegram.outcomes import WebhookInfo


def ask_webhook(base_url: str, token: Secret) -> WebhookInfo:
    """Return the webhook as Telegram sees it (Bot API, getWebhookInfo); blocks for some seconds.

    Args:
        base_url: Of the Bot API.
        token: The bot's.

    Raises:
        TelegramUnavailable: No usable answer.
        TelegramUnauthorized: The token is wrong.
    """
    return trio.run(_ask, base_url, token)


async def _ask(base_url: str, token: Secret) -> WebhookInfo:
    async with open_client(base_url, token.reveal()) as telegram:
        return await telegram.get_webhook_info()
