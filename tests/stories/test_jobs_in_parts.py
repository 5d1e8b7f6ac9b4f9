"""Results of several messages: what is missing can be fetched, and money goes with the whole."""

from tests.stories import job_kit, kit
from trt.sandbox.faults import CutBefore
from trt.sandbox.kie_script import Succeed
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.world import World

NO_PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(60)
"""Looks like a picture from its first bytes; Telegram cannot read it."""
OFFER = "целиком отправить его не вышло"
FETCH = "📥 Получить результат"


def documents(user: FakeUser) -> list[FakeMessage]:
    return [one for one in user.messages if one.is_from_bot and one.kind == "document"]


async def lacks_the_first_of_three(w: World, anna: FakeUser) -> FakeMessage:
    """Have an album go apart, its first file cut five times; returns the offer to fetch it."""
    w.kie.script(Succeed(files=3))
    job_kit.serve_results(w, NO_PHOTO, "image/png")
    w.telegram.faults.add("sendDocument", CutBefore(), times=5)
    await kit.orders_picture(anna)
    return await anna.wait_message(OFFER, 300)


@kit.SEEDS
def test_a_file_that_is_missing_is_fetched_and_only_then_the_whole_is_charged(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        offer = await lacks_the_first_of_three(w, anna)
        await w.settled(300)
        assert "Деньги пока в резерве" in offer.text
        assert len(documents(anna)) == 2
        assert (await kit.only_job(w, anna)).state == "delivering"
        assert (await w.balance(anna.user_id)).reserved_kopecks == kit.PICTURE_KOPECKS
        await kit.pressed(anna, FETCH, offer)
        await w.settled(60)
        assert len(documents(anna)) == 5
        assert (await kit.only_job(w, anna)).state == "delivered"
        assert kit.count(anna, OFFER) == 1
        assert kit.count(anna, "Списано 0,63 ₽") == 1
        charged = [one.fields["kind"] for one in w.told(EventName.LEDGER_TRANSFER)]
        assert charged.count("capture") == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_the_offer_comes_when_the_rest_has_arrived_and_works_at_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        offer = await lacks_the_first_of_three(w, anna)
        assert len(documents(anna)) == 2
        tap = await kit.pressed(anna, FETCH, offer)
        answer = anna.answer(tap)
        assert answer is not None
        assert answer.text == "📥 Отправляем"

    kit.tell(story, seed)


@kit.SEEDS
def test_files_that_are_missing_together_are_offered_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=3))
        job_kit.serve_results(w, NO_PHOTO, "image/png")
        w.telegram.faults.add("sendDocument", CutBefore(), times=15)
        await kit.orders_picture(anna)
        await w.settled(600)
        assert documents(anna) == []
        assert kit.count(anna, "результат готов, но отправить его не вышло") == 1
        assert (await w.balance(anna.user_id)).reserved_kopecks == kit.PICTURE_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_who_never_fetches_the_rest_has_all_the_money_back_after_its_day(seed: int) -> None:
    """So the user was told; the files that have arrived are a present then."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await lacks_the_first_of_three(w, anna)
        await kit.a_day_later(w)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "DELIVERY_FAILED")
        assert kit.count(anna, "целиком отправить его в этот чат не удалось") == 1
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_file_that_can_never_come_is_named_and_the_others_are_paid(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(files=3))
        job_kit.lose_file(w, 2)
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 2
        status = await anna.wait_message("Списано 0,63 ₽")
        assert "Часть файлов отправить не удалось" in status.text
        assert len(w.told(EventName.MESSAGE_FAILED)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_missing_file_that_is_gone_when_it_is_fetched_ends_in_the_part_that_came(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        offer = await lacks_the_first_of_three(w, anna)
        job_kit.lose_file(w, 0)
        await kit.pressed(anna, FETCH, offer)
        await w.settled(60)
        assert len(documents(anna)) == 4
        status = await anna.wait_message("Списано 0,63 ₽")
        assert "Часть файлов отправить не удалось" in status.text
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)
