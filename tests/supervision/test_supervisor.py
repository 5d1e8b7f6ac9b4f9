"""Starting, restarting and giving up, as Erlang/OTP does it."""

from typing import Any

import pytest
import trio
from typing_extensions import override

from tests.supervision.stage import Player, every_seed, fails_with, running
from trt.supervision import (
    Backoff,
    Budget,
    Child,
    Context,
    Restart,
    Restarting,
    RestartLimitExceeded,
    StartFailed,
    StartTimedOut,
    State,
    Strategy,
    SupervisionEvent,
    Supervisor,
    Tree,
)

NO_WAIT = Backoff(0.0, 0.0, 0.0)


class Cast:
    """Three players under one supervisor."""

    def __init__(
        self,
        strategy: Strategy,
        *,
        budget: Budget = Budget(3, 30.0),  # noqa: B008
        backoff: Backoff = NO_WAIT,
        restarts: dict[str, Restart] | None = None,
    ) -> None:
        self.log: list[str] = []
        self.a, self.b, self.c = (Player(name, self.log) for name in "abc")
        self.players = [self.a, self.b, self.c]
        types = restarts or {}
        self.root = Supervisor(
            "root",
            [Child(p.name, p, restart=types.get(p.name, Restart.PERMANENT)) for p in self.players],
            strategy=strategy,
            budget=budget,
            backoff=backoff,
        )

    async def after(self, *crashed: Player) -> list[str]:
        """Crash some, let the dust settle, and return what happened."""
        self.log.clear()
        for player in crashed:
            player.crash()
        await trio.sleep(1)
        return list(self.log)


@every_seed
async def test_children_start_in_order_each_after_the_former_is_ready() -> None:
    log: list[str] = []
    seen: list[tuple[float, str]] = []

    class Noting(list[str]):
        @override
        def append(self, entry: str) -> None:
            seen.append((trio.current_time() - began, entry))
            super().append(entry)

    began = trio.current_time()
    log = Noting()
    children = [Child(n, Player(n, log, start_s=1.0)) for n in "abc"]
    async with running(Supervisor("root", children)):
        assert seen == [(0.0, "+a"), (1.0, "+b"), (2.0, "+c")]
        assert trio.current_time() - began == 3.0


@every_seed
async def test_a_failed_start_stops_the_started_in_reverse_and_escalates() -> None:
    log: list[str] = []
    root = Supervisor(
        "root",
        [
            Child("a", Player("a", log)),
            Child("b", Player("b", log)),
            Child("c", Player("c", log, fails_to_start=lambda _: True)),
            Child("d", Player("d", log)),
        ],
    )
    error = await fails_with(StartFailed, Tree(root, lambda _: None).run)
    assert isinstance(error.__cause__, RuntimeError)
    assert log == ["+a", "+b", "+c", "-c", "-b", "-a"]


@every_seed
async def test_a_child_that_is_not_ready_in_time_has_failed_to_start() -> None:
    log: list[str] = []
    slow = Child("slow", Player("slow", log, start_s=100), start_timeout_s=2, grace_s=1)
    error = await fails_with(StartFailed, Tree(Supervisor("root", [slow]), lambda _: None).run)
    assert isinstance(error.__cause__, StartTimedOut)
    assert log == ["+slow", "-slow"]


@every_seed
async def test_one_for_one_restarts_only_the_crashed() -> None:
    cast = Cast(Strategy.ONE_FOR_ONE)
    async with running(cast.root):
        assert await cast.after(cast.b) == ["-b", "+b"]


@every_seed
async def test_rest_for_one_restarts_the_crashed_and_those_after_it() -> None:
    cast = Cast(Strategy.REST_FOR_ONE)
    async with running(cast.root):
        assert await cast.after(cast.b) == ["-b", "-c", "+b", "+c"]


@every_seed
async def test_one_for_all_restarts_all_in_order() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL)
    async with running(cast.root):
        assert await cast.after(cast.b) == ["-b", "-c", "-a", "+a", "+b", "+c"]


