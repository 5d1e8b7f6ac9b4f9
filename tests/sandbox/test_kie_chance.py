"""What befalls tasks at the pretended KIE by chance and by order; the same seed, the same fate."""

from decimal import Decimal

import httpx
import pytest
import trio
from trio.testing import MockClock

from tests.sandbox.in_process import KEY, Outside, outside
from trt.domain.ids import ModelId, TaskId
from trt.domain.reasons import Reason
from trt.kie.callbacks import parse_callback
from trt.kie.client import CREATE_S_MAX, KIEClient
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.outcomes import Busy, Created, Failed, NotFound, OutcomeUnknown, Refused, Succeeded
from trt.sandbox.kie_script import POLICY, UPSTREAM_TIMEOUT, KIEOptions

Z_IMAGE = ModelId("z-image")
INPUT = {"prompt": "кот", "aspect_ratio": "1:1"}
CALLBACK = "https://bot.test/callback"


def client(out: Outside) -> KIEClient:
    return KIEClient(out.http, "https://kie.test", KEY, [], upload_base="https://kie.test")


async def made(out: Outside) -> TaskId:
    outcome = await client(out).create_task(Z_IMAGE, INPUT, CALLBACK)
    assert isinstance(outcome, Created)
    return outcome.task_id


async def callbacks_of(count: int, clock: MockClock, options: KIEOptions) -> list[TaskId | None]:
    """Return the tasks of the callbacks in the order of arrival, as positions in creation."""
    async with outside(clock, options=options) as out:
        for _ in range(count):
            await made(out)
            await trio.sleep(0.5)
        await trio.sleep(300)
        order = {task.task_id: number for number, task in enumerate(out.kie.tasks)}
        named = [parse_callback(request.body) for request in out.bot.requests]
        return [TaskId(str(order[str(task_id)])) for task_id in named]


@pytest.mark.parametrize(
    ("options", "count_min", "count_max"),
    [
        (KIEOptions(callback_loss=0.5), 5, 15),
        (KIEOptions(callback_duplicates=0.5), 25, 35),
        (KIEOptions(callback_loss=1.0), 0, 0),
        (KIEOptions(callback_duplicates=1.0), 40, 40),
    ],
)
async def test_callbacks_are_lost_and_doubled_at_their_rates(
    autojump_clock: MockClock, options: KIEOptions, count_min: int, count_max: int
) -> None:
    calm = await callbacks_of(20, autojump_clock, options)
    assert count_min <= len(calm) <= count_max
    assert calm == await callbacks_of(20, autojump_clock, options)


async def test_some_callbacks_overtake_others(autojump_clock: MockClock) -> None:
    straight = await callbacks_of(20, autojump_clock, KIEOptions(jitter=0.0))
    assert straight == [TaskId(str(number)) for number in range(20)]
    mixed = await callbacks_of(20, autojump_clock, KIEOptions(jitter=0.0, callback_reorder=0.5))
    assert mixed != straight
    assert sorted(mixed, key=int) == straight  # type: ignore[arg-type]


async def test_some_callbacks_come_before_the_answer(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(callback_early=0.5)) as out:
        early = 0
        for _ in range(20):
            before = len(out.bot.requests)
            await made(out)
            early += len(out.bot.requests) > before
            await trio.sleep(20)
        assert 5 <= early <= 15


async def test_an_answer_that_never_comes_leaves_a_task_that_is_charged_and_calls_back(
    autojump_clock: MockClock,
) -> None:
    async with outside(autojump_clock, options=KIEOptions(answer_loss=1.0)) as out:
        began = trio.current_time()
        outcome = await client(out).create_task(Z_IMAGE, INPUT, CALLBACK)
        assert isinstance(outcome, OutcomeUnknown)
        assert outcome.may_be_charged
        assert trio.current_time() - began == pytest.approx(CREATE_S_MAX)
        [task] = out.kie.tasks
        assert out.kie.credits == 10_000 - 0.8
        assert [parse_callback(request.body) for request in out.bot.requests] == [task.task_id]


async def test_an_answer_can_be_cut_off(autojump_clock: MockClock) -> None:
    options = KIEOptions(answer_loss=1.0, answer_lost_after_s=1.0)
    async with outside(autojump_clock, options=options) as out:
        with pytest.raises(httpx.ReadError):
            await out.create_task()
        assert len(out.kie.tasks) == 1


async def test_a_paused_model_takes_no_order_until_it_is_back(autojump_clock: MockClock) -> None:
    async with outside(
        autojump_clock, options=KIEOptions(paused_models=frozenset(["z-image"]))
    ) as out:
        outcome = await client(out).create_task(Z_IMAGE, INPUT, None)
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.KIE_MODEL_GONE
        assert out.kie.credits == 10_000
        out.kie.paused_models.clear()
        await made(out)


@pytest.mark.parametrize(
    ("ending", "reason", "after_s"),
    [(UPSTREAM_TIMEOUT, Reason.KIE_FAILED, 600.0), (POLICY, Reason.KIE_POLICY, 6.0)],
)
async def test_a_failed_task_gives_its_credits_back(
    autojump_clock: MockClock, ending: object, reason: Reason, after_s: float
) -> None:
    async with outside(autojump_clock) as out:
        kie = client(out)
        out.kie.script(ending)  # type: ignore[arg-type]
        task_id = await made(out)
        assert await kie.credit_balance() == Decimal("9999.2")
        await trio.sleep(after_s + 1)
        failed = await kie.record(task_id)
        assert isinstance(failed, Failed)
        assert (failed.reason, failed.credits_consumed) == (reason, Decimal(0))
        assert await kie.credit_balance() == 10_000


@pytest.mark.parametrize("code", [402, 500])
async def test_an_empty_account_takes_no_order_and_the_operator_hears_why(
    autojump_clock: MockClock, code: int
) -> None:
    async with outside(autojump_clock, options=KIEOptions(credits=1.0, credits_code=code)) as out:
        task_id = await made(out)
        outcome = await client(out).create_task(Z_IMAGE, INPUT, None)
        assert isinstance(outcome, Refused)
        assert (outcome.reason, outcome.code) == (Reason.KIE_NO_CREDITS, code)
        await trio.sleep(10)
        record = await client(out).record(task_id)
        assert isinstance(record, Succeeded)
        assert record.credits_consumed == Decimal("0.8")


async def test_a_new_task_is_not_found_for_a_while(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, options=KIEOptions(visible_after_s=3)) as out:
        task_id = await made(out)
        assert await client(out).record(task_id) == NotFound()
        await trio.sleep(3)
        assert await client(out).record(task_id) != NotFound()


async def test_the_limits_are_kies(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        kie = client(out)
        task_id = await made(out)
        for _ in range(10):
            await kie.record(task_id)
        with pytest.raises(KIEUnavailable) as caught:
            await kie.record(task_id)
        assert caught.value.trouble is Trouble.RATE
        for _ in range(19):
            await made(out)
        outcome = await kie.create_task(Z_IMAGE, INPUT, None)
        assert isinstance(outcome, Busy)
        assert outcome.trouble is Trouble.RATE
        await trio.sleep(10)
        await made(out)
