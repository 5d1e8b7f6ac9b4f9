"""A transfer by hand: off by default, credited by the admin's word alone, once."""

import io

from PIL import Image

from tests.stories import kit, till_kit
from tests.stories.till_kit import ADMIN_ID
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import World

OPEN = {
    "environment": {
        "ADMIN_ID": str(ADMIN_ID),
        "WELCOME_BALANCE_RUB": "0",
        "TRANSFER_REQUISITES": "СБП +7 900 000-00-00, Анна А.",
        "TRANSFER_PACKAGES_RUB": "100,300",
    }
}


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 64)).save(out, "PNG")
    return out.getvalue()


PICTURE = picture()


async def announces(user: FakeUser) -> None:
    above = user.messages[-1] if user.messages else None
    user.send("/topup")
    packages = await user.wait_message("Пополнение баланса", after=above)
    await kit.pressed(user, "topup:transfer:10000", packages)
    await user.wait_message(lambda one: one is packages and "СБП +7 900" in one.text)


@kit.SEEDS
def test_a_receipt_goes_to_the_admin_who_approves_it_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await announces(anna)
        anna.send_photo(PICTURE)
        await anna.wait_message("Чек получен")
        receipt = await admin.wait_message("Чек на 100 ₽")
        assert receipt.kind == "photo"
        assert await till_kit.available(w, anna) == 0  # a photo is no money
        await kit.pressed(admin, "✅ Деньги пришли", receipt)
        await anna.wait_message("Оплата получена: 100 ₽")
        await kit.pressed(admin, "✅ Деньги пришли", receipt)
        await kit.pressed(admin, "❌ Не пришли", receipt)
        await admin.wait_message("решение уже принято: approved")
        await w.settled(5)
        assert await till_kit.available(w, anna) == 10_000
        assert (await till_kit.only_payment(w)).kopecks == 10_000
        [action] = await w.rows("SELECT kind, amount_kopecks FROM admin_actions")
        assert action == ("approve", 10_000)

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_an_order_that_lacked_money_goes_on_after_the_approval(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        order = await till_kit.lacks_money(anna)
        await kit.pressed(anna, "topup")
        await anna.wait_message(lambda one: one.button("topup:transfer:10000") is not None)
        await kit.pressed(anna, "topup:transfer:10000")
        await anna.wait_message("СБП +7 900")
        anna.send_photo(PICTURE)
        await kit.pressed(admin, "✅ Деньги пришли", await admin.wait_message("Чек на 100 ₽"))
        told = await anna.wait_message("Оплата получена: 100 ₽")
        till_kit.assert_goes_on(order, told)
        await w.settled(60)
        assert len(w.kie.tasks) == 0  # nothing starts without a tap
        await kit.pressed(anna, kit.CONFIRM, told)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert await till_kit.available(w, anna) == 10_000 - kit.PICTURE_KOPECKS

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_a_refund_of_a_transfer_says_what_the_admin_has_to_do(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await announces(anna)
        anna.send_photo(PICTURE)
        await kit.pressed(admin, "✅ Деньги пришли", await admin.wait_message("Чек на 100 ₽"))
        await anna.wait_message("Оплата получена: 100 ₽")
        paid = await till_kit.only_payment(w)
        admin.send(f"/refund {paid.charge_id} передумала")
        told = await admin.wait_message("Это перевод на 100 ₽")
        assert await till_kit.available(w, anna) == 10_000
        assert await w.rows("SELECT kind FROM admin_actions") == [("approve",)]
        admin.send(told.text.splitlines()[-1])  # as it is said there
        await anna.wait_message("списала 100 ₽")
        assert await till_kit.available(w, anna) == 0
        [taken] = await w.rows("SELECT user_id, reason FROM admin_actions WHERE kind = 'debit'")
        assert taken == (anna.user_id, f"возврат перевода {paid.charge_id}")

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_a_rejected_receipt_credits_nothing_and_says_so(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await announces(anna)
        anna.send_document(PICTURE, "receipt.pdf", "application/pdf")
        receipt = await admin.wait_message("Чек на 100 ₽")
        await kit.pressed(admin, "❌ Не пришли", receipt)
        await anna.wait_message("не найден")
        await kit.pressed(admin, "✅ Деньги пришли", receipt)
        await admin.wait_message("решение уже принято: rejected")
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_only_the_admin_can_approve(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await announces(anna)
        anna.send_photo(PICTURE)
        receipt = await admin.wait_message("Чек на 100 ₽")
        approve = next(b.data for b in receipt.buttons if b.data and b.data.endswith(":ok"))
        await anna.wait_answer(anna.tap_data(approve))
        await w.settled(5)
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_one_announcement_takes_one_receipt(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await announces(anna)
        anna.send_photo(PICTURE)
        anna.send_photo(PICTURE)
        await w.settled(10)
        assert kit.count(admin, "Чек на 100 ₽") == 1
        await announces(anna)
        anna.send_photo(PICTURE)
        await w.settled(10)
        assert kit.count(admin, "Чек на 100 ₽") == 2

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_the_second_page_of_a_receipt_is_no_picture_for_the_open_order(seed: int) -> None:
    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(admin)
        await till_kit.starts(anna)
        await anna.wait_answer(anna.tap_data("model:nano-banana-pro"))
        await announces(anna)
        anna.send_photo(PICTURE)
        await anna.wait_message("Чек получен")
        anna.send_photo(PICTURE)
        await anna.wait_message("к заказу не приложили")
        [(draft,)] = await w.rows(
            "SELECT draft FROM sessions WHERE user_id = :user", user=anna.user_id
        )
        assert "nano-banana-pro" in draft
        assert "image_input" not in draft

    kit.tell(story, seed, **OPEN)


@kit.SEEDS
def test_by_default_a_photo_is_just_a_photo(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/topup")
        packages = await anna.wait_message("Пополнение баланса")
        assert not [b for b in packages.buttons if b.data and b.data.startswith("topup:transfer")]
        await anna.wait_answer(anna.tap_data("topup:transfer:10000"))
        anna.send_photo(PICTURE)
        await w.settled(10)
        assert await w.rows("SELECT 1 FROM topups") == []
        assert await till_kit.available(w, anna) == kit.WELCOME_KOPECKS

    kit.tell(story, seed)