@every_seed
async def test_simultaneous_crashes_under_one_for_all_count_once() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL, budget=Budget(1, 30.0))
    async with running(cast.root) as tree:
        happened = await cast.after(*cast.players)
        assert happened[-3:] == ["+a", "+b", "+c"]
        assert tree.snapshot().restarts_in_window == 1


@every_seed
async def test_a_group_restart_does_not_wake_the_completed() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL, restarts={"a": Restart.TRANSIENT})
    async with running(cast.root):
        cast.a.finish()
        await trio.sleep(1)
        assert await cast.after(cast.c) == ["-c", "-b", "+b", "+c"]


@every_seed
async def test_a_child_that_completes_in_the_tick_of_a_crash_stays_completed() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL, restarts={"a": Restart.TRANSIENT})
    async with running(cast.root):
        cast.a.finish()
        happened = await cast.after(cast.c)
        assert "+a" not in happened
        assert happened[-2:] == ["+b", "+c"]


@every_seed
async def test_a_temporary_sibling_of_a_group_restart_is_stopped_and_gone() -> None:
    cast = Cast(Strategy.REST_FOR_ONE, restarts={"b": Restart.TEMPORARY})
    async with running(cast.root):
        assert await cast.after(cast.a) == ["-a", "-c", "-b", "+a", "+c"]


@every_seed
async def test_a_temporary_crash_neither_restarts_nor_counts() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL, budget=Budget(0, 1.0), restarts={"b": Restart.TEMPORARY})
    async with running(cast.root) as tree:
        assert await cast.after(cast.b) == ["-b"]
        assert tree.snapshot().children[1].state is State.FAILED


@every_seed
async def test_a_permanent_child_that_returns_is_restarted_and_counts() -> None:
    cast = Cast(Strategy.ONE_FOR_ONE)
    async with running(cast.root) as tree:
        cast.b.finish()
        await trio.sleep(1)
        assert cast.b.incarnation == 2
        assert tree.snapshot().restarts_in_window == 1


async def gives_up_after(cast: Cast, crashes: int) -> Exception:
    async def story() -> None:
        async with running(cast.root):
            for _ in range(crashes):
                await trio.sleep(1)
                cast.b.crash()
            await trio.sleep(1)

    return await fails_with(RestartLimitExceeded, story)


@every_seed
async def test_one_restart_too_many_stops_all_in_order_and_escalates() -> None:
    cast = Cast(Strategy.ONE_FOR_ONE, budget=Budget(2, 30.0))
    error = await gives_up_after(cast, 3)
    assert isinstance(error.__cause__, ValueError)
    assert cast.b.incarnation == 3
    assert cast.log[-3:] == ["-b", "-c", "-a"]


@every_seed
async def test_a_budget_of_none_gives_up_at_the_first_crash() -> None:
    cast = Cast(Strategy.ONE_FOR_ONE, budget=Budget(0, 30.0))
    await gives_up_after(cast, 1)
    assert cast.b.incarnation == 1


@every_seed
async def test_each_failed_restart_attempt_counts() -> None:
    log: list[str] = []
    flaky = Player("flaky", log, fails_to_start=lambda incarnation: incarnation > 1)
    root = Supervisor("root", [Child("flaky", flaky)], budget=Budget(3, 30.0), backoff=NO_WAIT)

    async def story() -> None:
        async with running(root):
            flaky.crash()
            await trio.sleep(1)

    await fails_with(RestartLimitExceeded, story)
    assert flaky.incarnation == 4


@every_seed
async def test_a_restart_that_fails_in_the_middle_of_a_group_begins_the_group_anew() -> None:
    log: list[str] = []
    a = Player("a", log)
    b = Player("b", log, fails_to_start=lambda incarnation: incarnation == 2)
    c = Player("c", log)
    root = Supervisor(
        "root",
        [Child(p.name, p) for p in (a, b, c)],
        strategy=Strategy.ONE_FOR_ALL,
        backoff=NO_WAIT,
    )
    async with running(root):
        log.clear()
        a.crash()
        await trio.sleep(1)
        assert log == ["-a", "-c", "-b", "+a", "+b", "-b", "-a", "+a", "+b", "+c"]


