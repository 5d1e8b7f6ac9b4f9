"""A user's own picture goes in: to KIE's file service and nowhere else, and a picture comes out."""

from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from tests.conftest import LogOfTest
from tests.stories import kit
from tests.telegram.answers import refused
from trt.sandbox import drawing
from trt.sandbox.faults import Call, CutAfter, CutBefore, Fault, ServerError, Slow
from trt.sandbox.http import ASGIApp, Receive, Scope, Send
from trt.sandbox.kie_envelope import Declined
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_files import DOWNLOAD_BYTES_MAX
from trt.sandbox.telegram_user import FakeUser
from trt.telemetry.events import EventName
from trt.testing.trouble import When
from trt.testing.world import BOT_TOKEN, World

PICTURE = drawing.picture("кот", "1:1", suffix="jpg")
PRICE_KOPECKS = 1_404
REFUND = "Вернули на баланс 14,04 ₽"


async def has_question(user: FakeUser) -> FakeMessage:
    """Walk from /start to the description of a Nano Banana Pro."""
    user.send("/start")
    menu = await user.wait_message("Что создаём?")
    for button in ("cat:image", "model:nano-banana-pro", "make:nano-banana-pro"):
        await has_button(user, button)
        await kit.pressed(user, button, menu)
    return await user.wait_message("Можно приложить свою картинку")


async def has_button(user: FakeUser, button: str) -> FakeMessage:
    return await user.wait_message(lambda one: one.button(button) is not None)


async def has_confirmation(user: FakeUser, picture: bytes = PICTURE) -> FakeMessage:
    """Walk to the confirmation, with a photo whose caption is the description."""
    question = await has_question(user)
    user.send_photo(picture, caption=kit.PROMPT)
    return await user.wait_message("приложена 📎", after=question)


async def orders(user: FakeUser) -> None:
    await kit.pressed(user, kit.CONFIRM, await has_confirmation(user))


async def assert_paid(w: World, user: FakeUser) -> None:
    money = await w.balance(user.user_id)
    assert (money.available_kopecks, money.reserved_kopecks) == (
        kit.WELCOME_KOPECKS - PRICE_KOPECKS,
        0,
    )


async def assert_refunded(w: World, user: FakeUser, reason: str, words: str) -> None:
    job = await kit.only_job(w, user)
    assert (job.state, job.reason, job.attempt) == ("failed", reason, 0)
    assert not w.kie.tasks
    money = await w.balance(user.user_id)
    assert (money.available_kopecks, money.reserved_kopecks) == (kit.WELCOME_KOPECKS, 0)
    assert kit.count(user, REFUND) == 1
    assert kit.count(user, words) == 1


def uploads(w: World) -> int:
    """Return how often KIE was given a file."""
    return sum(call.name == "stream-upload" for call in w.kie.calls)


