"""The page's server: what it serves, and what it refuses with a mend."""

from typing import Any
from urllib.parse import quote

import pytest
from quart_trio import QuartTrio

from tests.sandbox.fake_chat import ANNA, KATE, PNG, FakeChat, FakeWire
from trt.sandbox.page_server import page_server


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def app(chat: FakeChat) -> QuartTrio:
    return page_server(chat, FakeWire(), lambda: {"name": "trt"})


async def ask(app: QuartTrio, path: str, host: str = "127.0.0.1:8080", **more: Any) -> Any:
    return await app.test_client().get(path, headers={"Host": host} | more)


async def order(app: QuartTrio, path: str, body: object) -> tuple[int, dict[str, Any]]:
    response = await app.test_client().post(path, json=body, headers={"Host": "localhost:8080"})
    return response.status_code, await response.get_json()


@pytest.mark.parametrize(
    "path", ["/", "/static/page.css", "/static/checkout.js", "/static/icon.svg"]
)
async def test_the_page_is_served_from_here_and_may_load_nothing_from_elsewhere(
    app: QuartTrio, path: str
) -> None:
    response = await ask(app, path)
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "://" not in (await response.get_data(as_text=True)).replace(
        "http://www.w3.org/2000/svg", ""
    )


@pytest.mark.parametrize("path", ["/static/nothing.js", "/static/../page_server.py", "/nothing"])
async def test_an_unknown_path_is_404_in_json(app: QuartTrio, path: str) -> None:
    response = await ask(app, path)
    assert response.status_code == 404
    assert (await response.get_json())["mend"]


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
async def test_loopback_names_are_let_in(app: QuartTrio, host: str) -> None:
    assert (await ask(app, "/api/state", host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8080", "localhost@evil.example", "10.0.0.1"],
)
@pytest.mark.parametrize("path", ["/", "/api/state", "/api/events", "/file/pic"])
async def test_any_other_host_name_is_refused(app: QuartTrio, host: str, path: str) -> None:
    response = await ask(app, path, host)
    assert response.status_code == 403
    assert (await response.get_json())["field"] == "Host"


async def test_the_state_is_the_whole_chat_of_one_person(app: QuartTrio, chat: FakeChat) -> None:
    chat.put(html="<b>Привет</b>", buttons=["cat:image"])
    chat.put(KATE.id, html="Hello")
    state = await (await ask(app, f"/api/state?user={ANNA.id}")).get_json()
    assert state["bot"] == {"name": "TRT", "username": "trt_bot"}
    assert [person["name"] for person in state["people"]] == ["Анна", "Kate"]
    assert state["user"] == ANNA.id
    assert [message["html"] for message in state["messages"]] == ["<b>Привет</b>"]
    assert state["messages"][0]["keyboard"] == [
        [{"text": "cat:image", "data": "cat:image", "url": None, "is_pay": False}]
    ]


async def test_without_a_name_the_state_is_that_of_the_first_person(app: QuartTrio) -> None:
    assert (await (await ask(app, "/api/state")).get_json())["user"] == ANNA.id


@pytest.mark.parametrize("user", ["", "3", "-1", "Анна", "1.0", "9" * 5000])
async def test_the_state_of_nobody_is_refused_with_a_mend(app: QuartTrio, user: str) -> None:
    response = await ask(app, f"/api/state?user={quote(user)}")
    assert response.status_code == 400
    assert await response.get_json() == {
        "error": "bad input",
        "field": "user",
        "mend": "one of 1, 2",
    }


async def test_a_person_writes_to_the_bot(app: QuartTrio, chat: FakeChat) -> None:
    assert await order(app, "/api/send", {"user": KATE.id, "text": "/start"}) == (200, {"ok": True})
    assert [message.html for message in chat.messages(KATE.id)] == ["/start"]
    assert chat.messages(ANNA.id) == []


async def test_a_person_taps_a_button(app: QuartTrio, chat: FakeChat) -> None:
    message = chat.put(html="Выберите", buttons=["cat:image"])
    body = {"user": ANNA.id, "message_id": message.id, "data": "cat:image"}
    assert await order(app, "/api/tap", body) == (200, {"ok": True})
    assert chat.taps == [(ANNA.id, message.id, "cat:image")]


async def test_a_person_pays_an_invoice(app: QuartTrio, chat: FakeChat) -> None:
    message = chat.put(html="Пакет", price_stars=50)
    body = {"user": ANNA.id, "message_id": message.id}
    assert await order(app, "/api/pay", body) == (200, {"ok": True})
    assert chat.payments == [(ANNA.id, message.id)]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/send", {}, "user"),
        ("/api/send", {"user": True, "text": "a"}, "user"),
        ("/api/send", {"user": 1.0, "text": "a"}, "user"),
        ("/api/send", {"user": 1}, "text"),
        ("/api/send", {"user": 1, "text": " "}, "text"),
        ("/api/send", {"user": 1, "text": 5}, "text"),
        ("/api/send", {"user": 1, "text": "a" * 4097}, "text"),
        ("/api/send", [], "body"),
        ("/api/tap", {"user": 9, "message_id": 1, "data": "a"}, "user"),
        ("/api/tap", {"user": 1, "data": "a"}, "message_id"),
        ("/api/tap", {"user": 1, "message_id": "1", "data": "a"}, "message_id"),
        ("/api/tap", {"user": 1, "message_id": True, "data": "a"}, "message_id"),
        ("/api/tap", {"user": 1, "message_id": 1}, "data"),
        ("/api/tap", {"user": 1, "message_id": 1, "data": "я" * 33}, "data"),
        ("/api/tap", {"user": 1, "message_id": 1, "data": "no such button"}, "data"),
        ("/api/tap", {"user": 1, "message_id": 7, "data": "cat:image"}, "data"),
        ("/api/pay", {"user": 9, "message_id": 1}, "user"),
        ("/api/pay", {"user": 1, "message_id": "1"}, "message_id"),
        ("/api/pay", {"user": 1, "message_id": 1}, "message_id"),
    ],
)
async def test_bad_input_is_refused_naming_field_and_mend(
    app: QuartTrio, chat: FakeChat, path: str, body: object, field: str
) -> None:
    chat.put(html="Выберите", buttons=["cat:image"])
    status, answer = await order(app, path, body)
    assert status == 400
    assert answer["field"] == field
    assert answer["mend"]
    assert chat.taps == []
    assert chat.payments == []
    assert len(chat.messages(ANNA.id)) == 1


