"""The money pains of the bot that this one replaces: each of them once, and never again."""

from pathlib import Path
from shutil import copytree

import pytest

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from tests.stories.till_kit import WITHOUT_A_GIFT, WORTH_KOPECKS
from trt import cli
from trt.assets import asset
from trt.sandbox.kie_script import Fail, Refuse, Succeed
from trt.storage.errors import DatabaseUnavailable
from trt.telemetry.events import EventName
from trt.testing.trouble import When
from trt.testing.world import World


@kit.SEEDS
def test_pain_03_exact_credits_do_not_kill_health(seed: int) -> None:
    """A Decimal among the figures was no JSON, and the service was taken for dead."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(1)
        [task] = w.kie.tasks
        task.credits = 1.4
        await w.settled(60)
        health = await w.http.get("https://bot.test/health")
        assert health.status_code == 200
        assert health.json()["kie"]["drift"] == {"jobs": 1, "expected": "0.8", "consumed": "1.4"}

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_16_a_charge_that_is_committed_twice(seed: int, log: LogOfTest) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        lost = DatabaseUnavailable("committed, and nobody learns of it")
        w.bot.trouble.fail("_mark_sent", lost, when=When.COMMITTED, times=3)
        await kit.orders_picture(anna)
        await w.settled(200)
        await kit.assert_paid_once(w, anna)
        captured = await w.rows("SELECT count(*) FROM transfers WHERE kind = 'post'")
        assert captured == [(1,)]

    kit.tell(story, seed)


@kit.SEEDS_OF_HOURS
@pytest.mark.parametrize(
    "refusal",
    [Refuse(code=402, msg="Insufficient Credits"), Refuse(code=500, msg="Credits insufficient")],
    ids=repr,
)
def test_pain_17_the_vendors_lack_of_credits_is_no_result_and_costs_nothing(
    seed: int, refusal: Refuse, log: LogOfTest
) -> None:
    log.claim("OPERATOR_ALARM")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(refusal, times=20)
        await kit.orders_picture(anna)
        await w.settled(2000)
        assert kit.pictures(anna) == []
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
@pytest.mark.parametrize("prompt", ["лиса за <5₽", "<b>лиса & <кот>", "</b> лиса &lt;"])
def test_pain_23_a_prompt_with_brackets_is_ordered_paid_and_delivered(
    seed: int, prompt: str
) -> None:
    """Telegram could not parse the text, and the order ended before its confirmation."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna, prompt)
        assert prompt in confirmation.text
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@pytest.mark.parametrize(
    ("model_id", "listed", "misread"),
    [
        ("z-image", 'price_credits: "0.8"', 'price_credits: "2000"'),  # 2500 times as much
        ("kling-2.6/text-to-video", "price_credits: 55", "price_credits: 20000"),
        ("z-image", 'prices:\n  - when: {}\n    price_credits: "0.8"\n', "prices: []\n"),
        ("nano-banana-pro", "  - when: {resolution: 4K}\n    price_credits: 24\n", ""),
    ],
    ids=["a picture for 10 dollars", "a clip for 100 dollars", "no price", "a choice without one"],
)
def test_pain_27_a_misread_or_missing_price_is_not_sold(
    model_id: str,
    listed: str,
    misread: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A price list that was misread went on sale."""
    folder = copytree(asset("registry"), tmp_path / "registry")
    file = folder / f"{model_id.replace('/', '-')}.yaml"
    record = file.read_text("utf-8")
    assert listed in record
    file.write_text(record.replace(listed, misread), "utf-8")
    monkeypatch.setattr(cli, "asset", lambda _: folder)
    monkeypatch.setenv("USD_TO_RUB", "78.0")
    assert cli.main(["registry", "check"]) != 0
    out, err = capsys.readouterr()
    assert f"{model_id}: " not in out
    assert f"{file.name}: prices" in out + err


@kit.SEEDS
def test_pain_27_a_price_is_what_was_shown_and_what_was_taken(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        assert "Цена: 0,63 ₽" in confirmation.text
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await w.settled(120)
        [(held,)] = await w.rows("SELECT amount_kopecks FROM transfers WHERE kind = 'pending'")
        [(taken,)] = await w.rows("SELECT amount_kopecks FROM transfers WHERE kind = 'post'")
        assert (held, taken) == (kit.PICTURE_KOPECKS, kit.PICTURE_KOPECKS)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_28_twenty_clicks_on_confirm_are_one_charge(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        for _ in range(20):
            anna.tap(kit.CONFIRM, confirmation)
        await w.settled(120)
        assert len(await kit.jobs_of(w, anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_30_two_orders_race_for_money_that_is_enough_for_one(seed: int) -> None:
    """The money was charged after the delivery, and who was quick got results for nothing."""

    async def story(w: World) -> None:
        anna, admin = w.telegram.user(), till_kit.admin(w)
        await till_kit.starts(anna)
        admin.send(f"/credit {anna.user_id} 0,63 на одну картинку")
        await anna.wait_message("начислила")
        await kit.orders_picture(anna)
        await kit.orders_picture(anna)
        await anna.wait_message("Не хватает денег")
        await w.settled(120)
        assert len(kit.pictures(anna)) == 1
        assert len(w.kie.tasks) == 1
        assert await till_kit.available(w, anna) == 0

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_pain_instant_credit_for_any_photo(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/topup")
        await anna.wait_message("Пополнение баланса")
        anna.send_document(b"screenshot", "receipt.png")
        await w.settled(10)
        assert await till_kit.available(w, anna) == 0
        assert await till_kit.payments_in(w) == []

    kit.tell(story, seed, **WITHOUT_A_GIFT)


@kit.SEEDS
def test_pain_amount_zero_in_the_main_flow(seed: int) -> None:
    """Paid models were free, because the price was looked for where it was not."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        jobs = await w.rows("SELECT price_kopecks FROM jobs")
        assert jobs == [(kit.PICTURE_KOPECKS,)]
        assert await till_kit.available(w, anna) == kit.WELCOME_KOPECKS - kit.PICTURE_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_a_hold_that_the_fail_callback_does_not_release(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Fail(after_s=5.0))
        await kit.orders_picture(anna)
        await w.settled(200)
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_the_bots_own_id_is_asked_for_its_balance(seed: int) -> None:
    """A tap's message is the bot's: who taps is somebody else."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.orders_picture(anna)
        await w.settled(120)
        owners = await w.rows("SELECT DISTINCT user_id FROM jobs")
        accounts = await w.rows("SELECT account_id FROM accounts WHERE account_id > 0")
        assert owners == accounts == [(anna.user_id,)]

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_two_balances(seed: int) -> None:
    """What the wallet says, what the order says and what the ledger says is one number.

    It was a coroutine at times, which nobody awaited.
    """

    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=600.0))
        await kit.orders_picture(anna)
        await till_kit.has_paid(anna)
        expected = kit.WELCOME_KOPECKS + WORTH_KOPECKS - kit.PICTURE_KOPECKS
        assert await till_kit.available(w, anna) == expected
        anna.send("/balance")
        wallet = await anna.wait_message("Последние движения")
        assert "Баланс: 200,77 ₽" in wallet.text
        assert "В резерве за идущие заказы: 0,63 ₽" in wallet.text
        confirmation = await kit.has_confirmation(anna)
        assert "Баланс: 200,77 ₽" in confirmation.text

    kit.tell(story, seed)


@kit.SEEDS
def test_pain_a_new_id_for_every_photo_is_no_idempotency(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        checkout = anna.pay(await till_kit.has_invoice(anna))
        await anna.wait_checkout(checkout)
        assert checkout.payment_update_id is not None
        for _ in range(5):
            w.telegram.repeat(checkout.payment_update_id)
        await w.settled(10)
        assert await till_kit.available(w, anna) == WORTH_KOPECKS
        assert len(w.told(EventName.PAYMENT_CREDITED)) == 1

    kit.tell(story, seed, **WITHOUT_A_GIFT)
