"""Results of every shape: albums, originals, and the next best way when Telegram says no."""

import io

import pytest
from PIL import Image

from tests.stories import job_kit, kit
from trt.sandbox.faults import CutAfter, CutBefore, TooMany
from trt.sandbox.kie_script import Succeed
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import World


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


SMALL, LARGE, TOO_LONG = png(640, 480), png(3000, 2000), png(9000, 400)
BROKEN = SMALL[:60]
"""Looks like a picture from its first bytes; Telegram cannot read it."""
HUGE = SMALL + bytes(50_000_000)


def of_kind(user: FakeUser, kind: str) -> list[FakeMessage]:
    return [one for one in user.messages if one.is_from_bot and one.kind == kind]


@kit.SEEDS
def test_several_results_come_as_one_album_with_buttons_below_the_status(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=4))
        await kit.orders_picture(anna)
        await w.settled(60)
        pictures = kit.pictures(anna)
        assert len(pictures) == 4
        assert len({picture.album_id for picture in pictures}) == 1
        assert [bool(picture.text) for picture in pictures] == [True, False, False, False]
        status = await anna.wait_message("Списано 0,63 ₽")
        assert status.button("🔁 Повторить") is not None
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_album_that_telegram_refuses_comes_one_by_one_and_is_charged_at_the_end(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=3))
        job_kit.serve_results(w, BROKEN, "image/png")
        await kit.orders_picture(anna)
        await w.settled(5)
        w.telegram.faults.add("sendDocument", TooMany(20))
        await w.settled(15)
        assert (await kit.only_job(w, anna)).state == "delivering"
        await w.settled(120)
        documents = of_kind(anna, "document")
        assert len(documents) == 3
        assert [bool(one.text) for one in documents] == [True, False, False]
        assert [one.button("🔁 Повторить") is not None for one in documents] == [False, False, True]
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_larger_than_a_photo_is_kept_comes_as_preview_and_original(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        job_kit.serve_results(w, LARGE, "image/png")
        await kit.orders_picture(anna)
        await w.settled(60)
        [preview] = kit.pictures(anna)
        [original] = of_kind(anna, "document")
        assert preview.message_id < original.message_id
        assert preview.button("🔁 Повторить") is not None
        assert original.file is not None
        assert original.file.data == LARGE
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_large_pictures_of_an_album_follow_it_as_originals(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=2))
        job_kit.serve_results(w, LARGE, "image/png")
        await kit.orders_picture(anna)
        await w.settled(60)
        assert (len(kit.pictures(anna)), len(of_kind(anna, "document"))) == (2, 2)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@pytest.mark.parametrize("data", [TOO_LONG, BROKEN], ids=["dimensions", "unreadable"])
@kit.SEEDS
def test_what_is_no_photo_for_telegram_comes_as_a_document(seed: int, data: bytes) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        job_kit.serve_results(w, data, "image/png")
        await kit.orders_picture(anna)
        await w.settled(60)
        assert kit.pictures(anna) == []
        [document] = of_kind(anna, "document")
        assert document.file is not None
        assert document.file.data == data
        assert not w.told(EventName.MESSAGE_FAILED)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


def test_what_is_too_big_for_a_message_comes_as_a_link_and_is_paid() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        job_kit.serve_results(w, HUGE, "image/png")
        await kit.orders_picture(anna)
        await w.settled(60)
        [task] = w.kie.tasks
        link = await anna.wait_message("вот ссылка")
        assert task.file_urls[0] in link.text
        assert link.button("🔁 Повторить") is not None
        assert kit.pictures(anna) == of_kind(anna, "document") == []
        await kit.assert_paid_once(w, anna)

    kit.tell(story)


@kit.SEEDS
def test_a_success_whose_file_is_none_is_refunded(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        job_kit.serve_results(w, b"<html>not here</html>", "text/html")
        await kit.orders_picture(anna)
        await w.settled(60)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "KIE_NO_RESULT")
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_album_whose_fate_is_unknown_is_charged_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=2))
        w.telegram.faults.add("sendMediaGroup", CutAfter())
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 4  # twice, and that is counted
        assert len(w.told(EventName.MESSAGE_UNKNOWN)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_the_preview_is_not_charged_before_its_original_has_come(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        job_kit.serve_results(w, LARGE, "image/png")
        w.telegram.faults.add("sendDocument", CutBefore(), times=5)
        await kit.orders_picture(anna)
        offer = await anna.wait_message("отправить его не вышло", 300)
        assert len(kit.pictures(anna)) == 1
        assert (await w.balance(anna.user_id)).reserved_kopecks == kit.PICTURE_KOPECKS
        await kit.pressed(anna, "📥 Получить результат", offer)
        await w.settled(60)
        assert len(of_kind(anna, "document")) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_what_kie_took_is_kept_and_compared(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(1)
        [task] = w.kie.tasks
        task.credits = 1.4
        await w.settled(60)
        [[expected, consumed]] = await w.rows("SELECT credits_expected, credits_consumed FROM jobs")
        assert (expected, consumed) == ("0.8", "1.4")
        [drift] = w.told(EventName.CREDITS_DRIFT)
        assert (drift.fields["expected"], drift.fields["consumed"]) == ("0.8", "1.4")
        health = (await w.http.get("https://bot.test/health")).json()
        assert health["kie"]["drift"] == {"jobs": 1, "expected": "0.8", "consumed": "1.4"}
        await kit.orders_picture(anna)
        await w.settled(60)
        assert len(w.told(EventName.CREDITS_DRIFT)) == 1  # what agrees is no news

    kit.tell(story, seed)
