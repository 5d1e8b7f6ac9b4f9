"""Without a webhook the active instance asks Telegram itself, and loses nothing either."""

from tests.stories import kit
from trt.storage.errors import DatabaseUnavailable
from trt.testing.trouble import When
from trt.testing.world import World

POLLING = {"BOT_MODE": "polling"}


@kit.SEEDS
def test_a_picture_comes_without_a_webhook(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, environment=POLLING)


@kit.SEEDS
def test_an_update_that_could_not_be_committed_is_asked_for_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await w.settled(1)
        w.bot.trouble.fail("store", DatabaseUnavailable("locked"), when=When.INSIDE, times=2)
        for text in ("/start", "/help", "/balance"):
            anna.send(text)
        await w.settled(60)
        for words in ("Что создаём?", "Как это работает", "Баланс: 100"):
            assert kit.count(anna, words) == 1

    kit.tell(story, seed, environment=POLLING)


@kit.SEEDS
def test_of_two_instances_only_the_active_one_polls(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        first = w.bot
        await w.settled(1)
        await w.start()
        anna.send("/start")
        await anna.wait_message("Что создаём?")
        await first.stop()
        anna.send("/help")
        await anna.wait_message("Как это работает", 10)
        await w.settled(60)
        assert kit.count(anna, "Как это работает") == 1

    kit.tell(story, seed, environment=POLLING)
