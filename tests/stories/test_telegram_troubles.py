"""Telegram is busy, slow, broken or deaf: order and money are kept, one chat delays no other."""

import trio

from tests.stories import kit
from trt.sandbox.faults import CutAfter, CutBefore, ServerError, Slow, SlowAnswer, TooMany
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_a_429_on_one_chat_does_not_delay_another(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        for user in (anna, boris):
            user.send("/start")
            await user.wait_message("Что создаём?")
        await w.settled()
        w.telegram.faults.add("sendMessage", TooMany(30), chat_id=anna.user_id)
        before = trio.current_time()
        anna.send("/help")
        boris.send("/help")
        await boris.wait_message("Как это работает")
        assert trio.current_time() - before < 1.0
        await anna.wait_message("Как это работает")
        assert 30 <= trio.current_time() - before < 32
        assert kit.count(anna, "Как это работает") == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_a_slow_chat_does_not_delay_another(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        w.telegram.faults.add("sendMessage", Slow(15.0), chat_id=anna.user_id)
        before = trio.current_time()
        anna.send("/start")
        boris.send("/start")
        await boris.wait_message("Борис")
        assert trio.current_time() - before < 1.0
        await anna.wait_message("Анна")
        assert trio.current_time() - before >= 15.0

    kit.tell(story, seed)


@kit.SEEDS
def test_messages_of_one_chat_keep_their_order_through_errors(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendMessage", ServerError(502), times=2)
        w.telegram.faults.add("sendMessage", TooMany(3))
        w.telegram.faults.add("sendMessage", CutBefore())
        anna.send("/start")
        anna.send("/help")
        anna.send("/balance")
        await w.settled(120)
        texts = [message.text for message in anna.messages if message.is_from_bot]
        assert [
            word in text for word, text in zip(("Анна", "Как это", "Баланс"), texts, strict=True)
        ]
        assert [w for w in ("Анна", "Как это работает", "Баланс: 100") if w in "".join(texts)] == [
            "Анна",
            "Как это работает",
            "Баланс: 100",
        ]

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_whose_fate_is_unknown_is_sent_at_most_twice_and_charged_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendPhoto", CutAfter())
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 2
        assert len(w.told(EventName.MESSAGE_UNKNOWN)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_that_was_cut_off_before_it_arrived_is_sent_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendPhoto", CutBefore())
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_retries_that_were_safe_do_not_count_against_a_message_of_unknown_fate(seed: int) -> None:
    """Three times "later" and then one cut: that is one unknown, not four."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendPhoto", TooMany(2), times=3)
        w.telegram.faults.add("sendPhoto", CutBefore())
        await kit.orders_picture(anna)
        await w.settled(200)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_that_does_not_get_through_waits_to_be_fetched_and_is_paid_then(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendPhoto", CutBefore(), times=5)
        await kit.orders_picture(anna)
        offer = await anna.wait_message("отправить его не вышло", 300)
        assert (await kit.only_job(w, anna)).state == "delivering"
        await w.settled(60)
        money = await w.balance(anna.user_id)
        assert money.reserved_kopecks == kit.PICTURE_KOPECKS
        tap = await kit.pressed(anna, "📥 Получить результат", offer)
        answer = anna.answer(tap)
        assert answer is not None
        assert answer.text == "📥 Отправляем"
        await anna.wait_message(lambda message: message.kind == "photo", 60)
        await w.settled()
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_that_never_gets_through_is_refunded_after_its_day(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add("sendPhoto", CutBefore(), times=50)
        await kit.orders_picture(anna)
        offer = await anna.wait_message("отправить его не вышло", 300)
        await kit.a_day_later(w)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "DELIVERY_FAILED")
        await kit.assert_refunded(w, anna)
        tap = await kit.pressed(anna, "📥 Получить результат", offer)
        answer = anna.answer(tap)
        assert answer is not None
        assert "больше не хранится" in answer.text

    kit.tell(story, seed)


@kit.SEEDS
def test_a_result_that_is_fetched_again_costs_nothing_and_is_sent_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(60)
        anna.send("/jobs")
        page = await anna.wait_message("Мои задачи")
        w.telegram.faults.add("sendPhoto", TooMany(5))
        await kit.pressed(anna, "📥 Получить 1", page)
        again = await kit.pressed(anna, "📥 Получить 1", page)
        answer = anna.answer(again)
        assert answer is not None
        assert "Уже отправляем" in answer.text
        await w.settled(60)
        assert len(kit.pictures(anna)) == 2
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_telegram_that_is_down_for_ten_minutes_only_delays(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        app = w.network.apps.pop("telegram.test")
        await w.settled(600)
        w.network.apps["telegram.test"] = app
        await w.settled(200)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_who_blocks_the_bot_before_the_delivery_gets_the_money_back(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(1)
        anna.blocked = True
        await w.settled(300)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason) == ("failed", "DELIVERY_FAILED")
        money = await w.balance(anna.user_id)
        assert (money.available_kopecks, money.reserved_kopecks) == (kit.WELCOME_KOPECKS, 0)
        anna.blocked = False
        anna.send("/balance")
        await anna.wait_message("100 ₽")

    kit.tell(story, seed)


@kit.SEEDS
def test_a_status_message_that_was_deleted_is_written_anew(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        await kit.pressed(anna, kit.CONFIRM)
        await w.settled(1)
        anna.chat.messages.remove(confirmation)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert kit.count(anna, "Списано 0,63 ₽") == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_edit_whose_fate_is_unknown_is_repeated_until_it_is_seen(seed: int) -> None:
    """A second edit does no harm, so it is not counted against the message."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        status = await kit.has_confirmation(anna)
        w.telegram.faults.add("editMessageText", ServerError(502), times=12)
        await kit.pressed(anna, kit.CONFIRM, status)
        await w.settled(1200)
        assert "Списано 0,63 ₽" in status.text
        assert not w.told(EventName.MESSAGE_FAILED)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_answer_to_a_tap_that_hangs_is_the_networks_fault_and_delays_no_screen(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        w.telegram.faults.add("answerCallbackQuery", SlowAnswer(20.0))
        anna.tap("cat:image")
        await anna.wait_message(
            lambda one: one is menu and one.button("model:z-image") is not None, 2
        )

    kit.tell(story, seed)
