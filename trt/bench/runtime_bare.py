"""The yardstick of `trt bench runtime`: the same work with trio's own tasks and channels."""

from collections.abc import Callable
from time import perf_counter

import trio
import trio.testing

CAPACITY = 1_000
BATCH_MAX = 64
TIMEOUT_S = 5.0


class Door:
    """Knows when all of `count` have come."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self.all_came = trio.Event()

    def come(self) -> None:
        """Come in."""
        self._missing -= 1
        if self._missing == 0:
            self.all_came.set()


def tell(count: int) -> float:
    """Return messages received per second: one waits, then what has arrived, up to a batch."""

    async def measure() -> float:
        send, receive = trio.open_memory_channel[int](CAPACITY)
        async with trio.open_nursery() as nursery:
            began = perf_counter()
            nursery.start_soon(_drain, receive, count)
            for _ in range(count):
                try:
                    send.send_nowait(1)
                except trio.WouldBlock:
                    await send.send(1)
        return count / (perf_counter() - began)

    return trio.run(measure)


async def _drain(receive: trio.MemoryReceiveChannel[int], count: int) -> None:
    total = 0
    while total < count:
        total += await receive.receive()
        try:
            for _ in range(BATCH_MAX - 1):
                total += receive.receive_nowait()
        except trio.WouldBlock:
            pass


def ask(count: int) -> float:
    """Return answers per second: a channel, a fresh channel for the answer, a deadline."""

    async def measure() -> float:
        send, receive = trio.open_memory_channel[tuple[int, trio.MemorySendChannel[int]]](CAPACITY)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_answer, receive)
            began = perf_counter()
            for _ in range(count):
                answer_in, answer = trio.open_memory_channel[int](1)
                with trio.fail_after(TIMEOUT_S):
                    await send.send((1, answer_in))
                    await answer.receive()
            spent_s = perf_counter() - began
            send.close()
        return count / spent_s

    return trio.run(measure)


async def _answer(
    receive: trio.MemoryReceiveChannel[tuple[int, trio.MemorySendChannel[int]]],
) -> None:
    total = 0
    async for amount, answer_in in receive:
        total += amount
        answer_in.send_nowait(total)


def spawn_many(count: int) -> float:
    """Return tasks per second, all started until each runs, then all cancelled and joined."""

    async def measure() -> float:
        door = Door(count)
        async with trio.open_nursery() as nursery:
            began = perf_counter()
            for _ in range(count):
                nursery.start_soon(_idle, door)
            await door.all_came.wait()
            nursery.cancel_scope.cancel()
        return count / (perf_counter() - began)

    return trio.run(measure)


async def _idle(door: Door) -> None:
    door.come()
    await trio.sleep_forever()


def spawn_many_channels(count: int) -> float:
    """Return tasks per second like `spawn_many`, each waiting at a channel of its own."""

    async def measure() -> float:
        door = Door(count)
        senders: list[trio.MemorySendChannel[int]] = []
        async with trio.open_nursery() as nursery:
            began = perf_counter()
            for _ in range(count):
                send, receive = trio.open_memory_channel[int](CAPACITY)
                senders.append(send)
                nursery.start_soon(_idle_at_channel, door, receive)
            await door.all_came.wait()
            nursery.cancel_scope.cancel()
        return count / (perf_counter() - began)

    return trio.run(measure)


async def _idle_at_channel(door: Door, receive: trio.MemoryReceiveChannel[int]) -> None:
    door.come()
    await receive.receive()


def spawn_each(count: int) -> float:
    """Return tasks per second, each started until ready, cancelled and joined before the next."""

    async def measure() -> float:
        async with trio.open_nursery() as nursery:
            began = perf_counter()
            for _ in range(count):
                scope, ended = await nursery.start(_scoped)
                scope.cancel()
                await ended.wait()
            took_s = perf_counter() - began
        return count / took_s

    return trio.run(measure)


async def _scoped(task_status: trio.TaskStatus[tuple[trio.CancelScope, trio.Event]]) -> None:
    ended = trio.Event()
    with trio.CancelScope() as scope:
        task_status.started((scope, ended))
        await trio.sleep_forever()
    ended.set()


async def rest(count: int, look: Callable[[], None]) -> None:
    """Call `look` while `count` tasks wait, each at a channel of its own."""
    senders: list[trio.MemorySendChannel[int]] = []

    async def wait_at_channel(receive: trio.MemoryReceiveChannel[int]) -> None:
        await receive.receive()

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            send, receive = trio.open_memory_channel[int](CAPACITY)
            senders.append(send)
            nursery.start_soon(wait_at_channel, receive)
        await trio.testing.wait_all_tasks_blocked()
        look()
        nursery.cancel_scope.cancel()
