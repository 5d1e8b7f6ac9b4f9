"""From /start to a picture or a clip that is paid for, and the ways around it."""

import pytest

from tests.stories import job_kit, kit
from trt.actors.job_keeper import LEARN_EVERY_S, SWEEP_EVERY_S
from trt.sandbox.kie_script import Succeed
from trt.testing.world import World


@kit.SEEDS
def test_a_tap_becomes_a_delivered_picture(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user(first_name="Анна")
        confirmation = await kit.has_confirmation(anna)
        assert "0,63 ₽" in confirmation.text
        assert kit.PROMPT in confirmation.text
        tap = await kit.pressed(anna, kit.CONFIRM)
        picture = await anna.wait_message(lambda message: message.kind == "photo", 300)
        assert picture.button("🔁 Повторить") is not None
        await w.settled()
        assert confirmation.text.startswith("✅")  # one status message, edited from start to end
        assert "Списано 0,63 ₽" in confirmation.text
        assert anna.answer(tap) is not None
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_video_is_ordered_in_english(seed: int) -> None:
    async def story(w: World) -> None:
        bob = w.telegram.user(first_name="Bob", language_code="en")
        bob.send("/start")
        await bob.wait_message("Bob")
        for button in (
            "cat:video",
            "model:kling-2.6/text-to-video",
            "make:kling-2.6/text-to-video",
        ):
            await kit.pressed(bob, button)
            await w.settled(2)
        bob.send("a boat on a lake")
        for choice in ("16:9", "5", "false"):
            await w.settled(2)
            [data] = [
                button.data
                for button in bob.last.buttons
                if button.data and button.data.startswith("set:") and button.data.endswith(choice)
            ]
            await kit.pressed(bob, data)
        await w.settled(2)
        await kit.pressed(bob, "✅ Start")
        clip = await bob.wait_message(lambda message: message.kind == "video", 600)
        assert clip.file is not None
        await w.settled()
        money = await w.balance(bob.user_id)
        assert money.reserved_kopecks == 0
        assert 0 < money.available_kopecks < kit.WELCOME_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_repeat_offers_the_same_order_and_charges_for_it_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        first = await anna.wait_message(lambda message: message.kind == "photo", 300)
        await w.settled()
        await kit.pressed(anna, "🔁 Повторить", first)
        again = await anna.wait_message(kit.PROMPT, after=first)
        await kit.pressed(anna, kit.CONFIRM, again)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 2
        money = await w.balance(anna.user_id)
        assert money.available_kopecks == kit.WELCOME_KOPECKS - 2 * kit.PICTURE_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_back_cancel_and_balance_cost_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        await kit.pressed(anna, "◀️ Назад", confirmation)
        await w.settled(5)
        assert confirmation.button("✅ Запустить") is None
        await kit.pressed(anna, "❌ Отмена")
        await anna.wait_message("Заказ отменён")
        anna.send("/balance")
        await anna.wait_message("100 ₽")
        assert await kit.jobs_of(w, anna) == []
        assert not w.kie.tasks

    kit.tell(story, seed)


@pytest.mark.parametrize("data", ["model:gone", "set:00000000:prompt:x", "confirm:00000000", "?"])
def test_a_button_of_yesterday_is_called_outdated(data: str) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        await anna.wait_message("Анна")
        tap = anna.tap_data(data)
        answer = await anna.wait_answer(tap)
        assert answer.text in {"Кнопка устарела", "Эта модель сейчас не работает"}
        await w.settled()
        assert anna.last.button("cat:image") is not None

    kit.tell(story)


@kit.SEEDS
def test_stray_words_and_stickers_are_answered(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("нарисуй кота")
        first = await anna.wait_message("сначала выберите модель")
        anna.send_sticker()
        await anna.wait_message("Здесь понимаю только текст", after=first)
        anna.send("/nonsense")
        await anna.wait_message("Такой команды нет")

    kit.tell(story, seed)


@kit.SEEDS
def test_after_five_pictures_the_status_says_how_long_they_really_take(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        await job_kit.has_accounts([anna, boris])
        w.kie.script(Succeed(after_s=40.0), times=6)
        await job_kit.order_at_once(w, [anna] * 5)
        await anna.wait_message("Обычно это занимает: 15 секунд.")  # what the registry thinks
        await w.settled(60)
        assert len(kit.pictures(anna)) == 5
        await w.settled(LEARN_EVERY_S + SWEEP_EVERY_S)
        await job_kit.order_at_once(w, [boris])
        await boris.wait_message("Обычно это занимает: 40 секунд.")
        await w.settled(60)

    kit.tell(story, seed)
