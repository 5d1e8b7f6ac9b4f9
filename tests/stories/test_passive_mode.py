"""A passive instance, alone with the people: what it tells them, and what it leaves alone."""

from datetime import UTC, datetime

import pytest
import trio

from tests.conftest import LogOfTest
from tests.stories import kit, till_kit
from trt.domain.ids import BotId, UpdateId
from trt.domain.reasons import Reason
from trt.sandbox.kie_script import Succeed
from trt.sandbox.telegram_stars import CheckoutState
from trt.storage import inbox, lease
from trt.storage.database import Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxState
from trt.telemetry.events import EventName
from trt.testing.world import World


async def passive_world(w: World, *, for_s: float) -> None:
    """Let somebody lead who does nothing, once Telegram knows where to post."""
    await w.settled(1)
    await w.bot.stop()
    await w.db.transact(
        lease.acquire, w.lease_terms.name, holder="somebody else", pid=1, ttl_s=for_s
    )
    await w.start()


@kit.SEEDS
def test_in_reject_mode_what_is_closed_is_noted_though_telegram_takes_no_notice(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await passive_world(w, for_s=10.0)
        telegram = w.network.apps.pop("telegram.test")
        update_id = anna.send("/help")
        await w.settled(2)
        w.network.apps["telegram.test"] = telegram
        assert kit.count(anna, "Обновляемся") == 0
        assert await kit.inbox_state(w, update_id) == ("refused", "PASSIVE_REJECT")
        [told] = w.told(EventName.PASSIVE_REJECT)
        assert told.fields["update_id"] == update_id

    kit.tell(story, seed, environment={"PASSIVE_MODE": "reject"})


@kit.SEEDS
def test_in_reject_mode_a_tap_is_answered_by_who_closes_it(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await passive_world(w, for_s=10.0)
        w.bot.trouble.hold("_close_or_leave")
        tap = anna.tap("cat:image", menu)
        await trio.sleep(0.45)  # taps of others would have been answered by now
        w.bot.trouble.release("_close_or_leave")
        assert "нажмите, пожалуйста, ещё раз" in (await anna.wait_answer(tap)).text

    kit.tell(story, seed, environment={"PASSIVE_MODE": "reject"})


@kit.SEEDS
def test_in_reject_mode_a_stalled_database_closes_nothing_and_nobody_is_asked_to_repeat(
    seed: int,
) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await passive_world(w, for_s=10.0)
        w.bot.trouble.fail("_close_or_leave", DatabaseUnavailable("locked"))
        update_id = anna.send("/help")
        notice = await anna.wait_message("Обновляемся")
        assert "ещё раз" not in notice.text
        assert await kit.inbox_state(w, update_id) == ("new", None)
        await w.settled(30)
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")

    kit.tell(story, seed, environment={"PASSIVE_MODE": "reject"})


@kit.SEEDS
def test_in_reject_mode_what_was_handled_at_the_last_moment_is_not_said_to_be_lost(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(tx: Transaction, *, bot_id: BotId, update_id: UpdateId) -> bool:
        """Look; the active instance commits right behind it."""
        return inbox.finish(
            tx,
            bot_id=bot_id,
            update_id=update_id,
            state=InboxState.DONE,
            reason=Reason.SUCCESS,
            epoch=1,
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await passive_world(w, for_s=10.0)
        with monkeypatch.context() as patched:
            patched.setattr(inbox, "is_unfinished", look)
            update_id = anna.send("/help")
            await w.settled(2)
        assert await kit.inbox_state(w, update_id) == ("done", "SUCCESS")
        assert kit.count(anna, "Обновляемся") == 0
        assert not w.told(EventName.PASSIVE_REJECT)

    kit.tell(story, seed, environment={"PASSIVE_MODE": "reject"})


@kit.SEEDS
def test_a_tap_whose_grace_ended_in_a_crash_is_answered_all_the_same(
    seed: int, log: LogOfTest
) -> None:
    log.claim("ACTOR_CRASHED")

    async def story(w: World) -> None:
        anna = w.telegram.user()
        anna.send("/start")
        menu = await anna.wait_message("Что создаём?")
        await passive_world(w, for_s=10.0)
        w.bot.trouble.fail("_close_or_leave", RuntimeError("a mistake of ours"))
        tap = anna.tap("cat:image", menu)
        assert "Обновляемся" in (await anna.wait_answer(tap, 1.0)).text

    kit.tell(story, seed)


@kit.SEEDS
def test_the_notice_comes_once_per_user_and_minute(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        await passive_world(w, for_s=120.0)
        anna.send("/help")
        await anna.wait_message("Обновляемся")
        await trio.sleep(30)
        anna.send("/help")
        boris.send("/help")
        await boris.wait_message("Обновляемся")  # his minute is not hers
        await trio.sleep(29)
        anna.send("/help")
        await trio.sleep(0.6)
        assert kit.count(anna, "Обновляемся") == 1
        await trio.sleep(0.4)
        anna.send("/help")
        boris.send("/help")
        await trio.sleep(1)
        assert kit.count(anna, "Обновляемся") == 2
        assert kit.count(boris, "Обновляемся") == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_a_passive_instance_touches_no_webhook_no_kie_and_no_money(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        w.kie.script(Succeed(after_s=5.0))
        invoice = await till_kit.has_invoice(boris)
        await kit.has_confirmation(boris)
        await kit.orders_picture(anna)  # KIE will call the passive instance back
        await passive_world(w, for_s=600.0)
        w.telegram.calls.clear()
        w.kie.calls.clear()
        money = await w.rows("SELECT * FROM transfers ORDER BY transfer_id")
        assert money, "both were given something"
        ordered = boris.tap(kit.CONFIRM)
        await boris.wait_answer(ordered)
        assert await boris.wait_checkout(boris.pay(invoice)) is CheckoutState.PAID
        for person in (anna, boris):
            person.send("/start")
        await w.settled(300)  # longer than any sweep waits
        assert not w.bot.leads()
        assert await w.rows("SELECT * FROM kie_callbacks"), "it was called back"
        assert not w.kie.calls
        called = {call.name for call in w.telegram.calls}
        assert called == {"answerCallbackQuery", "answerPreCheckoutQuery", "sendMessage"}
        assert await w.rows("SELECT * FROM transfers ORDER BY transfer_id") == money
        assert await kit.inbox_state(w, ordered.update_id) == ("new", None)

    kit.tell(story, seed)
