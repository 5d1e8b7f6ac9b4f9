"""The calls that we make to the Bot API; everything httpx knows stays in this file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import msgspec
import trio
from typing_extensions import override

from trt.domain.ids import BotId, CallbackId, ChatId, MessageId
from trt.domain.inputs import FileId
from trt.domain.replies import Keyboard
from trt.telegram.answers import (
    Answer,
    Ending,
    Lost,
    NotSent,
    acted,
    album_sent,
    file_too_big,
    read_answer,
    returned,
    sent,
    set_up,
)
from trt.telegram.errors import TelegramUnavailable
from trt.telegram.outcomes import (
    ActOutcome,
    AlbumOutcome,
    BotProfile,
    Conflict,
    RateLimited,
    Rejected,
    SendOutcome,
    Sent,
    SetupOutcome,
    UserFile,
    WebhookInfo,
)
from trt.telegram.requests import (
    AlbumItem,
    FileSource,
    album_request,
    captioned,
    file_request,
    json_request,
    text_arguments,
)
from trt.telegram.stars import StarsClient
from trt.telegram.wire import FilePath, Me, WebhookState

CALL_S_MAX = 20.0
"""Overall deadline of a call without a file; Telegram answers in well under a second."""
ANSWER_S_MAX = 3.0
"""Overall deadline of an answer to a tap: nobody looks at a spinner for longer, and the next answer
waits for the connection."""
UPLOAD_S_MAX = 180.0
"""Overall deadline of a call with a file of up to 50 MB."""
DOWNLOAD_BYTES_MAX = 20 * 1024 * 1024
"""Bot API, getFile: bots can download files of up to 20 MB."""
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
        self._files = f"{base_url.rstrip('/')}/file/bot{token}/"
        self._bot_id = token.partition(":")[0]
        self.stars = StarsClient(self._call)
        """Everything about money."""

    @override
    def __repr__(self) -> str:
        return f"TelegramClient(bot {self._bot_id})"

    # What a user sees.

    async def send_message(
        self, chat_id: ChatId, text: str, keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send HTML text of at most 4096 characters (Bot API, sendMessage)."""
        return sent(await self._call("sendMessage", text_arguments(chat_id, text, keyboard)))

    async def edit_message_text(
        self, chat_id: ChatId, message_id: MessageId, text: str, keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Replace a message's text and buttons (Bot API, editMessageText).

        "Message is not modified" is success: the chat shows what we wanted.
        """
        arguments = text_arguments(chat_id, text, keyboard) | {"message_id": message_id}
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
        return acted(await self._call("answerCallbackQuery", arguments, ANSWER_S_MAX))

    async def send_chat_action(self, chat_id: ChatId, action: str) -> ActOutcome:
        """Show "is sending a photo …" for at most 5 s (Bot API, sendChatAction)."""
        arguments = {"chat_id": chat_id, "action": action}
        return acted(await self._call("sendChatAction", arguments))

    async def send_photo(
        self, chat_id: ChatId, photo: FileSource, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send a photo: at most 10 MB, or 5 MB by address (Bot API, sendPhoto).

        A `FileSource` is an upload, or as text the http(s) address or the file_id of what Telegram
        can get by itself. What Telegram has against a file stands in `Rejected.flaw`.
        """
        return await self._send_file("sendPhoto", "photo", photo, chat_id, caption, keyboard)

    async def send_video(
        self, chat_id: ChatId, video: FileSource, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send a video: at most 50 MB, or 20 MB by address (Bot API, sendVideo)."""
        return await self._send_file("sendVideo", "video", video, chat_id, caption, keyboard)

    async def send_audio(
        self, chat_id: ChatId, audio: FileSource, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send an MP3 or M4A: at most 50 MB, or 20 MB by address (Bot API, sendAudio)."""
        return await self._send_file("sendAudio", "audio", audio, chat_id, caption, keyboard)

    async def send_document(
        self, chat_id: ChatId, document: FileSource, caption: str = "", keyboard: Keyboard = ()
    ) -> SendOutcome:
        """Send any file: at most 50 MB, by address PDF or ZIP of 20 MB (Bot API, sendDocument)."""
        method, kind = "sendDocument", "document"
        return await self._send_file(method, kind, document, chat_id, caption, keyboard)

    async def send_media_group(
        self, chat_id: ChatId, items: Sequence[AlbumItem], caption: str = ""
    ) -> AlbumOutcome:
        """Send an album of 2 to 10 files, all of it or nothing (Bot API, sendMediaGroup).

        Photos and videos go together, documents and audios only with their own kind. The caption
        stands under the whole album; an album has no buttons.
        """
        request = album_request({"chat_id": chat_id}, items, caption)
        return album_sent(await self._post("sendMediaGroup", request, UPLOAD_S_MAX))

    # What a user sent.

    async def download(
        self, file_id: FileId, bytes_max: int = DOWNLOAD_BYTES_MAX
    ) -> UserFile | RateLimited | Rejected:
        """Fetch a file that a user sent (Bot API, getFile).

        Args:
            file_id: As it stood in the update.
            bytes_max: More is refused as TOO_BIG without being read to its end; Telegram itself
                gives no file of more than 20 MB.

        Raises:
            TelegramUnavailable: It may be there and did not come; asking again does no harm.
            TelegramUnauthorized: The token is wrong.
        """
        ending = await self._call("getFile", {"file_id": file_id})
        outcome = set_up("getFile", ending)
        if isinstance(outcome, RateLimited | Rejected):
            return outcome
        file = returned("getFile", ending, FilePath)
        if file.file_path is None:
            raise TelegramUnavailable("getFile: the file has no path")
        if file.file_size is not None and file.file_size > bytes_max:
            return file_too_big(bytes_max)
        data = await self._fetch(file.file_path, bytes_max)
        if isinstance(data, Lost):
            raise TelegramUnavailable(data.why)
        return UserFile(path=file.file_path, data=data) if isinstance(data, bytes) else data

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

    async def _call(
        self, method: str, arguments: dict[str, Any], timeout_s: float = CALL_S_MAX
    ) -> Ending:
        return await self._post(method, json_request(arguments), timeout_s)

    async def _send_file(
        self,
        method: str,
        kind: str,
        file: FileSource,
        chat_id: ChatId,
        caption: str,
        keyboard: Keyboard,
    ) -> SendOutcome:
        request = file_request(kind, file, captioned(chat_id, caption, keyboard))
        return sent(await self._post(method, request, UPLOAD_S_MAX))

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

    async def _fetch(self, path: str, bytes_max: int) -> bytes | Rejected | Lost:
        """Read a file; as in `_post`, httpx's errors end here."""
        with trio.move_on_after(UPLOAD_S_MAX):
            try:
                address = self._files + path
                async with self._http.stream("GET", address, follow_redirects=False) as response:
                    if response.status_code != HTTPStatus.OK:
                        return Lost(f"download: {response.status_code}")
                    return await _read_up_to(bytes_max, response)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                return Lost(f"download: {type(error).__name__}")
        return Lost(f"download: not done within {UPLOAD_S_MAX:g} s")


@asynccontextmanager
async def open_client(base_url: str, token: str) -> AsyncIterator[TelegramClient]:
    """Open a client with a connection of its own, for an operator's question or two.

    Args:
        base_url: Of the Bot API.
        token: The bot's.
    """
    async with httpx.AsyncClient(timeout=httpx.Timeout(None)) as http:
        yield TelegramClient(http, base_url, token)


async def _read_up_to(bytes_max: int, response: httpx.Response) -> bytes | Rejected:
    data = bytearray()
    # Leaving the loop would leave httpx's generators behind half-read; a cancelled scope unwinds
    # them and closes the connection.
    with trio.CancelScope() as enough:
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > bytes_max:
                enough.cancel()
    return file_too_big(bytes_max) if enough.cancel_called else bytes(data)
