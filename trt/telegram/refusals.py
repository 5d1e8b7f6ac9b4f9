"""What the Bot API's error answers mean for us: pure, from an envelope to a refusal."""

from trt.telegram.outcomes import (
    Blocked,
    CallbackExpired,
    ChatNotFound,
    MessageGone,
    OutcomeUnknown,
    RateLimited,
    Refusal,
    Rejected,
)

RETRY_AFTER_DEFAULT_S = 1.0
"""For a 429 that does not say how long."""

_GONE = (
    "message to edit not found",
    "message can't be edited",
    "there is no text in the message to edit",
    "message_id_invalid",
)
_EXPIRED = ("query is too old", "query id is invalid", "query_id_invalid")
_BLOCKED = ("bot was blocked", "user is deactivated", "can't initiate conversation")
_SERVER_ERRORS = range(500, 600)
_MISDIRECTED = 421
"""The server asks for another connection; nothing says how far the request came."""


def classify(code: int, description: str, retry_after_s: float | None = None) -> Refusal:
    """Return what an error answer means (texts: tdlib/telegram-bot-api, Client.cpp).

    Args:
        code: `error_code` of the envelope, which equals the HTTP status.
        description: Telegram's words.
        retry_after_s: What a 429 asked for, if it did.
    """
    text = description.lower()

    def says(fragments: tuple[str, ...]) -> bool:
        return any(fragment in text for fragment in fragments)

    match code:
        case 429:
            wait_s = RETRY_AFTER_DEFAULT_S if retry_after_s is None else retry_after_s
            return RateLimited(retry_after_s=max(0.0, wait_s))
        case 400 if says(_GONE):
            return MessageGone(description=description)
        case 400 if says(_EXPIRED):
            return CallbackExpired(description=description)
        case 400 if "chat not found" in text:
            return ChatNotFound(description=description)
        case 403 if says(_BLOCKED):
            return Blocked(description=description)
        case _ if code in _SERVER_ERRORS or code == _MISDIRECTED:
            return OutcomeUnknown(why=f"{code} {description}".strip())
        case _:
            return Rejected(code=code, description=description)
