"""A user has their data deleted: the words are gone from the database, the money is not."""

from tests.stories import kit, till_kit
from trt.sandbox.kie_script import Never
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import World

NAME = "Аннабель"
WORDS = (kit.PROMPT, NAME, "https://")
"""The prompt, the name, and what the address of every result begins with."""


async def asks(user: FakeUser, answer: str = "Удалить ваши данные?") -> FakeMessage:
    """Walk from /privacy to the question, or to what comes in its place."""
    user.send("/privacy")
    notice = await user.wait_message("Приватность")
    await kit.pressed(user, "🗑 Удалить мои данные", notice)
    return await user.wait_message(lambda one: one is notice and answer in one.text)


async def everything_kept(w: World, user: FakeUser) -> str:
    """Return all that the database holds about a user, as text."""
    tables = [name for (name,) in await w.rows("SELECT name FROM sqlite_master WHERE sql <> ''")]
    found = []
    for table in tables:
        columns = {row[1] for row in await w.rows(f"PRAGMA table_info({table})")}
        key = next((each for each in ("user_id", "chat_id") if each in columns), None)
        if key is not None:
            sql = f"SELECT * FROM {table} WHERE {key} = :user"
            found += await w.rows(sql, user=user.user_id)
    return "\n".join(
        str(value.decode() if isinstance(value, bytes) else value) for row in found for value in row
    )


@kit.SEEDS
def test_what_was_said_is_gone_and_what_was_paid_is_not(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user(first_name=NAME)
        await kit.orders_picture(anna)
        await w.settled(120)
        await kit.has_confirmation(anna)  # a draft, too
        await w.settled(5)
        before = await everything_kept(w, anna)
        transfers = await w.rows("SELECT * FROM transfers ORDER BY transfer_no")
        assert [word in before for word in WORDS] == [True, True, True]
        question = await asks(anna)
        await kit.pressed(anna, "🗑 Да, удалить", question)
        await anna.wait_message("Данные удалены")
        await w.settled(5)
        after = await everything_kept(w, anna)
        assert [word in after for word in WORDS] == [False, False, False]
        assert await w.rows("SELECT * FROM transfers ORDER BY transfer_no") == transfers
        await kit.assert_paid_once(w, anna)
        anna.send("/balance")
        await anna.wait_message("−0,63 ₽ · Z-Image")
        await kit.orders_picture(anna)  # and life goes on
        await w.settled(120)
        assert len(kit.pictures(anna)) == 2

    kit.tell(story, seed)


@kit.SEEDS
def test_buttons_of_before_say_that_it_is_gone(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user(first_name=NAME)
        await kit.orders_picture(anna)
        await w.settled(120)
        [picture] = kit.pictures(anna)
        question = await asks(anna)
        await kit.pressed(anna, "🗑 Да, удалить", question)
        await anna.wait_message("Данные удалены")
        again = next(b.data for b in picture.buttons if b.data and b.data.startswith("repeat:"))
        await kit.pressed(anna, again, picture)
        await anna.wait_message("Описание")  # it asks again, for it has forgotten

    kit.tell(story, seed)


@kit.SEEDS
def test_an_order_under_way_is_finished_first(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user(first_name=NAME)
        w.kie.script(Never())
        await kit.orders_picture(anna)
        await w.settled(5)
        notice = await asks(anna, "Ещё идёт заказ")
        assert notice.button("🗑 Да, удалить") is None
        await kit.pressed(anna, "jobs", notice)
        [[params]] = await w.rows("SELECT params FROM jobs")
        assert kit.PROMPT in params

    kit.tell(story, seed)


@kit.SEEDS
def test_another_users_words_are_left_alone(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(first_name=NAME), w.telegram.user(first_name="Борис")
        await kit.orders_picture(anna)
        await kit.orders_picture(boris)
        await till_kit.pays(boris)
        await w.settled(120)
        before = await everything_kept(w, boris)
        question = await asks(anna)
        await kit.pressed(anna, "🗑 Да, удалить", question)
        await anna.wait_message("Данные удалены")
        await w.settled(5)
        assert await everything_kept(w, boris) == before

    kit.tell(story, seed)
