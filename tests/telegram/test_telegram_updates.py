"""Reading updates: what is an update, whose it is, and what the user did."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import CallbackId, ChatId, MessageId, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileId,
    FileSent,
    MediaSent,
    Person,
    TextSent,
    UserEvent,
)
from trt.telegram.update_parts import FILES, MEDIA
from trt.telegram.updates import BadUpdate, Unsupported, Update, parse_update, read_event

USER = {"id": 7, "is_bot": False, "first_name": "Аня", "language_code": "ru"}
CHAT = {"id": 7, "type": "private", "first_name": "Аня"}


def update(kind: str, **part: Any) -> bytes:
    return json.dumps({"update_id": 12345, kind: part}).encode()


def message(**content: Any) -> bytes:
    return update(
        "message", message_id=9, date=1700000000, **{"from": USER, "chat": CHAT}, **content
    )


def tap(**changes: Any) -> bytes:
    under = {"message_id": 9, "date": 1700000000, "chat": CHAT, "text": "menu"}
    query = {"id": "438", "from": USER, "message": under, "chat_instance": "-3", "data": "back"}
    return update("callback_query", **{**query, **changes})


def done(payload: bytes) -> UserEvent:
    read = read_event(payload)
    assert not isinstance(read, Unsupported)
    return read[1]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"update_id": 1', "not JSON"),
        (b'{"update_id": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"null", "not an object"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"{}", "update_id: missing"),
        (b'{"update_id": null}', "update_id: NoneType"),
        (b'{"update_id": "12"}', "update_id: str"),
        (b'{"update_id": true}', "update_id: bool"),
        (b'{"update_id": 1.5}', "update_id: float"),
        (b'{"update_id": -1}', "update_id: out of range"),
        (b'{"update_id": 9223372036854775808}', "update_id: out of range"),
        (b'{"update_id": 99999999999999999999999999}', "update_id: out of range"),
        (b'{"update_id": 1, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
    ],
)
def test_what_is_not_an_update_is_named_with_its_mend(body: bytes, names: str) -> None:
    read = parse_update(body)
    assert isinstance(read, BadUpdate)
    assert names in read.problem
    assert ";" in read.problem


def test_the_largest_update_id_is_taken() -> None:
    read = parse_update(b'{"update_id": 9223372036854775807}')
    assert isinstance(read, Update)
    assert read.update_id == 2**63 - 1


@pytest.mark.parametrize(
    ("body", "kind", "user_id", "chat_id", "callback_id"),
    [
        (message(text="hi"), "message", 7, 7, None),
        (tap(), "callback_query", 7, 7, "438"),
        (update("edited_message", **{"from": USER, "chat": CHAT}), "edited_message", 7, 7, None),
        (update("channel_post", chat={"id": -5, "type": "channel"}), "channel_post", 0, -5, None),
        (update("pre_checkout_query", id="1", **{"from": USER}), "pre_checkout_query", 7, 0, None),
        (update("poll_answer", user=USER), "poll_answer", 7, 0, None),
        (update("poll", id="5"), "poll", 0, 0, None),
        (update("widget_query", id="5"), "unknown", 0, 0, None),
        (b'{"update_id": 3}', "unknown", 0, 0, None),
        # Not as documented, but Telegram would deliver it for ever if it were refused.
        (update("message", **{"from": "somebody"}), "message", 0, 0, None),
        (b'{"update_id": 3, "message": [1]}', "message", 0, 0, None),
    ],
)
def test_the_envelope_says_what_kind_and_whose(
    body: bytes, kind: str, user_id: int, chat_id: int, callback_id: str | None
) -> None:
    read = parse_update(body)
    assert isinstance(read, Update)
    assert (read.kind, read.user_id, read.chat_id) == (kind, user_id, chat_id)
    assert read.callback_id == callback_id


def test_a_message_says_who_wrote_it() -> None:
    assert read_event(message(text="hi")) == (
        Person(user_id=UserId(7), chat_id=ChatId(7), first_name="Аня", language_code="ru"),
        TextSent(text="hi"),
    )


@pytest.mark.parametrize(
    ("text", "command", "argument"),
    [
        ("/start", "start", ""),
        ("/start@trt_bot", "start", ""),
        ("/start@trt_bot ref_1", "start", "ref_1"),
        ("/START  two words ", "start", "two words"),
        ("/help\nme", "help", "me"),
    ],
)
def test_a_command_loses_its_slash_and_the_bots_name(
    text: str, command: str, argument: str
) -> None:
    assert done(message(text=text)) == CommandSent(command=command, argument=argument)


@pytest.mark.parametrize("text", ["/", "/ start", "/привет", "a /start", "//x", "/start!"])
def test_what_only_looks_like_a_command_is_text(text: str) -> None:
    assert done(message(text=text)) == TextSent(text=text)


def test_nul_is_dropped_because_it_cannot_be_stored() -> None:
    assert done(message(text="a\x00b")) == TextSent(text="ab")


@pytest.mark.parametrize("kind", sorted(set(MEDIA) - FILES))
def test_media_is_named_by_telegrams_field(kind: str) -> None:
    assert done(message(**{kind: {"file_id": "x"}}, caption="look")) == MediaSent(kind=kind)


@pytest.mark.parametrize("kind", sorted(FILES - {"photo"}))
def test_a_file_says_what_is_needed_to_fetch_it(kind: str) -> None:
    content = {"file_id": "x", "file_size": 7, "mime_type": "a/b", "file_name": "c"}
    sent = FileSent(file_id=FileId("x"), kind=kind, size_bytes=7, mime_type="a/b", caption="look")
    assert done(message(**{kind: content}, caption="lo\x00ok")) == sent
    bare = FileSent(file_id=FileId("x"), kind=kind, size_bytes=None, mime_type=None, caption="")
    assert done(message(**{kind: {"file_id": "x"}})) == bare


def test_of_a_photo_the_largest_size_is_meant() -> None:
    sizes = [
        {"file_id": "s", "width": 90, "height": 60, "file_size": 1},
        {"file_id": "l", "width": 900, "height": 600, "file_size": 100},
        {"file_id": "m", "width": 320, "height": 213, "file_size": 10},
    ]
    assert done(message(photo=sizes)) == FileSent(
        file_id=FileId("l"), kind="photo", size_bytes=100, mime_type="image/jpeg", caption=""
    )


@pytest.mark.parametrize("kind", sorted(FILES))
@pytest.mark.parametrize("odd", [None, [], {}, 5, [{"width": 1}]])
def test_a_file_that_is_not_as_documented_is_still_media(kind: str, odd: object) -> None:
    assert done(message(**{kind: odd})) == MediaSent(kind=kind)


def test_a_caption_is_not_in_the_repr() -> None:
    assert "CANARY" not in repr(done(message(document={"file_id": "x"}, caption="CANARY")))


def test_an_animation_is_not_taken_for_the_document_that_comes_with_it() -> None:
    event = done(message(document={"file_id": "x"}, animation={"file_id": "y"}))
    assert isinstance(event, FileSent)
    assert (event.kind, event.file_id) == ("animation", "y")


def test_a_tap_names_its_message_and_its_data() -> None:
    event = done(tap(data="confirm:0a1b2c3d"))
    assert event == ButtonTapped(
        callback_id=CallbackId("438"), data="confirm:0a1b2c3d", message_id=MessageId(9)
    )


@pytest.mark.parametrize(
    "under", [None, {"message_id": 9, "date": 0, "chat": CHAT}], ids=["none", "inaccessible"]
)
def test_a_tap_under_a_message_that_is_gone_has_no_message(under: object) -> None:
    read = read_event(tap(message=under))
    assert not isinstance(read, Unsupported)
    person, event = read
    assert isinstance(event, ButtonTapped)
    assert event.message_id is None
    assert person.chat_id == 7


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (message(pinned_message={}), "message"),
        (message(successful_payment={}), "message"),
        (
            update("message", **{"from": USER, "chat": {"id": -5, "type": "group"}}, text="x"),
            "message",
        ),
        (update("message", chat=CHAT, text="no sender"), "message"),
        (
            tap(message={"message_id": 1, "date": 1, "chat": {"id": -5, "type": "group"}}),
            "callback_query",
        ),
        (tap(data=None, game_short_name="g"), "callback_query"),
        (update("edited_message", **{"from": USER, "chat": CHAT}, text="x"), "edited_message"),
        (update("channel_post", chat={"id": -5, "type": "channel"}, text="x"), "channel_post"),
        (update("message", **{"from": "somebody", "chat": CHAT}, text="x"), "message"),
        (b'{"update_id": 3}', "unknown"),
        (b"not json", "unknown"),
    ],
)
def test_everything_else_is_unsupported_and_says_what_it_was(payload: bytes, kind: str) -> None:
    assert read_event(payload) == Unsupported(kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "from", "chat", "message", "text", "type"]), inner)
    ),
    max_leaves=12,
)


@given(part=JSON, kind=st.sampled_from(["message", "callback_query", "poll", "odd"]))
def test_no_update_with_an_id_is_ever_refused(part: object, kind: str) -> None:
    body = json.dumps({"update_id": 5, kind: part}).encode(errors="replace")
    assert isinstance(parse_update(body), Update)
    read_event(body)


@given(body=st.binary(max_size=60))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    assert isinstance(parse_update(body), Update | BadUpdate)
    read_event(body)
