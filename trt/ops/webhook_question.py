"""Asking Telegram where it posts our updates: one question, before the doctor asks anybody else."""

from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from typing_extensions import override

from trt.secret import Secret
from trt.telegram.answers import Ending, NotSent, read_answer, returned
from trt.telegram.wire import WebhookState

_ASK_S_MAX = 10.0
_METHOD = "getWebhookInfo"


def ask_webhook(base_url: str, token: Secret) -> WebhookState:
    """Return the webhook as Telegram sees it (Bot API, getWebhookInfo); blocks for some seconds.

    Args:
        base_url: Of the Bot API, without a slash at the end.
        token: The bot's.

    Raises:
        TelegramUnavailable: No usable answer.
        TelegramUnauthorized: The token is wrong.
    """
    return returned(_METHOD, _ask(f"{base_url}/bot{token.reveal()}/{_METHOD}"), WebhookState)


def _ask(url: str) -> Ending:
    """Ask once; errors of the library hold the address and so the token: they end here."""
    try:
        with build_opener(_NoRedirects).open(Request(url), timeout=_ASK_S_MAX) as response:  # noqa: S310 - the configuration allows http and https only
            return read_answer(response.status, response.read(), "")
    except HTTPError as error:
        with error:
            return read_answer(error.code, error.read(), error.headers.get("Retry-After", ""))
    except (OSError, HTTPException, ValueError) as error:
        return NotSent(type(getattr(error, "reason", error)).__name__)


class _NoRedirects(HTTPRedirectHandler):
    """Takes no redirect: the token is in the address."""

    @override
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None
