"""Telegram's view of our webhook, beside what it should be: pure."""

import hmac
from datetime import datetime
from urllib.parse import urlsplit

from attrs import frozen

from trt.ops.finding import Finding, fail, ok, warn
from trt.ops.wording import count, duration
from trt.secret import Secret
from trt.telegram.outcomes import WebhookInfo

PENDING_MAX = 100
"""Telegram brings updates at once; what waits there waits for us."""
ERROR_WITHIN_S = 3600.0

_CHECK = "webhook"


@frozen(kw_only=True)
class WebhookWanted:
    """What the service asks of Telegram."""

    url: Secret | None
    """Where updates shall be posted; None with polling."""
    allowed_updates: tuple[str, ...]


def check_webhook(state: WebhookInfo, wanted: WebhookWanted, *, now: datetime) -> list[Finding]:
    """Judge the address, the kinds of updates, what waits and what went wrong last.

    Args:
        state: As Telegram answered.
        wanted: As the configuration has it.
        now: By this machine's clock.
    """
    found = [_check_address(state, wanted), _check_pending(state)]
    if wanted.url is not None and state.url:
        found.append(_check_kinds(state, wanted))
    if state.last_error_at is not None:
        found.append(_check_last_error(state, state.last_error_at, now))
    return found


def _check_address(state: WebhookInfo, wanted: WebhookWanted) -> Finding:
    host = urlsplit(state.url).hostname
    if wanted.url is None:
        if not state.url:
            return ok(_CHECK, "none, as polling needs it")
        told = f"Telegram posts to {host}, so polling gets nothing"
        return fail(_CHECK, told, "stop the service there, and set BOT_MODE=polling only here")
    if not state.url:
        mend = "start the service: the active instance sets it; look for WEBHOOK_FAILED in its log"
        return fail(_CHECK, "Telegram posts nowhere", mend)
    if hmac.compare_digest(state.url.encode(), wanted.url.reveal().encode()):
        return ok(_CHECK, f"Telegram posts to us at {host}")
    return fail(
        _CHECK,
        f"Telegram posts to {host} under an address that is not the configured one",
        "restart the service, which sets it; if it changes back, somebody else has the token",
    )


def _check_pending(state: WebhookInfo) -> Finding:
    told = f"{count(state.pending_update_count, 'update')} waiting at Telegram"
    if state.pending_update_count > PENDING_MAX:
        return warn(_CHECK, told, "see that /readyz answers 200 at the public address")
    return ok(_CHECK, told)


def _check_kinds(state: WebhookInfo, wanted: WebhookWanted) -> Finding:
    missing = [kind for kind in wanted.allowed_updates if kind not in state.allowed_updates]
    if missing:
        told = f"Telegram does not send {', '.join(missing)}"
        return fail(_CHECK, told, "restart the service, which asks for them")
    return ok(_CHECK, f"Telegram sends {', '.join(wanted.allowed_updates)}")


def _check_last_error(state: WebhookInfo, failed_at: datetime, now: datetime) -> Finding:
    ago_s = (now - failed_at).total_seconds()
    told = f"the last failed post was {duration(ago_s)} ago: {state.last_error_message}"
    if ago_s > ERROR_WITHIN_S:
        return ok(_CHECK, told)
    return warn(_CHECK, told, "503 is a deploy or a full queue; else look at the public address")
