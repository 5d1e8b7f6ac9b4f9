"""LockKeeper: waits for the lease of a shard, and while it is held runs the active branch."""

from collections.abc import Callable
from typing import assert_never

import trio
from attrs import define, frozen

from trt.actors.bells import Bell
from trt.actors.held import Held
from trt.actors.ingress_channel import IngressChannel
from trt.actors.lease_terms import LeaseTerms
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import LeaseRow, Takeover
from trt.storage.lease_store import LeaseStore
from trt.supervision import Context, Supervisor
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream

RELEASE_AGAIN_S = 0.1
"""Between two tries to release a lease: the next holder waits for it."""


@define
class LockView:
    """What `/health` shows of the lock; written by the keeper and the heartbeat alone."""

    state: str = "PASSIVE"
    row: LeaseRow | None = None
    """The lease as it stood at the last look or renewal."""
    row_at_s: float = 0.0
    changed_at_s: float | None = None
    """When the state changed last or the keeper began, on trio's clock; None before that."""

    def begin(self) -> None:
        """Count from now on; a keeper that was restarted goes on counting."""
        if self.changed_at_s is None:
            self.changed_at_s = trio.current_time()

    def show(self, row: LeaseRow) -> None:
        """Note how the lease stands."""
        self.row, self.row_at_s = row, trio.current_time()


@frozen(kw_only=True)
class LockParts:
    """What the keeper needs."""

    leases: LeaseStore
    events: EventStream
    ingress: IngressChannel
    holder: str
    pid: int
    terms: LeaseTerms
    view: LockView
    freed: Bell
    """Rung when somebody has given the lease up."""
    leading: Callable[[Held, "trio.MemoryReceiveChannel[InboxRow]"], Supervisor]
    waiting: Callable[["trio.MemoryReceiveChannel[InboxRow]"], Supervisor]


class LockKeeper:
    """Two long-lived states, two functions: `_wait` until the lease is ours, `_lead` while it is.

    Losing the lease is an ordered shutdown of the branch, not a crash. A planned stop ends the
    branch first and releases the lease after, so that the next holder can begin at once. Who has
    lost the lease leaves it to the others for as long as it lasts.
    """

    def __init__(self, parts: LockParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Wait and lead in turn until asked to stop."""
        ctx.ready()
        self._parts.view.begin()
        held = await self._acquire()
        rest_s = 0.0
        while not ctx.is_stopping or held is not None:
            if held is None:
                held = await self._wait(ctx, rest_s)
            else:
                await self._lead(ctx, held)
                held, rest_s = None, self._parts.terms.ttl_s

    async def _wait(self, ctx: Context[None], rest_s: float) -> Held | None:
        """Run the passive branch until the lease is ours; None when asked to stop first."""
        parts = self._parts
        got: list[Held] = []

        async def until() -> None:
            await trio.sleep(rest_s)
            while not got:
                with trio.move_on_after(parts.terms.look_every_s):
                    await parts.freed.wait()
                held = await self._acquire()
                if held is not None:
                    got.append(held)

        self._tell(EventName.LOCK_WAITING)
        with parts.ingress.receiver_for("passive_responder") as updates:
            await ctx.run_subtree(parts.waiting(updates), until)
        return got[0] if got else None

    async def _lead(self, ctx: Context[None], held: Held) -> None:
        """Run the active branch for as long as the lease is ours."""
        parts = self._parts

        async def until_lost() -> None:
            await held.wait_lost()
            self._show("PASSIVE")  # what still stops can commit nothing any more

        self._show("ACTIVE")
        self._tell(EventName.LOCK_ACQUIRED, epoch=held.epoch, **_told(held.takeover))
        try:
            with parts.ingress.receiver_for("dispatcher") as updates:
                await ctx.run_subtree(parts.leading(held, updates), until_lost)
        finally:
            self._show("PASSIVE")
        if not held.lost.is_set():
            await self._release(held)
        if held.lost.is_set():
            self._tell(EventName.LOCK_LOST, epoch=held.epoch, reason=held.why_lost)

    async def _acquire(self) -> Held | None:
        parts = self._parts
        asked_at = trio.current_time()
        try:
            outcome = await parts.leases.acquire(
                parts.terms.name, holder=parts.holder, pid=parts.pid, ttl_s=parts.terms.ttl_s
            )
        except DatabaseUnavailable:
            return None
        parts.view.show(outcome.row)
        match outcome:
            case HeldBy():
                return None
            case Acquired(row=row):
                return Held(
                    epoch=row.epoch,
                    trusted_until=asked_at + parts.terms.trust_s,
                    takeover=row.takeover,
                    stop_lost_s=parts.terms.stop_lost_s,
                )
            case _:
                assert_never(outcome)

    async def _release(self, held: Held) -> None:
        try:
            is_released = await self._give_back(held)
        except DatabaseUnavailable:
            held.lose("not released: it runs out by itself")
            return
        if is_released:
            self._tell(EventName.LOCK_RELEASED, epoch=held.epoch)
        else:
            held.lose("somebody else took it")

    async def _give_back(self, held: Held) -> bool:
        """Release the lease, again if need be, for as long as it is trusted.

        Raises:
            DatabaseUnavailable: The last try failed as well.
        """
        parts = self._parts
        while True:
            try:
                return await parts.leases.release(
                    parts.terms.name, holder=parts.holder, epoch=held.epoch
                )
            except DatabaseUnavailable:
                if trio.current_time() + RELEASE_AGAIN_S > held.trusted_until:
                    raise
            await trio.sleep(RELEASE_AGAIN_S)

    def _show(self, state: str) -> None:
        view = self._parts.view
        if view.state != state:
            view.state, view.changed_at_s = state, trio.current_time()

    def _tell(self, name: EventName, **fields: FieldValue) -> None:
        parts = self._parts
        parts.events.emit(name, lease=parts.terms.name, holder=parts.holder, **fields)


def _told(takeover: Takeover | None) -> dict[str, str | float]:
    if takeover is None:
        return {}
    return {"taken_from": takeover.from_holder, "why": takeover.reason, "gap_s": takeover.gap_s}
