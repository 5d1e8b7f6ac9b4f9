"""Bells: heard at once, never twice, and never lost while their listener is busy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field
from typing_extensions import override

from trt.actors.bells import Bells, callbacks_topic, inbox_topic
from trt.actors.wake_ups import WakeUps
from trt.domain.ids import Shard
from trt.storage.errors import DatabaseUnavailable
from trt.storage.wake_bus import WakeSource
from trt.supervision import Child, Supervisor, Tree
from trt.telemetry.events import Event, EventName
from trt.telemetry.stream import EventStream
from trt.testing.virtual_time import VirtualSources


async def test_a_bell_that_rang_while_nobody_listened_is_heard_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bells = Bells()
    bell = bells.bell("inbox:0")
    bells.ring("inbox:0")
    bells.ring("inbox:0")
    bells.ring("nobody asked for this")
    await bell.wait()
    with trio.move_on_after(10) as scope:
        await bell.wait()
    assert scope.cancelled_caught


async def test_a_listener_that_gave_up_waiting_misses_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bell = Bells().bell("inbox:0")
    with trio.move_on_after(1):
        await bell.wait()
    bell.ring()
    with trio.fail_after(0.001):
        await bell.wait()


def test_each_shard_has_its_topics() -> None:
    topics = {topic(Shard(n)) for topic in (inbox_topic, callbacks_topic) for n in range(3)}
    assert len(topics) == 6


@define
class BreakingSource(WakeSource):
    """Breaks after each topic; `opened` counts how often it was listened to."""

    topic: str
    opened: int = 0
    at_s: list[float] = field(factory=list)

    @override
    @asynccontextmanager
    async def topics(self) -> AsyncIterator[AsyncIterator[str]]:
        self.opened += 1
        self.at_s.append(trio.current_time())
        if self.opened in {2, 3}:
            raise DatabaseUnavailable("no connection")
        yield self._once()

    async def _once(self) -> AsyncIterator[str]:  # noqa: ASYNC900 - nothing is open in it
        await trio.sleep(100.0)
        yield self.topic
        await trio.sleep(100.0)
        raise DatabaseUnavailable("broken")


async def test_a_broken_connection_is_opened_again_and_crashes_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    told: list[Event] = []
    source, bells = BreakingSource("inbox:0"), Bells()
    bell, other = bells.bell("inbox:0"), bells.bell("inbox:1")
    wake_ups = WakeUps(source, bells, EventStream(VirtualSources(0), (told.append,)))
    tree = Tree(Supervisor("root", [Child("wake_ups", wake_ups, grace_s=1.0)]), lambda _: None)
    heard_s: list[float] = []

    async def listen() -> None:
        while True:
            await bell.wait()
            heard_s.append(trio.current_time() - began_s)

    async with trio.open_nursery() as nursery:
        began_s = trio.current_time()
        nursery.start_soon(listen)
        await nursery.start(tree.run)
        with trio.fail_after(1.0):
            await other.wait()  # what was said before the start nobody has heard
        await trio.sleep(350)
        # At the start, by its name, after the connection came back, and by its name again.
        assert [int(one) for one in heard_s] == [0, 100, 200, 300]
        pauses = [event.fields["retry_after_s"] for event in told]
        assert {event.name for event in told} == {EventName.WAKE_UPS_LOST}
        assert pauses == [0.1, 0.2, 0.4]
        assert tree.snapshot().children[0].restarts == 0
        tree.request_stop()
        nursery.cancel_scope.cancel()
