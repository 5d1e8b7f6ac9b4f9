"""The queue before createTask: within KIE's limit always, and fair to everybody who waits."""

from collections import Counter
from collections.abc import Iterable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from trt.domain.ids import UserId
from trt.domain.shard import SHARDS_MAX
from trt.kie.fair_queue import FairQueue, Ticket
from trt.kie.limiter import CreateWindow, LimiterTerms, SubmitLimiter

ANNA, BORIS, CLARA = UserId(1), UserId(2), UserId(3)
SMALL = LimiterTerms(creates_max=2, within_s=10.0)


def called(queue: FairQueue) -> list[UserId]:
    order: list[UserId] = []
    while (ticket := queue.call_next()) is not None:
        order.append(ticket.user_id)
    return order


def queue_of(users: Iterable[UserId]) -> tuple[FairQueue, list[Ticket]]:
    queue, tickets = FairQueue(), [Ticket(user) for user in users]
    for ticket in tickets:
        queue.join(ticket)
    return queue, tickets


def test_users_take_turns_and_each_ones_orders_keep_their_order() -> None:
    queue, tickets = queue_of([ANNA, ANNA, ANNA, BORIS, CLARA, BORIS])
    assert [queue.place(ticket) for ticket in tickets] == [1, 4, 6, 2, 3, 5]
    assert called(queue) == [ANNA, BORIS, CLARA, ANNA, BORIS, ANNA]
    assert [queue.place(ticket) for ticket in tickets] == [0] * 6


def test_who_leaves_is_not_called_and_the_others_move_up() -> None:
    queue, tickets = queue_of([ANNA, BORIS, BORIS])
    queue.leave(tickets[0])
    queue.leave(tickets[0])
    assert [queue.place(ticket) for ticket in tickets] == [0, 1, 2]
    assert len(queue) == 2
    assert called(queue) == [BORIS, BORIS]


STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "join", "call", "leave"]), st.integers(0, 3)), max_size=60
)


@given(steps=STEPS)
def test_nobody_waits_behind_more_than_one_order_of_another_per_own_order(
    steps: list[tuple[str, int]],
) -> None:
    queue = FairQueue()
    waiting: list[Ticket] = []
    passed: dict[UserId, Counter[UserId]] = {}
    """Whose orders were called since this user began to wait or was last called."""
    for what, number in [*steps, *[("call", 0)] * len(steps)]:
        user = UserId(number)
        if what == "join":
            if not any(one.user_id == user for one in waiting):
                passed[user] = Counter()
            waiting.append(Ticket(user))
            queue.join(waiting[-1])
        elif what == "leave" and waiting:
            queue.leave(waiting.pop(number % len(waiting)))
        elif what == "call":
            ticket = queue.call_next()
            assert (ticket is None) == (not waiting)
            if ticket is None:
                continue
            assert ticket in waiting, "a ticket that left was called"
            first = next(one for one in waiting if one.user_id == ticket.user_id)
            assert ticket is first, "a user's orders changed places"
            waiting.remove(ticket)
            for other in {one.user_id for one in waiting} - {ticket.user_id}:
                passed[other][ticket.user_id] += 1
                assert passed[other][ticket.user_id] <= 1
            passed[ticket.user_id] = Counter()
        assert len(queue) == len(waiting)
    assert not waiting


@given(users=st.lists(st.integers(0, 4), max_size=30))
def test_the_place_is_the_number_of_the_call(users: list[int]) -> None:
    queue, tickets = queue_of(map(UserId, users))
    places = [queue.place(ticket) for ticket in tickets]
    assert sorted(places) == list(range(1, len(tickets) + 1))
    for _, ticket in sorted(zip(places, tickets, strict=True), key=lambda pair: pair[0]):
        assert queue.call_next() is ticket


@given(
    waits=st.lists(st.floats(0, 30), max_size=80),
    refusals=st.sets(st.integers(0, 80)),
    creates_max=st.integers(1, 19),
)
def test_no_window_ever_holds_more_than_the_limit(
    waits: list[float], refusals: set[int], creates_max: int
) -> None:
    terms = LimiterTerms(creates_max=creates_max)
    window, now = CreateWindow(terms), 0.0
    calls: list[float] = []
    for number, wait in enumerate(waits):
        now = window.opens_at(now + wait)
        assert window.opens_at(now) == now
        window.take(now)
        calls.append(now)
        if number in refusals:
            window.refused(now, None)
    for call in calls:
        assert sum(call <= other < call + terms.within_s for other in calls) <= creates_max


def test_each_refusal_doubles_the_pause_until_one_is_accepted() -> None:
    window, now = CreateWindow(LimiterTerms(pause_s=2.0, pause_s_max=10.0)), 0.0
    pauses = []
    for _ in range(4):
        window.refused(now, None)
        window.refused(now, None)  # the second of a burst tells nothing new
        pauses.append(window.opens_at(now) - now)
        now = window.opens_at(now)
    assert pauses == [2.0, 4.0, 8.0, 10.0]
    window.accepted(now)
    window.refused(now, None)
    assert window.opens_at(now) - now == 2.0


def test_a_pause_is_as_long_as_kie_asks_within_reason() -> None:
    window = CreateWindow(LimiterTerms())
    window.refused(0.0, 7.0)
    assert window.opens_at(0.0) == 7.0
    window.refused(1.0, 1e9)
    assert window.opens_at(1.0) == 61.0


