"""The Bot API client: every ending has its own value, and the token stays inside."""

import json
import traceback
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio
from attrs import frozen

from tests.telegram.answers import MESSAGE, error, ok
from tests.telegram.conftest import TOKEN
from tests.wire import Wire
from trt.domain.ids import CallbackId, ChatId, MessageId
from trt.domain.replies import Button
from trt.telegram.client import (
    ANSWER_S_MAX,
    CALL_S_MAX,
    POLL_GRACE_S,
    SURELY_NOT_SENT,
    TelegramClient,
)
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import (
    Blocked,
    CallbackExpired,
    ChatNotFound,
    Conflict,
    Done,
    MessageGone,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Sent,
)

CHAT = ChatId(7)
KEYBOARD = ((Button(text="✅ Запустить", data="confirm"),), (Button(text="Назад", data="back"),))
AMBIGUOUS = (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError)


@frozen
class File:
    name: str
    content_type: str
    data: bytes


async def test_a_message_is_sent_as_html_with_its_buttons(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, MESSAGE)
    assert await telegram.send_message(CHAT, "<b>hi</b>", KEYBOARD) == Sent(MessageId(55))
    assert str(wire.requests[0].url) == f"https://telegram.test/bot{TOKEN}/sendMessage"
    assert wire.arguments == {
        "chat_id": 7,
        "text": "<b>hi</b>",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "✅ Запустить", "callback_data": "confirm"}],
                [{"text": "Назад", "callback_data": "back"}],
            ]
        },
    }


async def test_an_edit_that_changes_nothing_is_a_success(
    telegram: TelegramClient, wire: Wire
) -> None:
    text = "Bad Request: message is not modified: specified new message content and reply markup"
    wire.says(400, error(400, text))
    assert await telegram.edit_message_text(CHAT, MessageId(9), "x") == Sent(MessageId(9))
    assert wire.arguments["message_id"] == 9
    assert "reply_markup" not in wire.arguments


async def test_an_edit_returns_the_edited_message(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, MESSAGE)
    assert await telegram.edit_message_text(CHAT, MessageId(55), "x", KEYBOARD) == Sent(
        MessageId(55)
    )


async def test_an_answer_without_words_carries_none(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ok(result=True))
    assert await telegram.answer_callback_query(CallbackId("438")) == Done()
    assert wire.arguments == {"callback_query_id": "438"}
    await telegram.answer_callback_query(CallbackId("438"), "no", is_alert=True)
    assert wire.arguments == {"callback_query_id": "438", "text": "no", "show_alert": True}


async def test_a_chat_action_is_done(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ok(result=True))
    assert await telegram.send_chat_action(CHAT, "upload_photo") == Done()
    assert wire.method == "sendChatAction"


@pytest.mark.parametrize("kind", ["photo", "video", "audio", "document"])
async def test_files_go_up_as_multipart(kind: str, telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, MESSAGE)
    send = getattr(telegram, f"send_{kind}")
    file = File("result.bin", "image/png", b"\x89PNG bytes")
    assert await send(CHAT, file, "<b>done</b>", KEYBOARD) == Sent(MessageId(55))
    assert wire.method == f"send{kind.capitalize()}"
    body = wire.requests[0].content
    assert wire.requests[0].headers["Content-Type"].startswith("multipart/form-data")
    assert f'name="{kind}"; filename="result.bin"'.encode() in body
    assert b"Content-Type: image/png\r\n\r\n\x89PNG bytes" in body
    assert b'name="chat_id"\r\n\r\n7\r\n' in body
    assert b'name="parse_mode"\r\n\r\nHTML' in body
    [markup] = [part for part in body.split(b"\r\n") if part.startswith(b'{"inline_keyboard"')]
    assert json.loads(markup)["inline_keyboard"][0][0]["callback_data"] == "confirm"


