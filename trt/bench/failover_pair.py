"""The two instances of `trt bench failover`, each in a seat with an address of its own."""

from collections.abc import Mapping
from pathlib import Path

import httpx
import trio
from attrs import define, field

from trt.bench.children import LOOPBACK, ChildFailed
from trt.bench.failover_instance import Instance, live

LOOK_EVERY_S = 0.02
STEADY_WITHIN_S = 30.0


@define(eq=False)
class Seat:
    """Where an instance runs; when it has ended, another one takes its place."""

    number: int
    port: int
    """Where it is reached, on this machine."""
    environment: Mapping[str, str]
    """All that the instance in this seat gets of an environment."""
    folder: Path
    _instance: Instance | None = None

    @property
    def instance(self) -> Instance:
        """Who sits here."""
        assert self._instance is not None, "nobody was started here"
        return self._instance

    async def start(self, nursery: trio.Nursery) -> None:
        """Start an instance here; returns when it works, as a holder or as a standby.

        Raises:
            ChildFailed: It did not start.
        """
        name = f"instance-{self.number}"
        self._instance = await nursery.start(live, name, self.environment, self.folder)
        await self.instance.wait_event("APP_STARTED")

    async def wait_mode(self, mode: str) -> None:
        """Return once its /health says `active` or `passive`.

        Raises:
            ChildFailed: It does not.
        """
        with trio.move_on_after(STEADY_WITHIN_S):
            async with httpx.AsyncClient(timeout=1.0) as http:
                while await self._mode(http) != mode:  # noqa: ASYNC110 - it is another process
                    await trio.sleep(LOOK_EVERY_S)
            return
        raise ChildFailed(f"not {mode}: {self.instance.name}\n{self.instance.last_words()}")

    async def _mode(self, http: httpx.AsyncClient) -> str | None:
        try:
            answer = await http.get(f"http://{LOOPBACK}:{self.port}/health")
        except httpx.TransportError:
            return None
        mode: str = answer.json()["mode"]
        return mode


@define(eq=False)
class Pair:
    """Both seats, and who holds the lease."""

    seats: tuple[Seat, Seat]
    _nursery: trio.Nursery = field(alias="nursery")

    async def start(self) -> None:
        """Start both, the first one as the holder."""
        for seat in self.seats:
            await seat.start(self._nursery)
            await seat.wait_mode("active" if seat.number == 0 else "passive")

    async def restart(self, seat: Seat) -> None:
        """Start a new instance where one has ended, as a standby."""
        await seat.instance.wait_exit()
        await seat.start(self._nursery)
        await seat.wait_mode("passive")

    @property
    def holder(self) -> Seat:
        """Who holds the lease."""
        [holder] = [seat for seat in self.seats if seat.instance.is_holder]
        return holder

    @property
    def standby(self) -> Seat:
        """Who waits for it."""
        [standby] = [seat for seat in self.seats if not seat.instance.is_holder]
        return standby
