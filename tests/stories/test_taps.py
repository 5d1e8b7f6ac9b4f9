"""Updates that come twice, taps that come in flocks, order that is kept."""

from tests.stories import kit
from trt.telemetry.events import EventName
from trt.testing.world import World


@kit.SEEDS
def test_an_update_delivered_twice_is_handled_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        update_id = anna.send("/start")
        await anna.wait_message("Анна")
        w.telegram.redeliver(update_id)
        await w.settled()
        assert w.telegram.update(update_id).attempts == [200, 200]
        assert kit.count(anna, "Анна") == 1
        assert len(w.told(EventName.UPDATE_DUPLICATE, update_id=update_id)) == 1
        assert len(w.told(EventName.DISPATCH_OK, update_id=update_id)) == 1

    kit.tell(story, seed)


@kit.SEEDS
def test_a_confirming_update_delivered_twice_charges_once(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        tap = anna.tap(kit.CONFIRM)
        w.telegram.redeliver(tap.update_id)
        await w.settled(120)
        w.telegram.redeliver(tap.update_id)
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_the_same_tap_under_a_new_update_id_starts_one_job(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        tap = anna.tap(kit.CONFIRM)
        again = anna.resend(tap)
        assert again.update_id != tap.update_id
        assert (await anna.wait_answer(again)).text == "Этот заказ уже запущен"
        await w.settled(120)
        assert len(w.kie.tasks) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_twenty_quick_taps_on_confirm_are_one_job_and_one_charge(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        first = anna.tap(kit.CONFIRM)
        taps = [first, *(anna.resend(first) for _ in range(19))]
        await w.settled(120)
        answers = [anna.answer(tap) for tap in taps]
        assert all(answer is not None for answer in answers)
        assert len(w.kie.tasks) == 1
        assert len(await kit.jobs_of(w, anna)) == 1
        assert len(kit.pictures(anna)) == 1
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_one_persons_taps_and_texts_are_handled_once_each_queue_in_its_order(seed: int) -> None:
    async def story(w: World) -> None:
        people = [w.telegram.user() for _ in range(3)]
        for anna in people:
            anna.send("/start")
            await anna.wait_message("Что создаём?")
        for turn in range(6):
            for anna in people:
                if turn % 2:
                    anna.send(f"слово {turn}")
                else:
                    anna.tap("cat:image" if turn % 4 else "cat:video")
        await w.settled(60)
        for anna in people:
            handled = _ids(w, EventName.DISPATCH_OK, user_id=anna.user_id)
            assert len(handled) == 7
            for kind in ("message", "callback_query"):  # Telegram's order holds within a queue
                received = _ids(w, EventName.UPDATE_RECEIVED, user_id=anna.user_id, kind=kind)
                assert [one for one in handled if one in received] == received

    kit.tell(story, seed)


def _ids(w: World, name: EventName, **fields: object) -> list[object]:
    return [event.fields["update_id"] for event in w.told(name, **fields)]


@kit.SEEDS
def test_a_forged_choice_out_of_range_changes_nothing_and_is_said_to_be_outdated(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        confirmation = await kit.has_confirmation(anna)
        draft = confirmation.button(kit.CONFIRM)
        assert draft is not None
        assert draft.data is not None
        draft_id = draft.data.split(":")[1]
        for forged in ("aspect_ratio:7:5", "prompt:x", "no_such:1", "aspect_ratio:"):
            answer = await anna.wait_answer(anna.tap_data(f"set:{draft_id}:{forged}"))
            assert answer.text == "Кнопка устарела", forged
        forged_price = anna.tap_data(f"confirm:{draft_id}:1")
        assert (await anna.wait_answer(forged_price)).text.startswith("Цена изменилась")
        await w.settled()
        assert await kit.jobs_of(w, anna) == []
        assert (await w.balance(anna.user_id)).available_kopecks == kit.WELCOME_KOPECKS

    kit.tell(story, seed)


@kit.SEEDS
def test_the_buttons_of_another_person_start_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        anna, eve = w.telegram.user(), w.telegram.user(first_name="Ева")
        confirmation = await kit.has_confirmation(anna)
        eve.send("/start")
        await eve.wait_message("Ева")
        stolen = confirmation.button(kit.CONFIRM)
        assert stolen is not None
        assert stolen.data is not None
        answer = await eve.wait_answer(eve.tap_data(stolen.data))
        assert answer.text == "Кнопка устарела"
        await kit.pressed(anna, kit.CONFIRM, confirmation)
        await w.settled(120)
        job = await kit.only_job(w, anna)
        theft = eve.tap_data(f"repeat:{job.job_id}")
        assert (await eve.wait_answer(theft)).text == "Не нашли этот заказ"
        await w.settled()
        assert await kit.jobs_of(w, eve) == []
        assert (await w.balance(eve.user_id)).available_kopecks == kit.WELCOME_KOPECKS
        assert not any(kit.PROMPT in message.text for message in eve.messages)

    kit.tell(story, seed)


@kit.SEEDS
def test_who_cannot_pay_is_told_what_is_missing_and_nothing_starts(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        await kit.has_confirmation(anna)
        tap = anna.tap(kit.CONFIRM)
        answer = await anna.wait_answer(tap)
        assert answer.text == "Не хватает 0,63 ₽. Ничего не списано."
        await anna.wait_message("Не хватает денег")
        await w.settled()
        assert not w.kie.tasks
        assert await kit.jobs_of(w, anna) == []

    kit.tell(story, seed, environment={"WELCOME_BALANCE_RUB": "0"})
