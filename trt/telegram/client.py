"""The calls that we make to the Bot API; everything httpx knows stays in this file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import trio
from typing_extensions import override

from trt.domain.ids import BotId, CallbackId, ChatId, MessageId
from trt.domain.replies import Keyboard
from trt.telegram.answers import (
    Answer,
    Ending,
    Lost,
    NotSent,
    acted,
    read_answer,
    returned,
    sent,
    set_up,
)
from trt.telegram.outcomes import (
    ActOutcome,
    BotProfile,
    Conflict,
    RateLimited,
    SendOutcome,
    Sent,
    SetupOutcome,
    Upload,
    WebhookInfo,
)
from trt.telegram.wire import Me, WebhookState, inline_keyboard

CALL_S_MAX = 20.0
"""Overall deadline of a call without a file; Telegram answers in well under a second."""
UPLOAD_S_MAX = 180.0
"""Overall deadline of a call with a file of up to 50 MB."""
POLL_GRACE_S = 10.0
"""How much longer than asked for a long poll may take."""

SURELY_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
"""No byte of the request reached Telegram. After any other error it may have been carried out."""

NOT_MODIFIED = "message is not modified"


class TelegramClient:
    """The Bot API for one token.

    Sends end in a value of `outcomes`; nothing is tried again here, because a send has no
    idempotency key and only the caller knows what a second message would cost.
    """

    def __init__(self, http: httpx.AsyncClient, base_url: str, token: str) -> None:
        self._http = http
        self._root = f"{base_url.rstrip('/')}/bot{token}/"
        self._bot_id = token.partition(":")[0]

    @override
    def __repr__(self) -> str:
        return f"TelegramClient(bot {self._bot_id})"

    # What a user sees.

    async def send_message(
        self, chat_id: ChatId, text: str, keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send HTML text of at most 4096 characters (Bot API, sendMessage)."""
        return sent(await self._call("sendMessage", self._text(chat_id, text, keyboard)))

    async def edit_message_text(
        self, chat_id: ChatId, message_id: MessageId, text: str, keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Replace a message's text and buttons (Bot API, editMessageText).

        "Message is not modified" is success: the chat shows what we wanted.
        """
        arguments = self._text(chat_id, text, keyboard) | {"message_id": message_id}
        ending = await self._call("editMessageText", arguments)
        if isinstance(ending, Answer) and NOT_MODIFIED in ending.description:
            return Sent(message_id=message_id)
        return sent(ending)

    async def answer_callback_query(
        self, callback_id: CallbackId, text: str = "", *, is_alert: bool = False
    ) -> ActOutcome:
        """Stop a button's spinner, with at most 200 characters (Bot API, answerCallbackQuery)."""
        arguments: dict[str, Any] = {"callback_query_id": callback_id}
        if text:
            arguments |= {"text": text, "show_alert": is_alert}
        return acted(await self._call("answerCallbackQuery", arguments))

    async def send_chat_action(self, chat_id: ChatId, action: str) -> ActOutcome:
        """Show "is sending a photo …" for at most 5 s (Bot API, sendChatAction)."""
        arguments = {"chat_id": chat_id, "action": action}
        return acted(await self._call("sendChatAction", arguments))

    async def send_photo(
        self, chat_id: ChatId, photo: Upload, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Upload a photo of at most 10 MB (Bot API, sendPhoto)."""
        return await self._upload("sendPhoto", chat_id, {"photo": photo}, caption, keyboard)

    async def send_video(
        self, chat_id: ChatId, video: Upload, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Upload a video of at most 50 MB (Bot API, sendVideo)."""
        return await self._upload("sendVideo", chat_id, {"video": video}, caption, keyboard)

    async def send_audio(
        self, chat_id: ChatId, audio: Upload, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Upload an MP3 or M4A of at most 50 MB (Bot API, sendAudio)."""
        return await self._upload("sendAudio", chat_id, {"audio": audio}, caption, keyboard)

    async def send_document(
        self, chat_id: ChatId, document: Upload, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Upload any file of at most 50 MB (Bot API, sendDocument)."""
        files = {"document": document}
        return await self._upload("sendDocument", chat_id, files, caption, keyboard)

    # Setting up, and polling.

    async def get_me(self) -> BotProfile:
        """Return whose token this is (Bot API, getMe).

        Raises:
            TelegramUnavailable: No usable answer.
            TelegramUnauthorized: The token is wrong.
        """
        me = returned("getMe", await self._call("getMe", {}), Me)
        return BotProfile(bot_id=BotId(me.id), username=me.username, first_name=me.first_name)

    async def get_webhook_info(self) -> WebhookInfo:
        """Return the webhook as Telegram sees it (Bot API, getWebhookInfo); raises as get_me."""
        state = returned("getWebhookInfo", await self._call("getWebhookInfo", {}), WebhookState)
        last = state.last_error_date
        return WebhookInfo(
            url=state.url,
            pending_update_count=state.pending_update_count,
            max_connections=state.max_connections,
            allowed_updates=state.allowed_updates,
            last_error_at=None if last is None else datetime.fromtimestamp(last, UTC),
            last_error_message=state.last_error_message,
        )

    async def set_webhook(
        self, url: str, secret_token: str, allowed_updates: Sequence[str], max_connections: int
    ) -> SetupOutcome:
        """Have updates posted to `url` (Bot API, setWebhook); pending updates are always kept.

        Raises:
            TelegramUnavailable: It may or may not be set; setting it again does no harm.
            TelegramUnauthorized: The token is wrong.
        """
        arguments = {
            "url": url,
            "secret_token": secret_token,
            "allowed_updates": list(allowed_updates),
            "max_connections": max_connections,
        }
        return set_up("setWebhook", await self._call("setWebhook", arguments))

    async def delete_webhook(self) -> SetupOutcome:
        """Stop the posting of updates and keep those pending; raises as set_webhook."""
        return set_up("deleteWebhook", await self._call("deleteWebhook", {}))

    async def set_my_commands(
        self, commands: Mapping[str, str], language_code: str = ""
    ) -> SetupOutcome:
        """Set the menu of commands, name → description, for a language or for all others.

        Bot API, setMyCommands; raises as set_webhook.
        """
        listed = [{"command": name, "description": about} for name, about in commands.items()]
        arguments = {"commands": listed, "language_code": language_code}
        return set_up("setMyCommands", await self._call("setMyCommands", arguments))

    async def get_updates(
        self, offset: int, timeout_s: int, allowed_updates: Sequence[str]
    ) -> tuple[bytes, ...] | RateLimited | Conflict:
        """Wait for updates at most `timeout_s` seconds (Bot API, getUpdates).

        Args:
            offset: The first update_id wanted; all earlier ones are forgotten by Telegram.
            timeout_s: Telegram caps it at 50.
            allowed_updates: The kinds of updates wanted.

        Returns:
            The JSON of each update as it came, oldest first, or why there is none.

        Raises:
            TelegramUnavailable: No usable answer; ask again, nothing is lost.
            TelegramUnauthorized: The token is wrong.
        """
        arguments = {
            "offset": offset,
            "timeout": timeout_s,
            "allowed_updates": list(allowed_updates),
        }
        ending = await self._call("getUpdates", arguments, timeout_s + POLL_GRACE_S)
        outcome = set_up("getUpdates", ending)
        if isinstance(outcome, RateLimited | Conflict):
            return outcome
        return tuple(bytes(raw) for raw in returned("getUpdates", ending, list[msgspec.Raw]))

    # How a call is made.

    @staticmethod
    def _text(chat_id: ChatId, text: str, keyboard: Keyboard) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "chat_id": chat_id,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        return arguments | ({"reply_markup": inline_keyboard(keyboard)} if keyboard else {})

    async def _call(
        self, method: str, arguments: dict[str, Any], timeout_s: float = CALL_S_MAX
    ) -> Ending:
        body = msgspec.json.encode(arguments)
        request = {"content": body, "headers": {"Content-Type": "application/json"}}
        return await self._post(method, request, timeout_s)

    async def _upload(
        self,
        method: str,
        chat_id: ChatId,
        files: Mapping[str, Upload],
        caption: str,
        keyboard: Keyboard,
    ) -> SendOutcome:
        fields = {"chat_id": str(chat_id)}
        if caption:
            fields |= {"caption": caption, "parse_mode": "HTML"}
        if keyboard:
            # Outside of JSON bodies nested objects are JSON strings (Bot API, Making requests).
            fields["reply_markup"] = msgspec.json.encode(inline_keyboard(keyboard)).decode()
        parts = {name: (file.name, file.data, file.content_type) for name, file in files.items()}
        return sent(await self._post(method, {"data": fields, "files": parts}, UPLOAD_S_MAX))

    async def _post(self, method: str, request: dict[str, Any], timeout_s: float) -> Ending:
        """Make a call; httpx's errors hold the address and so the token: they end here."""
        with trio.move_on_after(timeout_s):
            try:
                response = await self._http.post(
                    self._root + method, **request, follow_redirects=False
                )
            except (*SURELY_NOT_SENT, httpx.InvalidURL) as error:
                return NotSent(f"{method}: not sent, {type(error).__name__}")
            except httpx.RequestError as error:
                return Lost(f"{method}: answer lost, {type(error).__name__}")
            retry_after = response.headers.get("Retry-After", "")
            return read_answer(response.status_code, response.content, retry_after)
        return Lost(f"{method}: no answer within {timeout_s:g} s")