@given(shards=st.integers(1, SHARDS_MAX))
def test_the_shares_of_all_shards_together_are_no_more_than_the_whole(shards: int) -> None:
    whole = LimiterTerms()
    share = whole.shared(shards)
    assert share.creates_max >= 1
    assert shards * share.creates_max / share.within_s <= whole.creates_max / whole.within_s + 1e-9
    if shards <= whole.creates_max:
        assert shards * share.creates_max <= whole.creates_max
        assert share.within_s == whole.within_s


@pytest.mark.parametrize("terms", [{"creates_max": 20}, {"creates_max": 0}, {"within_s": 9.9}])
def test_terms_beyond_kies_limit_are_impossible(terms: dict[str, int]) -> None:
    with pytest.raises(AssertionError):
        LimiterTerms(**terms)


class Orders:
    """Tasks that wait for their turn and note when it came."""

    def __init__(self, limiter: SubmitLimiter) -> None:
        self.limiter = limiter
        self.calls: list[tuple[float, UserId]] = []

    async def run(
        self, user: UserId, *, task_status: trio.TaskStatus[Ticket] = trio.TASK_STATUS_IGNORED
    ) -> None:
        with self.limiter.queued(user) as ticket:
            task_status.started(ticket)
            await self.limiter.wait_turn(ticket)
            self.calls.append((trio.current_time(), user))


async def test_turns_come_in_order_as_the_window_opens(autojump_clock: MockClock) -> None:
    orders = Orders(SubmitLimiter(LimiterTerms(creates_max=2, within_s=10.0)))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for user in (ANNA, ANNA, ANNA, ANNA, BORIS, CLARA):
            await nursery.start(orders.run, user)
    assert [at - began for at, _ in orders.calls] == [0, 0, 10, 10, 20, 20]
    users = [user for _, user in orders.calls]
    assert [set(users[:2]), set(users[2:4]), set(users[4:])] == [
        {ANNA},
        {ANNA, BORIS},
        {ANNA, CLARA},
    ]


async def test_a_cancelled_order_leaves_the_queue_and_the_next_one_drives(
    autojump_clock: MockClock,
) -> None:
    limiter = SubmitLimiter(SMALL)
    orders = Orders(limiter)
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            await nursery.start(orders.run, ANNA)
        await trio.sleep(1)
        async with trio.open_nursery() as hasty:
            first = await hasty.start(orders.run, BORIS)
            second = await nursery.start(orders.run, CLARA)
            third = await nursery.start(orders.run, ANNA)
            await trio.sleep(1)
            assert [limiter.place(one) for one in (first, second, third)] == [1, 2, 3]
            hasty.cancel_scope.cancel()
        assert [limiter.place(one) for one in (first, second, third)] == [0, 1, 2]
    assert orders.calls[2:] == [(began + 10, CLARA), (began + 10, ANNA)]
    assert limiter.statistics().waiting == 0


async def test_giving_up_the_wait_keeps_the_place(autojump_clock: MockClock) -> None:
    limiter = SubmitLimiter(SMALL)
    orders = Orders(limiter)
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            await nursery.start(orders.run, ANNA)
        await trio.sleep(1)
        with limiter.queued(BORIS) as ticket:
            await nursery.start(orders.run, CLARA)
            places = []
            while not ticket.is_called:
                places.append(limiter.place(ticket))
                with trio.move_on_after(2):
                    await limiter.wait_turn(ticket)
            assert places == [1] * 5
            assert limiter.place(ticket) == 0


async def test_a_429_holds_everybody_back(autojump_clock: MockClock) -> None:
    limiter = SubmitLimiter(LimiterTerms(pause_s=5.0))
    orders = Orders(limiter)
    began = trio.current_time()
    await orders.run(ANNA)
    limiter.refused(None)
    assert limiter.statistics().is_paused
    await orders.run(BORIS)
    assert [at - began for at, _ in orders.calls] == [0, 5]


@settings(max_examples=25, deadline=None)
@given(
    orders=st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 15), st.floats(0, 40) | st.none()), max_size=40
    )
)
def test_whoever_comes_and_goes_the_limit_holds_and_all_who_stay_are_called(
    orders: list[tuple[int, float, float | None]],
) -> None:
    terms = LimiterTerms(creates_max=3)

    async def story() -> None:
        desk = Orders(SubmitLimiter(terms))

        async def one(user: int, after_s: float, patience_s: float | None) -> None:
            await trio.sleep(after_s)
            with trio.move_on_after(float("inf") if patience_s is None else patience_s):
                await desk.run(UserId(user))

        with trio.fail_after(10_000):
            async with trio.open_nursery() as nursery:
                for order in orders:
                    nursery.start_soon(one, *order)
        assert len(desk.calls) >= sum(patience_s is None for _, _, patience_s in orders)
        assert desk.limiter.statistics().waiting == 0
        times = [at for at, _ in desk.calls]
        for at in times:
            assert sum(at <= other < at + terms.within_s for other in times) <= 3

    trio.run(story, clock=MockClock(autojump_threshold=0))


async def test_the_calls_of_the_instance_before_count_too(autojump_clock: MockClock) -> None:
    limiter = SubmitLimiter(LimiterTerms(creates_max=3, within_s=11.0))
    limiter.remember([4.0, 9.0, 20.0])
    began = trio.current_time()
    for waited_s in (0.0, 2.0, 7.0):
        with limiter.queued(UserId(1)) as ticket:
            await limiter.wait_turn(ticket)
            assert trio.current_time() - began == pytest.approx(waited_s)
