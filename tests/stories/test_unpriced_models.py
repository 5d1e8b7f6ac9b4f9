"""A model whose price is not certain is not sold; whoever wants another one notices nothing."""

import shutil
from pathlib import Path

from tests.stories import kit
from trt.assets import asset
from trt.domain.reasons import Reason
from trt.sandbox.kie_script import Succeed
from trt.telemetry.events import EventName
from trt.testing.world import World

BANANA = "nano-banana-pro"
Z_IMAGE = "z-image"


def registry_with_two(folder: Path, *, unpriced: str) -> Path:
    """Make a registry of two models, one without a price."""
    for model in (BANANA, Z_IMAGE):
        shutil.copy(asset("registry") / f"{model}.yaml", folder)
    file = folder / f"{unpriced}.yaml"
    file.write_text(file.read_text("utf-8").partition("prices:")[0], "utf-8")
    return folder


async def deploy(w: World, registry: Path) -> None:
    await w.bot.stop()
    w.registry = registry
    await w.start()
    await w.settled(15)


@kit.SEEDS
def test_pain_27_a_missing_price_blocks_its_model_and_stops_no_deploy(
    seed: int, tmp_path: Path
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await deploy(w, registry_with_two(tmp_path, unpriced=BANANA))
        [blocked] = w.told(EventName.MODEL_BLOCKED)
        assert blocked.fields["model_id"] == BANANA
        assert blocked.fields["reason_code"] == Reason.PRICING_BLOCKED
        assert "nano-banana-pro.yaml: prices" in str(blocked.fields["detail"])
        health = (await w.http.get("https://bot.test/health")).json()
        assert (health["ok"], health["blocked_models"]) == (True, [BANANA])

        anna.send("/start")
        menu = await anna.wait_message(lambda one: one.button("cat:image") is not None)
        assert menu.button("cat:video") is None
        await kit.pressed(anna, "cat:image", menu)
        shelf = await anna.wait_message(lambda one: one.button(f"model:{Z_IMAGE}") is not None)
        assert shelf.button(f"model:{BANANA}") is None

        await kit.orders_picture(anna)
        await anna.wait_message(lambda message: message.kind == "photo", 300)
        await w.settled()
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_an_open_order_of_a_model_that_was_blocked_is_refused_kindly(
    seed: int, tmp_path: Path
) -> None:
    async def story(w: World) -> None:
        anna, bob = w.telegram.user(), w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        bob.send("/start")
        await bob.wait_message(lambda one: one.button("cat:image") is not None)
        for button in ("cat:image", f"model:{Z_IMAGE}", f"make:{Z_IMAGE}"):
            await kit.pressed(bob, button)
            await w.settled(2)
        await deploy(w, registry_with_two(tmp_path, unpriced=Z_IMAGE))

        tap = await kit.pressed(anna, kit.CONFIRM, confirmation)
        answer = anna.answer(tap)
        assert answer is not None
        assert answer.text == "Эта модель сейчас не работает"
        bob.send(kit.PROMPT)
        await bob.wait_message("Деньги не тронуты")
        await w.settled()
        for user in (anna, bob):
            assert user.last.button("cat:image") is not None
            assert await kit.jobs_of(w, user) == []
        assert (await w.balance(anna.user_id)).available_kopecks == kit.WELCOME_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_what_kie_was_making_when_its_model_was_blocked_is_delivered_at_the_price_shown(
    seed: int, tmp_path: Path
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=60.0))
        await kit.orders_picture(anna)
        await w.settled(10)
        assert len(w.kie.tasks) == 1
        await deploy(w, registry_with_two(tmp_path, unpriced=Z_IMAGE))
        await anna.wait_message(lambda message: message.kind == "photo", 300)
        await w.settled()
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_what_kie_had_not_heard_of_when_its_model_was_blocked_is_refunded(
    seed: int, tmp_path: Path
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        del w.network.apps["kie.test"]
        await kit.orders_picture(anna)
        await w.settled(5)
        await deploy(w, registry_with_two(tmp_path, unpriced=Z_IMAGE))
        await w.settled(300)
        assert (await kit.only_job(w, anna)).reason == Reason.MODEL_DISABLED
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)
