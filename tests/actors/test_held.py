"""A held lease: what acts in its name is on a leash, which ends with the trust."""

import pytest
import trio

from trt.actors.held import Held, Leashed
from trt.supervision import Child, Context, Supervisor, Tree


def _held(trust_s: float = 1.5) -> Held:
    return Held(
        epoch=1, trusted_until=trio.current_time() + trust_s, takeover=None, stop_lost_s=0.4
    )


async def test_a_leash_ends_a_little_after_the_trust(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held, began_s = _held(), trio.current_time()
    with held.leash() as leash:
        await trio.sleep(1000.0)
    assert leash.cancelled_caught
    assert trio.current_time() - began_s == pytest.approx(1.9)


async def test_a_renewal_lengthens_every_leash(autojump_clock: trio.testing.MockClock) -> None:
    held, began_s = _held(), trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(_act, held)
        await trio.sleep(1.0)
        held.renewed(trio.current_time() + 1.5)
    assert trio.current_time() - began_s == pytest.approx(2.9)


async def test_what_comes_after_the_loss_renews_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held, began_s = _held(), trio.current_time()
    held.lose("not renewed in time")
    held.renewed(trio.current_time() + 100.0)
    await _act(held)
    assert trio.current_time() - began_s == pytest.approx(1.9)


async def test_a_lease_that_another_has_cuts_off_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    held, began_s = _held(), trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_act, held)
        await trio.sleep(0.2)
        held.lose_to_another("somebody else took it")
    assert trio.current_time() - began_s == pytest.approx(0.2)
    await _act(held)  # and whoever comes later does not begin
    assert trio.current_time() - began_s == pytest.approx(0.2)
    assert held.why_lost == "somebody else took it"


async def test_a_process_that_was_frozen_does_not_make_another_step(
    mock_clock: trio.testing.MockClock,
) -> None:
    held, did = _held(), list[str]()

    async def act() -> None:
        with held.leash():
            while True:
                await trio.sleep(0.01)
                await trio.lowlevel.checkpoint()  # as every call to the outside begins
                did.append("a step")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(act)
        nursery.start_soon(held.wait_lost)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(60.0)  # both timers are long past when it wakes up
    assert did == []
    assert held.why_lost == "not renewed in time"


async def test_an_actor_that_was_cut_off_waits_to_be_stopped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Sleeper:
        async def run(self, ctx: Context[None]) -> None:
            ctx.ready()
            await trio.sleep_forever()

    held = _held()
    tree = Tree(
        Supervisor("root", [Child("sleeper", Leashed(Sleeper(), held), grace_s=9.0)]),
        lambda _: None,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(tree.run)
        await trio.sleep(5.0)
        [sleeper] = tree.snapshot().children
        assert (sleeper.state.value, sleeper.restarts) == ("running", 0)
        stopped_s = trio.current_time()
        tree.request_stop()
    assert trio.current_time() == stopped_s
    assert not tree.unstopped


async def _act(held: Held) -> None:
    with held.leash():
        await trio.sleep_forever()
