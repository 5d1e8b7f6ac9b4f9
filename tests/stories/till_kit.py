"""What people do with Stars in the stories."""

from typing import Any

from attrs import frozen

from tests.stories import kit
from trt.domain.payments import PaymentState
from trt.sandbox.telegram_chat import FakeMessage
from trt.sandbox.telegram_stars import CheckoutState
from trt.sandbox.telegram_user import FakeUser
from trt.testing.world import World

ADMIN_ID = 700_000_001
WORTH_KOPECKS = 10_140
"""Of 100 Stars at 0.013 dollars and 78 rubles."""
WITH_ADMIN = {"environment": {"ADMIN_ID": str(ADMIN_ID)}}
WITHOUT_A_GIFT = {"environment": {"ADMIN_ID": str(ADMIN_ID), "WELCOME_BALANCE_RUB": "0"}}


@frozen
class PaymentSeen:
    """A payment as it stands in the database."""

    charge_id: str
    user_id: int
    kopecks: int
    state: PaymentState


async def starts(user: FakeUser) -> None:
    user.send("/start")
    await user.wait_message("Что создаём?")


async def has_invoice(user: FakeUser, size: int = 100) -> FakeMessage:
    """Walk from /topup to an invoice."""
    above = user.messages[-1] if user.messages else None
    user.send("/topup")
    packages = await user.wait_message("Пополнение баланса", after=above)
    await kit.pressed(user, f"topup:stars:{size}", packages)
    return await user.wait_message(lambda one: one.invoice is not None, after=packages)


async def lacks_money(user: FakeUser) -> FakeMessage:
    """Walk to a confirmed order for which there is too little; return where it says so."""
    await kit.pressed(user, kit.CONFIRM, await kit.has_confirmation(user))
    return await user.wait_message("Не хватает денег")


def assert_goes_on(left: FakeMessage, told: FakeMessage) -> None:
    """Assert that an order has gone on from one message to another, with its buttons."""
    assert "Проверьте заказ" in told.text
    assert told.button(kit.CONFIRM) is not None
    assert not left.buttons


async def pays(user: FakeUser, invoice: FakeMessage | None = None, **options: Any) -> str:
    """Pay an invoice, by default a new one; return the charge id."""
    checkout = user.pay(invoice or await has_invoice(user), **options)
    assert await user.wait_checkout(checkout) is CheckoutState.PAID
    assert checkout.charge_id is not None
    return checkout.charge_id


async def has_paid(user: FakeUser) -> str:
    """Pay a new invoice and read that the money is there; return the charge id."""
    charge_id = await pays(user)
    await user.wait_message("Оплата получена")
    return charge_id


async def payments_in(w: World) -> list[PaymentSeen]:
    """Return all payments, oldest first."""
    rows = await w.rows(
        "SELECT external_id, user_id, amount_kopecks, state FROM payments ORDER BY created_at"
    )
    return [
        PaymentSeen(charge, user, kopecks, PaymentState(s)) for charge, user, kopecks, s in rows
    ]


async def only_payment(w: World) -> PaymentSeen:
    [payment] = await payments_in(w)
    return payment


async def available(w: World, user: FakeUser) -> int:
    """Return what a user can spend."""
    return (await w.balance(user.user_id)).available_kopecks


async def restart(w: World, pause_s: float = 70.0) -> None:
    """Stop the service, and start it again when every line of Telegram's list is ripe."""
    await w.bot.stop()
    await w.settled(pause_s)
    await w.start()
    await w.settled(10)


def admin(w: World) -> FakeUser:
    return w.telegram.user(ADMIN_ID, "Админ")