BAD = "Bad Request: "
REFUSALS = [
    (
        400,
        BAD + "query is too old and response timeout expired or query ID is invalid",
        CallbackExpired,
    ),
    (400, BAD + "message to edit not found", MessageGone),
    (400, BAD + "message can't be edited", MessageGone),
    (400, BAD + "there is no text in the message to edit", MessageGone),
    (400, BAD + "MESSAGE_ID_INVALID", MessageGone),
    (400, BAD + "chat not found", ChatNotFound),
    (400, BAD + "message to delete not found", Rejected),
    (400, BAD + "message to be replied not found", Rejected),
    (400, BAD + "message text is empty", Rejected),
    (400, BAD + "text must be non-empty", Rejected),
    (400, BAD + "message is too long", Rejected),
    (400, BAD + "MESSAGE_TOO_LONG", Rejected),
    (400, BAD + "message caption is too long", Rejected),
    (400, BAD + "BUTTON_DATA_INVALID", Rejected),
    (400, BAD + "reply markup is too long", Rejected),
    (400, BAD + "can't parse entities: Unsupported start tag", Rejected),
    (400, BAD + "Wrong HTTP URL specified", Rejected),
    (400, BAD + "failed to get HTTP URL content", Rejected),
    (400, BAD + "wrong type of the web page content", Rejected),
    (400, BAD + "file is too big", Rejected),
    (403, "Forbidden: bot was blocked by the user", Blocked),
    (403, "Forbidden: user is deactivated", Blocked),
    (403, "Forbidden: bot can't initiate conversation with a user", Blocked),
    (403, "Forbidden: bot was kicked from the group chat", Rejected),
    (404, "Not Found: method not found", Rejected),
    (409, "Conflict: terminated by other setWebhook", Rejected),
    (413, "Request Entity Too Large", Rejected),
    (421, "Misdirected Request", OutcomeUnknown),
    (500, "Internal Server Error", OutcomeUnknown),
    (502, "Bad Gateway", OutcomeUnknown),
]


