"""A picture finds its place in an open order; what is none is refused before it costs anything."""

import pytest

from tests.domain.talk import Talk, labels, ready, reason, shown, started
from trt.domain import pictures
from trt.domain.dialog import Turn
from trt.domain.inputs import FileId, FileSent, MediaSent
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId

MB = 1024 * 1024


def sent(
    kind: str = "photo",
    mime_type: str | None = "image/jpeg",
    size_bytes: int | None = 1000,
    caption: str = "",
    file_id: str = "file-1",
) -> FileSent:
    return FileSent(
        file_id=FileId(file_id),
        kind=kind,
        size_bytes=size_bytes,
        mime_type=mime_type,
        caption=caption,
    )


def asked() -> Talk:
    """Return a talk that asks for the description of a nano-banana-pro."""
    talk = Talk()
    talk.tap("model:nano-banana-pro")
    talk.press("make:")
    return talk


def picture_of(turn: Turn) -> object:
    assert turn.session.draft is not None
    return turn.session.draft.values.get("image_input")


@pytest.mark.parametrize(
    ("file", "verdict"),
    [
        (sent(), pictures.Attached(FileId("file-1"))),
        (sent(size_bytes=None), pictures.Attached(FileId("file-1"))),
        (sent(size_bytes=20 * MB), pictures.Attached(FileId("file-1"))),
        (sent(size_bytes=20 * MB + 1), pictures.TooBig()),
        (sent("document", "image/png"), pictures.Attached(FileId("file-1"))),
        (sent("document", "image/webp"), pictures.Attached(FileId("file-1"))),
        (sent("document", "image/gif"), pictures.NoPicture()),
        (sent("document", "application/pdf"), pictures.NoPicture()),
        (sent("document", None), pictures.NoPicture()),
        (sent("video", "video/mp4"), pictures.NoPicture()),
        (MediaSent(kind="sticker"), pictures.NoPicture()),
    ],
)
def test_what_telegram_tells_of_a_file_is_judged(
    file: FileSent | MediaSent, verdict: object
) -> None:
    assert pictures.check(file) == verdict


def test_the_description_says_that_a_picture_may_come_with_it() -> None:
    talk = asked()
    assert "Можно приложить свою картинку" in shown(talk.turns[-1]).text
    turn = talk.do(sent())
    assert "Картинка приложена" in shown(turn).text
    assert picture_of(turn) == "file-1"
    other = Talk()
    other.tap("model:z-image")
    assert "картинку" not in shown(other.press("make:")).text


def test_a_caption_is_the_description_and_is_judged_as_one() -> None:
    turn = asked().do(sent(caption=" a cat "))
    assert shown(turn).screen_id is ScreenId.CONFIRM
    assert "a cat" in shown(turn).text
    assert "Ваша картинка: приложена 📎" in shown(turn).text
    turn = asked().do(sent(caption="x" * 4001))
    assert "слишком длинно" in shown(turn).text
    assert picture_of(turn) == "file-1"


def test_a_photo_on_the_card_begins_the_order() -> None:
    talk = Talk()
    talk.tap("model:nano-banana-pro")
    assert "больше 20 МБ" in shown(talk.do(sent(size_bytes=21 * MB))).text
    turn = talk.do(sent(caption="a cat"))
    assert shown(turn).screen_id is ScreenId.CONFIRM
    assert picture_of(turn) == "file-1"


def test_the_order_carries_the_file_id_and_the_newest_picture_counts() -> None:
    talk = ready()
    assert "Подпись" not in shown(talk.do(sent())).text
    turn = talk.do(sent(file_id="file-2", caption="not a new description"))
    assert "Подпись не взяли" in shown(turn).text
    [start] = started(talk.press("confirm:"))
    assert start.params["image_input"] == "file-2"
    assert start.params["prompt"] == "a cat"


def test_a_picture_that_is_sent_while_the_user_is_elsewhere_is_left_alone() -> None:
    talk = ready()
    talk.command("balance")
    for size_bytes in (1000, 21 * MB, 1000):  # and the last is no more meant for it than the first
        turn = talk.do(sent(size_bytes=size_bytes))
        assert "не приложили" in shown(turn).text
        assert reason(turn) is Reason.STATE_MISMATCH
        assert picture_of(turn) is None
    talk.press("keep:")
    assert picture_of(talk.do(sent())) == "file-1"


def test_a_picture_that_is_asked_for_can_be_kept_or_left_out() -> None:
    talk = ready()
    question = talk.press("edit:" + talk_draft(talk) + ":image_input")
    assert "Пришлите фото или файл" in shown(question).text
    assert "➖ Без картинки" in labels(question)
    assert "➡️ Оставить как есть" not in labels(question)
    talk.do(sent())
    question = talk.press("edit:" + talk_draft(talk) + ":image_input")
    assert "приложена" in shown(question).text
    assert picture_of(talk.press("keep:")) == "file-1"
    talk.press("edit:" + talk_draft(talk) + ":image_input")
    assert picture_of(talk.press("set:")) is None


def talk_draft(talk: Talk) -> str:
    assert talk.session.draft is not None
    return talk.session.draft.draft_id


def test_what_is_no_picture_is_told_apart_while_one_is_asked_for() -> None:
    talk = ready()
    talk.press("edit:" + talk_draft(talk) + ":image_input")
    for wrong in (sent("voice", "audio/ogg"), sent("document", None), MediaSent(kind="sticker")):
        turn = talk.do(wrong)
        assert "не похоже на картинку" in shown(turn).text
        assert reason(turn) is Reason.VALIDATION_FAIL
    assert "Здесь нужна картинка" in shown(talk.say("a dog")).text
    turn = talk.do(sent(size_bytes=21 * MB))
    assert "больше 20 МБ" in shown(turn).text
    assert reason(turn) is Reason.VALIDATION_FAIL
    assert picture_of(turn) is None


@pytest.mark.parametrize("model_id", ["z-image", "kling-2.6/text-to-video"])
def test_a_model_that_takes_no_picture_gets_none(model_id: str) -> None:
    talk = Talk()
    talk.tap(f"model:{model_id}")
    turn = talk.do(sent(caption="a cat"))
    assert "Здесь понимаю только текст" in shown(turn).text
    assert reason(turn) is Reason.UNSUPPORTED_UPDATE
    assert turn.session.draft is not None
    assert turn.session.draft.values == {}