@pytest.mark.parametrize(
    ("content_type", "data", "field"),
    [
        ("text/plain", b'{"user": 1, "text": "a"}', "Content-Type"),
        ("application/x-www-form-urlencoded", b"user=1&text=a", "Content-Type"),
        ("application/json", b'{"user": 1', "body"),
        ("application/json", b"\xff", "body"),
        ("application/json", b"", "body"),
    ],
)
async def test_a_post_must_be_json_and_say_so(
    app: QuartTrio, chat: FakeChat, content_type: str, data: bytes, field: str
) -> None:
    response = await app.test_client().post(
        "/api/send", data=data, headers={"Host": "localhost", "Content-Type": content_type}
    )
    assert response.status_code == 400
    assert (await response.get_json())["field"] == field
    assert chat.messages(ANNA.id) == []


async def test_a_body_without_end_is_refused(app: QuartTrio) -> None:
    status, answer = await order(app, "/api/send", {"user": 1, "text": "a" * 100_000})
    assert status == 413
    assert answer["mend"]


async def test_a_file_is_served_whole_and_in_ranges(app: QuartTrio) -> None:
    whole = await ask(app, "/file/pic")
    assert whole.headers["Content-Type"] == "image/png"
    assert await whole.get_data() == PNG
    part = await ask(app, "/file/pic", Range="bytes=2-9")
    assert part.status_code == 206
    assert await part.get_data() == PNG[2:10]
    assert part.headers["Content-Range"] == f"bytes 2-9/{len(PNG)}"


async def test_an_unknown_file_is_404(app: QuartTrio) -> None:
    assert (await ask(app, "/file/none")).status_code == 404