def notes_hosts(w: World) -> list[str]:
    """Return the list of every host that anybody calls from now on, also in vain."""
    hosts: list[str] = []
    inner = w.network.handle_async_request

    async def noted(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return await inner(request)

    w.network.handle_async_request = noted  # type: ignore[method-assign]
    return hosts


@kit.SEEDS
def test_a_photo_goes_in_and_a_picture_comes_out(seed: int, log: LogOfTest) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        hosts = notes_hosts(w)
        confirmation = await has_confirmation(anna)
        assert "Ваша картинка: приложена 📎" in confirmation.text
        assert kit.PROMPT in confirmation.text
        assert not uploads(w)  # nothing is handed on before the order is given
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await anna.wait_message(lambda one: one.is_from_bot and one.kind == "photo", 300)
        await w.settled()
        [task] = w.kie.tasks
        [address] = task.given["image_input"]
        assert urlsplit(address).hostname == "kie.test"
        assert (await w.http.get(address)).content == PICTURE
        [photo] = [one.file for one in anna.messages if not one.is_from_bot and one.file]
        assert photo.file_id not in repr(dict(task.given))
        assert set(hosts) <= {"telegram.test", "kie.test", "bot.test"}
        await assert_paid(w, anna)
        told = repr([event.fields for event in w.events]) + log.text()
        for secret in (BOT_TOKEN, BOT_TOKEN.partition(":")[2], photo.file_id, address):
            assert secret not in told

    kit.tell(story, seed)


@kit.SEEDS
def test_a_picture_is_attached_as_a_file_and_left_out_again(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        question = await has_question(anna)
        anna.send(kit.PROMPT)
        form = await anna.wait_message("Проверьте заказ", after=question)
        await kit.pressed(anna, "⚙️ Ваша картинка: не указано", form)
        await anna.wait_message("Пришлите фото или файл")
        anna.send_document(PICTURE, "кот.jpg", "image/jpeg")
        form = await anna.wait_message("Ваша картинка: приложена", after=form)
        await kit.pressed(anna, "⚙️ Ваша картинка: приложена 📎", form)
        await anna.wait_message(
            lambda one: one.button("➖ Без картинки") is not None, after=question
        )
        await kit.pressed(anna, "➖ Без картинки", form)
        await anna.wait_message(lambda one: one is form and one.button(kit.CONFIRM) is not None)
        await kit.pressed(anna, kit.CONFIRM, form)
        await w.settled(120)
        [task] = w.kie.tasks
        assert "image_input" not in task.given
        assert not uploads(w)
        await assert_paid(w, anna)

    kit.tell(story, seed)


def test_repeat_carries_the_same_picture_again() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await orders(anna)
        first = await anna.wait_message(lambda one: one.is_from_bot and one.kind == "photo", 300)
        await w.settled()
        await kit.pressed(anna, "🔁 Повторить", first)
        again = await anna.wait_message("приложена 📎", after=first)
        await kit.pressed(anna, kit.CONFIRM, again)
        await w.settled(120)
        addresses = [task.given["image_input"][0] for task in w.kie.tasks]
        assert len(set(addresses)) == 2  # each job has its own
        assert [file.data for file in w.kie.files.uploads.values()] == [PICTURE, PICTURE]

    kit.tell(story)


@pytest.mark.parametrize("fault", [CutBefore(), CutAfter(), ServerError(502), Slow(150.0)])
def test_an_upload_that_fails_is_tried_again_before_anything_is_ordered(fault: Fault) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("stream-upload", fault)
        await orders(anna)
        await w.settled(250)
        assert uploads(w) == 2
        assert len(w.kie.tasks) == 1
        assert (await kit.only_job(w, anna)).attempt == 1
        assert len(w.kie.files.uploads) == 1  # under one name
        await assert_paid(w, anna)

    kit.tell(story)


@pytest.mark.parametrize(
    ("method", "fault"),
    [("getFile", CutBefore()), ("getFile", ServerError(502)), ("download", CutAfter())],
)
def test_a_telegram_that_gives_no_file_is_asked_again(method: str, fault: Fault) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.telegram.faults.add(method, fault)
        await orders(anna)
        await w.settled(120)
        assert w.told(EventName.KIE_UPLOAD, outcome="NotNow")
        assert uploads(w) == 1
        assert len(w.kie.tasks) == 1
        await assert_paid(w, anna)

    kit.tell(story)


def test_an_upload_that_never_works_is_given_up_in_time_and_refunded() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("stream-upload", ServerError(503), times=500)
        await orders(anna)
        await anna.wait_message("не получилось", 300)
        assert uploads(w) >= 5
        await assert_refunded(w, anna, "KIE_UNAVAILABLE", "долго не отвечала")

    kit.tell(story)


def test_a_picture_that_telegram_gives_no_more_is_refunded_and_explained() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await has_confirmation(anna)
        refuse(w, "wrong file_id or the file is temporarily unavailable")
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await anna.wait_message("не получилось")
        await assert_refunded(w, anna, "PICTURE_GONE", "больше не отдаёт приложенную картинку")
        assert not uploads(w)

    kit.tell(story)


def test_a_picture_that_telegram_finds_too_big_is_refunded_and_explained() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await has_confirmation(anna)
        refuse(w, "file is too big")
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await anna.wait_message("не получилось")
        await assert_refunded(w, anna, "PICTURE_TOO_BIG", "картинка больше 20 МБ")

    kit.tell(story)


@kit.SEEDS
def test_a_picture_that_kie_refuses_is_refunded_and_explained(seed: int) -> None:
    async def story(w: World) -> None:
        async def refuses(call: Call) -> None:
            if call.name == "stream-upload":
                raise Declined(400, "Invalid file")

        w.kie.before_call = refuses
        anna = w.telegram.user()
        await orders(anna)
        await anna.wait_message("не получилось")
        await assert_refunded(w, anna, "KIE_REFUSED", "Модель не приняла заказ")
        assert uploads(w) == 1

    kit.tell(story, seed)


def refuse(w: World, why: str) -> None:
    """Let Telegram refuse every getFile from now on."""
    w.network.apps["telegram.test"] = _Refuses(w.network.apps["telegram.test"], why)


class _Refuses:
    """Answers getFile itself, and hands everything else on."""

    def __init__(self, real: ASGIApp, why: str) -> None:
        self._real = real
        self._body = msgspec.json.encode(refused(why))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].endswith("/getFile"):
            await self._real(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": self._body})


def test_a_picture_that_is_too_big_is_refused_in_the_form() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        question = await has_question(anna)
        anna.send_document(bytes(DOWNLOAD_BYTES_MAX + 1), "кот.png", "image/png")
        await anna.wait_message("Картинка больше 20 МБ", after=question)
        anna.send_photo(PICTURE, caption=kit.PROMPT)  # the form goes on
        await anna.wait_message("приложена 📎")
        assert await kit.jobs_of(w, anna) == []

    kit.tell(story)


def test_what_only_claims_to_be_a_picture_is_refunded_and_explained() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        question = await has_question(anna)
        anna.send_document(b"<html></html>", "кот.png", "image/png", caption=kit.PROMPT)
        confirmation = await anna.wait_message("приложена 📎", after=question)
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await anna.wait_message("не получилось")
        await assert_refunded(w, anna, "PICTURE_UNFIT", "не открылся как картинка")
        assert not uploads(w)

    kit.tell(story)


@kit.SEEDS
def test_a_crash_between_upload_and_order_makes_no_second_order(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.bot.trouble.fail("submitting", RuntimeError("a bug"), when=When.BEFORE)
        await orders(anna)
        await w.settled(120)
        assert uploads(w) == 2
        assert len(w.kie.tasks) == 1
        assert len(w.kie.files.uploads) == 1
        await assert_paid(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_stop_in_the_middle_of_an_upload_leaves_it_to_the_next(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("stream-upload", Slow(60.0))
        await orders(anna)
        await w.settled(2)
        await w.bot.stop()
        assert not w.kie.tasks
        await w.start()
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        await assert_paid(w, anna)

    kit.tell(story, seed)


def test_an_order_is_taken_back_while_its_picture_is_on_the_way() -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.faults.add("stream-upload", Slow(20.0))
        await orders(anna)
        await w.settled(2)
        await kit.pressed(anna, "❌ Отменить заказ")
        await w.settled(60)
        await assert_refunded(w, anna, "USER_CANCELLED", "Модель ещё не начинала")

    kit.tell(story)


@kit.SEEDS
def test_a_deletion_leaves_no_trace_of_the_picture(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await orders(anna)
        await w.settled(120)
        [photo] = [one.file for one in anna.messages if not one.is_from_bot and one.file]
        assert photo.file_id in await everything(w, ("jobs", "inbox"))
        anna.send("/privacy")
        await kit.pressed(anna, "🗑 Удалить мои данные", await anna.wait_message("Приватность"))
        await anna.wait_message("Удалить ваши данные?")
        await kit.pressed(anna, "🗑 Да, удалить")
        await anna.wait_message("Данные удалены")
        await w.settled(5)
        names = await w.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in names]
        assert photo.file_id not in await everything(w, tables)

    kit.tell(story, seed)


async def everything(w: World, tables: Iterable[str]) -> str:
    return repr([await w.rows(f"SELECT * FROM {table}") for table in tables])
