"""The two instances of `trt bench chaos`: killed at any moment, and started again at once."""

import signal
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path

import trio
from attrs import define, field, frozen

from trt.bench.chaos_plan import HOLDER_SHARE, Luck
from trt.bench.children import ChildFailed
from trt.bench.failover_instance import Instance, live
from trt.sources import Sources

LOOK_EVERY_S = 0.05
HOLDER_WITHIN_S = 60.0
SELF_ENDED_MAX = 3


@frozen(kw_only=True)
class Seat:
    """Where an instance runs; when it has ended, another one takes its place."""

    number: int
    environment: Mapping[str, str]
    """All that the instance in this seat gets of an environment."""
    folder: Path


@frozen(kw_only=True)
class Kill:
    """An instance ended by force."""

    at_s: float
    """In seconds since the epoch."""
    seat: int
    was_holder: bool
    """By its own word."""


@define(eq=False)
class Fleet:
    """Keeps an instance in every seat."""

    seats: Sequence[Seat]
    sources: Sources
    kills: list[Kill] = field(factory=list)
    takeovers_s: list[float] = field(factory=list)
    """When somebody became the holder, in seconds since the epoch, by life and not by time."""
    starts: int = 0
    problems: list[str] = field(factory=list)
    """Instances that ended by themselves, and errors that they logged."""
    _running: dict[int, Instance] = field(factory=dict)

    async def run(self) -> None:
        """Start whoever is not there, until cancelled; then kill all.

        Raises:
            ChildFailed: Instances end by themselves again and again.
        """
        async with trio.open_nursery() as nursery:
            for seat in self.seats:
                nursery.start_soon(self._keep, seat)

    async def wait_holder(self) -> None:
        """Return once one of them holds the lease.

        Raises:
            ChildFailed: None does.
        """
        with trio.move_on_after(HOLDER_WITHIN_S):
            while not self._holders():  # noqa: ASYNC110 - other processes
                await trio.sleep(LOOK_EVERY_S)
            return
        said = "\n".join(one.last_words() for one in self._running.values())
        raise ChildFailed(f"nobody took the lease:\n{said}")

    def note_running(self) -> None:
        """Keep what those said who still run; once, at the end."""
        for instance in self._running.values():
            self._note(instance)

    async def strike(self, pauses_s: Iterable[float], luck: Luck) -> None:
        """Kill one instance after each pause."""
        for pause_s in pauses_s:
            await trio.sleep(pause_s)
            while not self._running:  # noqa: ASYNC110 - other processes
                await trio.sleep(LOOK_EVERY_S)
            holders = self._holders()
            is_for_holder = luck.happens("holder is killed", HOLDER_SHARE)
            candidates = holders if holders and is_for_holder else sorted(self._running)
            self._kill(candidates[int(luck.chance_of("who is killed") * len(candidates))])

    def _kill(self, seat: int) -> None:
        instance = self._running.pop(seat)
        kill = Kill(at_s=self.sources.now().timestamp(), seat=seat, was_holder=instance.is_holder)
        self.kills.append(kill)
        instance.signal(signal.SIGKILL)

    def _holders(self) -> list[int]:
        return sorted(seat for seat, one in self._running.items() if one.is_holder)

    async def _keep(self, seat: Seat) -> None:
        self_ended = 0
        for life in count(1):
            name = f"instance-{seat.number}"
            async with trio.open_nursery() as nursery:
                instance = await nursery.start(live, name, seat.environment, seat.folder)
                self.starts += 1
                self._running[seat.number] = instance
                await instance.ended.wait()
            self._note(instance)
            if self._running.pop(seat.number, None) is None:
                continue
            self_ended += 1
            code = instance.process.returncode
            self.problems.append(f"{name} ended by itself with {code} in its life {life}")
            if self_ended == SELF_ENDED_MAX:
                raise ChildFailed(f"{self.problems[-1]}:\n{instance.last_words()}")

    def _note(self, instance: Instance) -> None:
        """Keep what an instance said in its life."""
        for line in instance.lines:
            if line.get("level") in {"error", "critical"}:
                words = line.get("exception") or line.get("detail") or line.get("error")
                self.problems.append(f"{instance.name} logged {line['event']}: {words}")
            if line["event"] == "LOCK_ACQUIRED":
                self.takeovers_s.append(datetime.fromisoformat(line["ts"]).timestamp())