@pytest.mark.parametrize(("code", "text", "outcome"), REFUSALS)
async def test_every_error_text_has_its_outcome(
    code: int, text: str, outcome: type, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(code, error(code, text))
    assert type(await telegram.edit_message_text(CHAT, MessageId(9), "x")) is outcome
    assert type(await telegram.send_message(CHAT, "x")) is outcome
    assert type(await telegram.answer_callback_query(CallbackId("1"))) is outcome


@pytest.mark.parametrize(
    ("body", "headers", "wait_s"),
    [
        (error(429, "Too Many Requests: retry after 17", retry_after=17), {}, 17.0),
        (error(429, "Too Many Requests: retry after 17"), {"Retry-After": "5"}, 5.0),
        (b"<html>slow down</html>", {"Retry-After": "5"}, 5.0),
        (error(429, "Too Many Requests"), {}, 1.0),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    body: object, headers: dict[str, str], wait_s: float, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(429, body, headers)
    assert await telegram.send_message(CHAT, "x") == RateLimited(wait_s)


@pytest.mark.parametrize("status", [401, 404])
async def test_a_token_that_telegram_does_not_know_stops_everything(
    status: int, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(status, error(status, "Unauthorized" if status == 401 else "Not Found"))
    with pytest.raises(TelegramUnauthorized):
        await telegram.get_me()
    with pytest.raises(TelegramUnauthorized):
        await telegram.send_message(CHAT, "x")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(502, OutcomeUnknown), (200, OutcomeUnknown), (302, OutcomeUnknown), (404, Rejected)],
)
async def test_a_page_instead_of_json_is_no_answer_from_telegram(
    status: int, outcome: type, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(status, b"<html><body>Bad Gateway</body></html>")
    assert type(await telegram.send_message(CHAT, "x")) is outcome


async def test_a_success_that_names_no_message_is_unknown(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, ok(result=True))
    assert type(await telegram.send_message(CHAT, "x")) is OutcomeUnknown


@pytest.mark.parametrize("broken", SURELY_NOT_SENT)
async def test_a_request_that_never_left_is_an_exception(
    broken: type[httpx.RequestError], telegram: TelegramClient, wire: Wire
) -> None:
    wire.breaks(broken)
    with pytest.raises(TelegramUnavailable):
        await telegram.send_message(CHAT, "x")


@pytest.mark.parametrize("broken", AMBIGUOUS)
async def test_a_request_that_may_have_arrived_is_unknown_for_sends_and_repeatable_for_reads(
    broken: type[httpx.RequestError], telegram: TelegramClient, wire: Wire
) -> None:
    wire.breaks(broken)
    assert type(await telegram.send_message(CHAT, "x")) is OutcomeUnknown
    with pytest.raises(TelegramUnavailable):
        await telegram.get_me()
    with pytest.raises(TelegramUnavailable):
        await telegram.set_webhook("https://bot.test/hook", "secret", [], 40)


async def test_a_call_has_its_own_deadline(
    telegram: TelegramClient, wire: Wire, autojump_clock: trio.testing.MockClock
) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    wire.answer = never
    started = trio.current_time()
    assert type(await telegram.send_message(CHAT, "x")) is OutcomeUnknown
    assert trio.current_time() - started == pytest.approx(CALL_S_MAX)
    assert type(await telegram.answer_callback_query(CallbackId("1"))) is OutcomeUnknown
    assert trio.current_time() - started == pytest.approx(CALL_S_MAX + ANSWER_S_MAX)
    with pytest.raises(TelegramUnavailable):
        await telegram.get_updates(0, 30, [])
    assert trio.current_time() - started == pytest.approx(
        CALL_S_MAX + ANSWER_S_MAX + 30 + POLL_GRACE_S
    )
    assert autojump_clock.autojump_threshold == 0


async def test_a_webhook_is_set_without_dropping_what_waits(
    telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, ok(result=True) | {"description": "Webhook was set"})
    assert await telegram.set_webhook("https://bot.test/hook", "tok", ["message"], 40) == Done()
    assert wire.arguments == {
        "url": "https://bot.test/hook",
        "secret_token": "tok",
        "allowed_updates": ["message"],
        "max_connections": 40,
    }
    assert await telegram.delete_webhook() == Done()
    assert wire.arguments == {}
    assert await telegram.set_my_commands({"start": "Меню"}, "ru") == Done()
    assert wire.arguments["commands"] == [{"command": "start", "description": "Меню"}]


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (error(409, "Conflict: terminated by other setWebhook"), Conflict),
        (error(429, "Too Many Requests: retry after 1", retry_after=1), RateLimited),
        (error(400, "Bad Request: bad webhook: HTTPS url must be provided"), Rejected),
        (error(400, "Bad Request: chat not found"), Rejected),
    ],
)
async def test_a_webhook_that_is_not_set_says_why(
    body: dict[str, Any], outcome: type, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(body["error_code"], body)
    assert type(await telegram.set_webhook("https://bot.test", "tok", [], 40)) is outcome


async def test_updates_come_as_they_were_written(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, b'{"ok":true,"result":[{"update_id":1,  "x":1},{"update_id":2}]}')
    bodies = await telegram.get_updates(1, 30, ["message"])
    assert bodies == (b'{"update_id":1,  "x":1}', b'{"update_id":2}')
    assert wire.arguments == {"offset": 1, "timeout": 30, "allowed_updates": ["message"]}


async def test_another_poller_is_a_conflict(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(409, error(409, "Conflict: terminated by other getUpdates request"))
    assert type(await telegram.get_updates(1, 30, [])) is Conflict


async def test_the_bot_and_its_webhook_are_read(telegram: TelegramClient, wire: Wire) -> None:
    wire.says(200, ok({"id": 5, "is_bot": True, "first_name": "TRT", "username": "trt_bot"}))
    me = await telegram.get_me()
    assert (me.bot_id, me.username) == (5, "trt_bot")
    state = {"url": "https://bot.test/s3cret", "pending_update_count": 3, "last_error_date": 60}
    wire.says(200, ok(state | {"has_custom_certificate": False}))
    info = await telegram.get_webhook_info()
    assert info.pending_update_count == 3
    assert info.last_error_at == datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
    assert "s3cret" not in repr(info)


@pytest.mark.parametrize("body", [ok({"first_name": "no id"}), ok(None), b"[]", b""])
async def test_an_answer_of_another_shape_is_unavailable(
    body: object, telegram: TelegramClient, wire: Wire
) -> None:
    wire.says(200, body)
    with pytest.raises(TelegramUnavailable):
        await telegram.get_me()


@pytest.mark.parametrize("broken", [*SURELY_NOT_SENT, *AMBIGUOUS])
async def test_the_token_is_in_nothing_that_leaves_the_client(
    broken: type[httpx.RequestError], telegram: TelegramClient, wire: Wire
) -> None:
    wire.breaks(broken)
    shown = [repr(telegram), str(vars(telegram).keys())]
    for call in (telegram.get_me(), telegram.send_message(CHAT, "x")):
        try:
            shown.append(repr(await call))
        except TelegramUnavailable as problem:
            shown += [repr(problem), repr(problem.__cause__), repr(problem.__context__)]
            shown += traceback.format_exception(problem)
    assert "CANARY" not in "".join(shown)
