"""What the Bot API's error answers mean for us: pure, from an envelope to a refusal."""

from trt.telegram.outcomes import (
    Blocked,
    CallbackExpired,
    ChatNotFound,
    FileFlaw,
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
_FLAWS = (
    # First match wins; an album puts "failed to send message #1 with the error message" before it.
    (FileFlaw.TOO_BIG, ("too big", "too large", "file_parts_invalid")),
    (FileFlaw.BAD_DIMENSIONS, ("invalid_dimensions",)),
    (
        FileFlaw.UNREACHABLE,
        (
            "failed to get http url content",
            "wrong http url",
            "wrong file identifier",
            "wrong remote file",
            "url host is empty",
            "can't upload file by url",
            "temporarily unavailable",
        ),
    ),
    (
        FileFlaw.WRONG_TYPE,
        (
            "wrong type of the web page content",
            "can't use file of type",
            "type of file mismatch",
            "image_process_failed",
            "photo_ext_invalid",
            "photo_save_file_invalid",
            "video_content_type_invalid",
            "audio_content_type_invalid",
            "media_invalid",
        ),
    ),
)
_BAD_REQUEST = 400
_TOO_LARGE = 413
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
            return Rejected(code=code, description=description, flaw=_flaw(code, text))


def _flaw(code: int, text: str) -> FileFlaw | None:
    if code == _TOO_LARGE:
        return FileFlaw.TOO_BIG
    if code != _BAD_REQUEST:
        return None
    for flaw, fragments in _FLAWS:
        if any(fragment in text for fragment in fragments):
            return flaw
    return None
