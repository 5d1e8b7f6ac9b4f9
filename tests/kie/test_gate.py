"""Orders and polls through the gate, against a KIE that is well, busy, or down."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from tests.wire import Wire
from trt.domain.ids import ModelId, TaskId, UserId
from trt.domain.shard import shard_of
from trt.kie.circuit_breaker import BreakerChange, BreakerState, CircuitBreaker
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.gate import KIEGate
from trt.kie.outcomes import Busy, Created, CreateOutcome, Refused

ANNA, BORIS, CLARA = UserId(1), UserId(2), UserId(4)
CREATED = {"code": 200, "msg": "success", "data": {"taskId": "t1"}}
OUTAGE = {"code": 500, "msg": "Server exception, please try again later", "data": None}
TOO_OFTEN = {"code": 429, "msg": "Your call frequency is too high.", "data": None}


@define
class Shop:
    gate: KIEGate
    wire: Wire
    client: KIEClient
    changes: list[BreakerChange] = field(factory=list)

    async def order(self, user: UserId = ANNA) -> CreateOutcome:
        with self.gate.queued(user) as ticket:
            await self.gate.wait_turn(ticket)
            return await self.gate.create_task(ticket, ModelId("m"), {"prompt": "x"}, None)

    async def goes_down(self) -> None:
        self.wire.says(200, OUTAGE)
        for number in range(5):
            assert isinstance(await self.order(UserId(number)), Busy)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    wire, changes = Wire(), list[BreakerChange]()
    async with httpx.AsyncClient(transport=wire) as http:
        client = KIEClient(http, "https://api.kie.test", "key", [])
        breaker = CircuitBreaker(on_change=changes.append)
        yield Shop(KIEGate(client, breaker=breaker), wire, client, changes)


async def test_an_order_that_waited_its_turn_reaches_kie(
    autojump_clock: MockClock, shop: Shop
) -> None:
    shop.wire.says(200, CREATED)
    assert await shop.order() == Created(task_id=TaskId("t1"))
    assert shop.gate.statistics().calls_in_window == 1


async def test_no_order_goes_without_its_turn(autojump_clock: MockClock, shop: Shop) -> None:
    with shop.gate.queued(ANNA) as ticket, pytest.raises(AssertionError, match="turn"):
        await shop.gate.create_task(ticket, ModelId("m"), {}, None)
    assert shop.wire.requests == []


async def test_the_account_never_exceeds_kies_limit(autojump_clock: MockClock, shop: Shop) -> None:
    at: list[float] = []

    async def answer(_request: httpx.Request) -> httpx.Response:
        at.append(trio.current_time())
        await trio.sleep(0.5)
        return httpx.Response(200, json=CREATED)

    shop.wire.answer = answer
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(shop.order, UserId(number % 7))
    assert len(at) == 100
    assert max(sum(one <= other < one + 10 for other in at) for one in at) == 18
    assert at[-1] - at[0] == pytest.approx(55)


async def test_the_leaders_of_two_shards_stay_within_kies_limit_without_a_word(
    autojump_clock: MockClock, shop: Shop
) -> None:
    at: list[float] = []

    async def answer(_request: httpx.Request) -> httpx.Response:
        at.append(trio.current_time())
        return httpx.Response(200, json=CREATED)

    shop.wire.answer = answer
    leaders = [Shop(KIEGate(shop.client, shards=2), shop.wire, shop.client) for _ in range(2)]
    async with trio.open_nursery() as nursery:
        for number in range(100):
            user = UserId(number)
            nursery.start_soon(leaders[shard_of(user, 2)].order, user)
    assert len(at) == 100
    assert max(sum(one <= other < one + 10 for other in at) for one in at) == 18


async def test_what_is_remembered_of_a_shard_counts_for_its_users(
    autojump_clock: MockClock, shop: Shop
) -> None:
    gate = KIEGate(shop.client, shards=2)
    gate.remember(shard_of(ANNA, 2), [1.0] * 9)
    assert shard_of(ANNA, 2) != shard_of(CLARA, 2)
    assert gate.statistics().calls_in_window == 9
    began = trio.current_time()
    for user, waited_s in ((CLARA, 0.0), (ANNA, 10.0)):
        with gate.queued(user) as ticket:
            await gate.wait_turn(ticket)
            assert trio.current_time() - began == pytest.approx(waited_s)


async def test_a_429_lets_everybody_wait_and_is_no_outage(
    autojump_clock: MockClock, shop: Shop
) -> None:
    shop.wire.says(429, TOO_OFTEN, {"Retry-After": "9"})
    for _ in range(6):
        outcome = await shop.order()
        assert isinstance(outcome, Busy)
        assert outcome.trouble is Trouble.RATE
    shop.wire.says(200, CREATED)
    began = trio.current_time()
    await shop.order(BORIS)
    assert trio.current_time() - began >= 9
    assert shop.gate.state is BreakerState.CLOSED


async def test_refused_orders_are_no_outage(autojump_clock: MockClock, shop: Shop) -> None:
    shop.wire.says(200, {"code": 500, "msg": "prompt is required", "data": None})
    for number in range(10):
        assert isinstance(await shop.order(UserId(number)), Refused)
    assert shop.gate.state is BreakerState.CLOSED


async def test_a_kie_that_is_down_is_not_called_until_a_trial_finds_it_well(
    autojump_clock: MockClock, shop: Shop
) -> None:
    await shop.goes_down()
    assert [(change.after, change.next_trial_s) for change in shop.changes] == [
        (BreakerState.OPEN, 15.0)
    ]
    count = len(shop.wire.requests)
    with pytest.raises(KIEUnavailable) as caught:
        await shop.order()
    assert caught.value.trouble is Trouble.CIRCUIT_OPEN
    assert caught.value.retry_after_s == pytest.approx(15)
    assert len(shop.wire.requests) == count
    await trio.sleep(15)
    shop.wire.says(200, CREATED)
    assert isinstance(await shop.order(), Created)
    assert shop.gate.state is BreakerState.CLOSED


async def test_nobody_queues_for_a_kie_that_is_down(autojump_clock: MockClock, shop: Shop) -> None:
    await shop.goes_down()
    shop.gate._limiter(ANNA).refused(60.0)
    began = trio.current_time()
    with pytest.raises(KIEUnavailable):
        await shop.order()
    assert trio.current_time() == began


async def test_of_many_who_wait_for_a_trial_one_calls(
    autojump_clock: MockClock, shop: Shop
) -> None:
    await shop.goes_down()
    await trio.sleep(30)
    count = len(shop.wire.requests)
    ends: list[Any] = []

    async def answer(_request: httpx.Request) -> httpx.Response:
        await trio.sleep(1)
        return httpx.Response(200, json=OUTAGE)

    async def one(number: int) -> None:
        try:
            ends.append(type(await shop.order(UserId(number))))
        except KIEUnavailable as unavailable:
            ends.append(unavailable.trouble)

    shop.wire.answer = answer
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(one, number)
    assert len(shop.wire.requests) == count + 1
    assert sorted(map(str, ends)) == ["<class 'trt.kie.outcomes.Busy'>", *["circuit_open"] * 9]


@pytest.mark.parametrize("broken", [httpx.ConnectError, httpx.ReadTimeout])
async def test_a_kie_that_cannot_be_reached_is_down(
    broken: type[httpx.RequestError], autojump_clock: MockClock, shop: Shop
) -> None:
    shop.wire.breaks(broken)
    for number in range(5):
        with suppress(KIEUnavailable):
            await shop.order(UserId(number))
    assert shop.gate.state is BreakerState.OPEN


async def test_a_cancelled_order_is_no_outage_and_frees_the_trial(
    autojump_clock: MockClock, shop: Shop
) -> None:
    async def never(_request: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    await shop.goes_down()
    await trio.sleep(15)
    shop.wire.answer = never
    with trio.move_on_after(1):
        await shop.order()
    assert shop.gate.state is BreakerState.HALF_OPEN
    shop.wire.says(200, CREATED)
    assert isinstance(await shop.order(), Created)


async def test_polls_go_on_while_orders_are_held_back(
    autojump_clock: MockClock, shop: Shop
) -> None:
    await shop.goes_down()
    shop.wire.says(200, {"code": 200, "msg": "success", "data": {"state": "generating"}})
    await shop.gate.record(TaskId("t1"))
    assert shop.gate.state is BreakerState.OPEN


async def test_polls_pause_after_a_429(autojump_clock: MockClock, shop: Shop) -> None:
    shop.wire.says(200, TOO_OFTEN, {"Retry-After": "4"})
    began = trio.current_time()
    for number in range(2):
        with pytest.raises(KIEUnavailable):
            await shop.gate.record(TaskId(str(number)), is_called_back=True)
    assert trio.current_time() - began == pytest.approx(4)