@every_seed
async def test_a_sub_supervisor_that_gives_up_is_a_crash_even_when_transient() -> None:
    log: list[str] = []
    leaf = Player("leaf", log)
    sub = Supervisor("sub", [Child("leaf", leaf)], budget=Budget(0, 1.0))
    root = Supervisor("root", [Child("sub", sub, restart=Restart.TRANSIENT)], backoff=NO_WAIT)
    async with running(root) as tree:
        leaf.crash()
        await trio.sleep(1)
        assert log == ["+leaf", "-leaf", "+leaf"]
        (shown,) = tree.snapshot().children
        assert (shown.kind, shown.restarts, shown.state) == ("supervisor", 1, "running")
        assert shown.last_error == "RestartLimitExceeded"
        assert shown.children[0].path == "root/sub/leaf"


@every_seed
async def test_delays_grow_with_the_failures_and_shrink_after_a_quiet_time() -> None:
    cast = Cast(Strategy.ONE_FOR_ONE, budget=Budget(9, 999.0), backoff=Backoff(1.0, 60.0, 0.0))
    heard: list[SupervisionEvent] = []
    async with running(cast.root, heard):
        for up_s in (0.5, 0.5, 61.0):
            cast.b.crash()
            await trio.sleep(10)
            await trio.sleep(up_s)
        cast.b.crash()
        await trio.sleep(10)
    assert [e.delay_s for e in heard if isinstance(e, Restarting)] == [1.0, 2.0, 4.0, 1.0]


@every_seed
async def test_a_supervisor_that_backs_off_still_shows_itself_and_stops_at_once() -> None:
    cast = Cast(Strategy.ONE_FOR_ALL, backoff=Backoff(100.0, 100.0, 0.0))
    async with running(cast.root) as tree:
        assert await cast.after(cast.b) == ["-b", "-c", "-a"]
        shown = tree.snapshot().children[1]
        assert (shown.state, shown.backoff_s) == (State.BACKING_OFF, 99.0)
        assert shown.last_error == "ValueError"
        asked_at = trio.current_time()
    assert trio.current_time() == asked_at
    assert tree.snapshot().children[1].state is State.STOPPED


@every_seed
async def test_a_crash_elsewhere_is_served_while_one_backs_off() -> None:
    cast = Cast(Strategy.REST_FOR_ONE, backoff=Backoff(5.0, 5.0, 0.0))
    async with running(cast.root):
        assert await cast.after(cast.c) == ["-c"]
        assert await cast.after(cast.a) == ["-a", "-b"]
        await trio.sleep(5)
        assert cast.log == ["-a", "-b", "+a", "+b", "+c"]


@every_seed
async def test_the_old_instance_is_gone_before_the_new_one_starts() -> None:
    log: list[str] = []
    a = Player("a", log)
    slow = Player("slow", log, stop_s=20, is_shielded=True)
    root = Supervisor(
        "root",
        [Child("a", a), Child("slow", slow, grace_s=1)],
        strategy=Strategy.ONE_FOR_ALL,
        backoff=NO_WAIT,
    )
    async with running(root) as tree:
        log.clear()
        a.crash()
        await trio.sleep(60)
        assert log == ["-a", "-slow", "+a", "+slow"]
        assert tree.unstopped == ("root/slow",)
        slow.stop_s = 0


@every_seed
async def test_a_group_of_errors_is_a_crash_too() -> None:
    class Nursing:
        incarnation = 0

        async def run(self, ctx: Context[Any]) -> None:
            self.incarnation += 1
            ctx.ready()
            async with trio.open_nursery() as nursery:
                if self.incarnation == 1:
                    nursery.start_soon(_fail)
                await ctx.wait_stopping()

    async def _fail() -> None:
        await trio.sleep(1)
        raise ValueError

    nursing = Nursing()
    async with running(Supervisor("root", [Child("n", nursing)])) as tree:
        await trio.sleep(3)
        assert nursing.incarnation == 2
        assert tree.snapshot().children[0].last_error == "ExceptionGroup"


def test_names_in_a_supervisor_are_unique() -> None:
    log: list[str] = []
    with pytest.raises(AssertionError):
        Supervisor("root", [Child("a", Player("a", log)), Child("a", Player("a", log))])
