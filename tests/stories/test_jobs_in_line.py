"""KIE takes twenty orders in ten seconds: the rest stands in line, fairly, and sees its place."""

import re

import trio

from tests.stories import job_kit, kit
from trt.domain.ids import TaskId
from trt.sandbox.kie_script import KIEOptions, Succeed
from trt.sandbox.telegram_chat import FakeMessage
from trt.telemetry.events import EventName
from trt.testing.world import World

MANY = {"ACTIVE_JOBS_MAX": "20"}


def _place(message: FakeMessage) -> int:
    """Return the place that a message shows, or 0."""
    found = re.search(r"место (\d+)", message.text)
    return 0 if found is None else int(found[1])


@kit.SEEDS
def test_sixty_orders_at_once_never_exceed_kies_limit_and_all_arrive(seed: int) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(6)]
        await job_kit.has_accounts(users)
        await job_kit.order_at_once(w, [user for user in users for _ in range(10)])
        await w.settled(240)
        assert len(w.kie.tasks) == 60
        assert job_kit.most_within([task.created for task in w.kie.tasks], 10.0) <= 20
        outcomes = {event.fields["outcome"] for event in w.told(EventName.KIE_SUBMIT)}
        assert outcomes == {"Created"}  # KIE had nothing to refuse
        for user in users:
            assert len(kit.pictures(user)) == 10
            money = await w.balance(user.user_id)
            assert money.reserved_kopecks == 0
            assert money.available_kopecks == kit.WELCOME_KOPECKS - 10 * kit.PICTURE_KOPECKS

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_nobodys_ten_orders_delay_anothers_first(seed: int) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(6)]
        await job_kit.has_accounts(users)
        await job_kit.order_at_once(w, [user for user in users for _ in range(10)])
        await w.settled(120)
        order = job_kit.submitted(w)
        # The first window is open to whoever comes; from the second on they go in turns.
        for windows, least in ((2, 3), (3, 6)):
            counts = [order[: windows * 18].count(user.user_id) for user in users]
            assert min(counts) >= least, f"after {windows} windows: {counts}"

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_who_waits_sees_the_place_and_it_moves(seed: int) -> None:
    async def story(w: World) -> None:
        anna, *others = [w.telegram.user() for _ in range(60)]
        await job_kit.has_accounts([anna, *others])
        await job_kit.order_at_once(w, others)
        await w.settled(job_kit.SWEEP_S)
        await job_kit.order_at_once(w, [anna])
        waiting = await anna.wait_message("в очереди, место")
        first = _place(waiting)
        assert 2 < first < 60
        anna.send("/jobs")
        page = await anna.wait_message("Мои задачи", after=waiting)
        assert f"в очереди, место {first}" in page.text
        await anna.wait_message(lambda one: one is waiting and 0 < _place(one) < first)
        await w.settled(60)
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_the_places_of_a_long_queue_do_not_use_up_what_telegram_allows(seed: int) -> None:
    async def story(w: World) -> None:
        users = [w.telegram.user() for _ in range(40)]
        await job_kit.has_accounts(users)
        await w.settled(30)
        before = len(w.telegram.calls)
        began_s = trio.current_time()
        await job_kit.order_at_once(w, users * 3)
        await w.settled(60)
        edits = [c for c in list(w.telegram.calls)[before:] if c.name == "editMessageText"]
        assert len(edits) / (trio.current_time() - began_s) < 10
        assert not w.told(EventName.MESSAGE_DELAYED)

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_an_order_in_line_can_be_cancelled_for_nothing(seed: int) -> None:
    async def story(w: World) -> None:
        anna, *others = [w.telegram.user() for _ in range(60)]
        await job_kit.has_accounts([anna, *others])
        await job_kit.order_at_once(w, others)
        await w.settled(job_kit.SWEEP_S)
        await job_kit.order_at_once(w, [anna, anna])
        waiting = await anna.wait_message("в очереди, место")
        tap = await kit.pressed(anna, "❌ Отменить заказ", waiting)
        answer = anna.answer(tap)
        assert answer is not None
        assert answer.text == "Заказ отменён, деньги вернули"
        await anna.wait_message(lambda one: one is waiting and "заказ отменён" in one.text)
        await w.settled(120)
        states = sorted((job.state, job.reason) for job in await kit.jobs_of(w, anna))
        assert states == [("delivered", None), ("failed", "USER_CANCELLED")]
        assert job_kit.submitted(w).count(anna.user_id) == 1
        assert "заказ отменён" in waiting.text  # no place was shown over it
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, environment=MANY)


@kit.SEEDS
def test_a_planned_stop_keeps_the_line_and_burns_no_attempt(seed: int) -> None:
    async def story(w: World) -> None:
        anna, boris = w.telegram.user(), w.telegram.user(first_name="Борис")
        await job_kit.has_accounts([anna, boris])
        await job_kit.order_at_once(w, [boris] * 40)
        await job_kit.order_at_once(w, [anna])
        await w.settled(job_kit.SWEEP_S + 5)
        await w.bot.stop()
        left = [job for job in await kit.jobs_of(w, boris) if job.state == "reserved"]
        assert left
        assert all(job.attempt == 0 for job in left)
        await w.start()
        await w.settled(120)
        assert len(w.kie.tasks) == 41
        attempts = await w.rows("SELECT outcome, count(*) FROM job_attempts GROUP BY outcome")
        assert attempts == [("created", 41)]
        assert len(kit.pictures(boris)) == 40
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed, environment=MANY, kie=KIEOptions(duration_s=2.0))


@kit.SEEDS
def test_an_order_that_kie_could_not_make_in_time_is_not_sent(seed: int) -> None:
    """It would cost us, and come after the refund."""

    async def story(w: World) -> None:
        anna = w.telegram.user()
        await job_kit.has_accounts([anna])
        await job_kit.order_at_once(w, [anna])
        await w.bot.stop()
        await w.settled(290)
        await w.start()
        w.kie.script(Succeed())
        await w.settled(30)
        job = await kit.only_job(w, anna)
        assert (job.state, job.reason, job.attempt) == ("failed", "DEADLINE", 0)
        assert not w.kie.tasks
        await kit.assert_refunded(w, anna)

    kit.tell(story, seed)


@kit.SEEDS
def test_a_callback_goes_before_the_polls_of_all_others(seed: int) -> None:
    async def story(w: World) -> None:
        anna = w.telegram.user()
        w.kie.script(Succeed(after_s=60.0))
        await kit.orders_picture(anna)
        await w.settled(55)
        gate = w.bot.app.parts.gate
        async with trio.open_nursery() as nursery:
            for number in range(1000):  # as many polls as take 25 s
                nursery.start_soon(gate.record, TaskId(f"another-{number}"))
            began_s = trio.current_time()
            await anna.wait_message(lambda message: message.kind == "photo")
            assert trio.current_time() - began_s < 8
            nursery.cancel_scope.cancel()
        await w.settled()
        await kit.assert_paid_once(w, anna)

    kit.tell(story, seed)
