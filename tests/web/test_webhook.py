"""What a webhook post can get wrong, and what it is told: a clear answer, and nothing is kept."""

import json

import pytest

from tests.stories import kit
from trt.telemetry.events import EventName
from trt.testing.world import World
from trt.web.http import BODY_BYTES_MAX

FINE = b'{"update_id": 7}'


@pytest.mark.parametrize(
    ("body", "field", "mend"),
    [
        (b"", "body", "JSON"),
        (b"not json", "body", "JSON"),
        (b"\xff\xfe", "body", "JSON"),
        (b"[1]", "body", "object"),
        (b"null", "body", "object"),
        (b"7", "body", "object"),
        (b"{}", "update_id", "integer"),
        (b'{"update_id": "7"}', "update_id", "integer"),
        (b'{"update_id": true}', "update_id", "integer"),
        (b'{"update_id": -1}', "update_id", "integer"),
        (b'{"update_id": 9223372036854775808}', "update_id", "integer"),
        (b"[" * 100_000, "body", ""),
        (b'{"update_id": 7, "message": ' + b"[" * 100_000, "body", ""),
    ],
)
def test_a_body_that_is_no_update_is_refused_with_field_and_mend(
    body: bytes, field: str, mend: str
) -> None:
    async def story(w: World) -> None:
        response = await w.post(body)
        answer = response.json()
        assert response.status_code == 400
        assert answer["ok"] is False
        assert answer["problem"].startswith(f"{field}: ")
        assert mend in answer["problem"]
        assert await w.rows("SELECT * FROM inbox") == []
        assert (await w.post(FINE)).status_code == 200

    kit.tell(story)


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 7},
        {"update_id": 7, "some_day": {"id": 1}},
        {"update_id": 7, "message": "words"},
        {"update_id": 7, "message": {"chat": {"id": 1, "type": "channel"}}},
        {"update_id": 7, "callback_query": {"id": 5}},
        {"update_id": 7, "poll": {"id": "1"}},
        {"update_id": 7, "edited_message": {"chat": {"id": 1}, "text": "x"}},
    ],
)
def test_an_update_of_an_unknown_kind_is_taken_and_ends(update: dict[str, object]) -> None:
    """Refused, Telegram would bring it again and again for a day."""

    async def story(w: World) -> None:
        assert (await w.post(json.dumps(update).encode())).status_code == 200
        await w.settled(5)
        assert await kit.inbox_state(w, 7) == ("done", "UNSUPPORTED_UPDATE")
        assert w.told(EventName.DISPATCH_OK, update_id=7)

    kit.tell(story)


def test_a_body_over_one_mebibyte_is_refused_whether_declared_or_not() -> None:
    async def story(w: World) -> None:
        big = b'{"update_id": 7, "x": "' + b"a" * BODY_BYTES_MAX + b'"}'
        for headers in ({}, {"content-length": "10"}):
            response = await w.post(big, **headers)
            assert response.status_code == 413
            assert "1 MiB" in response.json()["problem"]
        fits = FINE + b" " * (BODY_BYTES_MAX - len(FINE))
        assert (await w.post(fits)).status_code == 200

    kit.tell(story)


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(content_type: str) -> None:
    async def story(w: World) -> None:
        response = await w.post(FINE, **{"content-type": content_type})
        assert response.status_code == 415
        assert response.json()["mend"] == "send application/json"

    kit.tell(story)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_declared_in_any_legal_way(content_type: str) -> None:
    async def story(w: World) -> None:
        assert (await w.post(FINE, **{"content-type": content_type})).status_code == 200

    kit.tell(story)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_another_method_is_refused(method: str) -> None:
    async def story(w: World) -> None:
        secret = w.config.webhook_secret_token.reveal()
        response = await w.http.request(
            method,
            f"https://bot.test{w.config.webhook_path}",
            headers={"x-telegram-bot-api-secret-token": secret},
        )
        assert response.status_code == 405

    kit.tell(story)


@pytest.mark.parametrize("token", ["", "wrong", "ünïcode"])
def test_a_wrong_token_is_refused_before_the_body_is_looked_at(token: str) -> None:
    async def story(w: World) -> None:
        response = await w.http.post(
            f"https://bot.test{w.config.webhook_path}",
            content=b"not json",
            headers=[
                (b"x-telegram-bot-api-secret-token", token.encode()),
                (b"content-type", b"application/json"),
            ],
        )
        assert response.status_code == 403
        assert w.told(EventName.AUTH_REFUSED, where="webhook")

    kit.tell(story)
