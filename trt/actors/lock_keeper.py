"""LockKeeper: waits for the lease, and while it is held runs the active branch."""

from collections.abc import Callable
from typing import assert_never

import trio
from attrs import define, field, frozen

from trt.actors.ingress_channel import IngressChannel
from trt.sources import Sources
from trt.storage import lease
from trt.storage.database import Database, Transaction
from trt.storage.errors import DatabaseUnavailable
from trt.storage.inbox import InboxRow
from trt.storage.lease import Acquired, HeldBy, LeaseRow, Takeover
from trt.supervision import Context, Supervisor
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream


@frozen(kw_only=True)
class LeaseTerms:
    """The timings of the lease; the relations between them are asserted."""

    name: str = "shard-0"
    ttl_s: float = 2.0
    """How long a silent holder is left in peace, by the clock of the machine that both share."""
    renew_every_s: float = 0.5
    trust_s: float = 1.5
    """How long the holder trusts its last renewal, by its own clock; it stops itself then."""
    look_every_s: float = 0.25
    """How often a waiting instance looks whether the lease is free."""

    def __attrs_post_init__(self) -> None:
        assert 0 < 2 * self.renew_every_s < self.trust_s < self.ttl_s, (
            "one lost renewal must not depose"
        )
        assert self.look_every_s < self.ttl_s


@define
class Held:
    """A lease in our hands, trusted until a moment of our own monotonic clock."""

    epoch: int
    trusted_until: float
    takeover: Takeover | None
    lost: trio.Event = field(factory=trio.Event)
    why_lost: str | None = None

    def renewed(self, until: float) -> None:
        """Trust the lease until `until` on trio's clock."""
        self.trusted_until = until

    def lose(self, why: str) -> None:
        """Somebody else has it, or nobody can tell: stop acting."""
        if not self.lost.is_set():
            self.why_lost = why
            self.lost.set()

    async def wait_lost(self) -> None:
        """Return once the lease is lost or its trust has run out."""
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait_trust, scope)
                await self.lost.wait()
                scope.cancel()

    async def _wait_trust(self, scope: trio.CancelScope) -> None:
        while trio.current_time() < self.trusted_until:  # noqa: ASYNC110 - renewals move it
            await trio.sleep_until(self.trusted_until)
        self.lose("not renewed in time")
        scope.cancel()


@define
class LockView:
    """What `/health` shows of the lock; written by the keeper alone."""

    state: str = "PASSIVE"
    epoch: int | None = None
    row: LeaseRow | None = None
    changed_at_s: float = 0.0


@frozen(kw_only=True)
class LockParts:
    """What the keeper needs."""

    db: Database
    """A connection of its own, which never waits behind work."""
    sources: Sources
    events: EventStream
    ingress: IngressChannel
    holder: str
    pid: int
    terms: LeaseTerms
    view: LockView
    leading: Callable[[Held, "trio.MemoryReceiveChannel[InboxRow]"], Supervisor]
    waiting: Callable[["trio.MemoryReceiveChannel[InboxRow]"], Supervisor]


class LockKeeper:
    """Two long-lived states, two functions: `_wait` until the lease is ours, `_lead` while it is.

    Losing the lease is an ordered shutdown of the branch, not a crash. A planned stop ends the
    branch first and releases the lease after, so that the next holder can begin at once.
    """

    def __init__(self, parts: LockParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Wait and lead in turn until asked to stop."""
        ctx.ready()
        while not ctx.is_stopping:
            held = await self._acquire() or await self._wait(ctx)
            if held is not None:
                await self._lead(ctx, held)

    async def _wait(self, ctx: Context[None]) -> Held | None:
        """Run the passive branch until the lease is ours; None when asked to stop first."""
        got: list[Held] = []

        async def until() -> None:
            while not got:
                await trio.sleep(self._parts.terms.look_every_s)
                held = await self._acquire()
                if held is not None:
                    got.append(held)

        self._parts.events.emit(EventName.LOCK_WAITING, holder=self._parts.holder)
        with self._parts.ingress.receiver_for("passive_responder") as updates:
            await ctx.run_subtree(self._parts.waiting(updates), until)
        return got[0] if got else None

    async def _lead(self, ctx: Context[None], held: Held) -> None:
        """Run the active branch for as long as the lease is ours."""
        parts = self._parts

        async def until_lost() -> None:
            await held.wait_lost()
            self._show("PASSIVE", None)  # what still stops can commit nothing any more

        self._show("ACTIVE", held.epoch)
        parts.events.emit(
            EventName.LOCK_ACQUIRED, holder=parts.holder, epoch=held.epoch, **_told(held.takeover)
        )
        try:
            with parts.ingress.receiver_for("dispatcher") as updates:
                await ctx.run_subtree(parts.leading(held, updates), until_lost)
        finally:
            self._show("PASSIVE", None)
        if held.lost.is_set():
            parts.events.emit(
                EventName.LOCK_LOST, holder=parts.holder, epoch=held.epoch, detail=held.why_lost
            )
            return
        await self._release(held)

    async def _acquire(self) -> Held | None:
        parts = self._parts
        asked_at = trio.current_time()
        try:
            outcome, row = await parts.db.transact(self._try)
        except DatabaseUnavailable:
            return None
        parts.view.row = row
        match outcome:
            case HeldBy():
                return None
            case Acquired(epoch=epoch, takeover=takeover):
                return Held(
                    epoch=epoch, trusted_until=asked_at + parts.terms.trust_s, takeover=takeover
                )
            case _:
                assert_never(outcome)

    def _try(self, tx: Transaction) -> tuple[Acquired | HeldBy, LeaseRow | None]:
        parts = self._parts
        outcome = lease.acquire(
            tx,
            parts.terms.name,
            holder=parts.holder,
            pid=parts.pid,
            ttl_s=parts.terms.ttl_s,
            now=parts.sources.now(),
        )
        return outcome, lease.read(tx, parts.terms.name)

    async def _release(self, held: Held) -> None:
        parts = self._parts
        released = await parts.db.transact(
            lease.release,
            parts.terms.name,
            holder=parts.holder,
            epoch=held.epoch,
            now=parts.sources.now(),
        )
        if released:
            parts.events.emit(EventName.LOCK_RELEASED, holder=parts.holder, epoch=held.epoch)

    def _show(self, state: str, epoch: int | None) -> None:
        view = self._parts.view
        view.state, view.epoch, view.changed_at_s = state, epoch, trio.current_time()


class Heartbeat:
    """First child of the active branch: renews the lease; a renewal that fails loses it."""

    def __init__(self, parts: LockParts, held: Held) -> None:
        self._parts = parts
        self._held = held

    async def run(self, ctx: Context[None]) -> None:
        """Renew until asked to stop or the lease is lost."""
        parts, held = self._parts, self._held
        ctx.ready()
        while await ctx.sleep(parts.terms.renew_every_s):
            asked_at = trio.current_time()
            try:
                row = await parts.db.transact(self._renew)
            except DatabaseUnavailable:
                continue  # the trust runs out by itself if this goes on
            if row is None:
                held.lose("somebody else took it")
                return
            parts.view.row = row
            held.renewed(asked_at + parts.terms.trust_s)

    def _renew(self, tx: Transaction) -> LeaseRow | None:
        parts = self._parts
        renewed = lease.renew(
            tx,
            parts.terms.name,
            holder=parts.holder,
            epoch=self._held.epoch,
            ttl_s=parts.terms.ttl_s,
            now=parts.sources.now(),
        )
        return lease.read(tx, parts.terms.name) if renewed else None


def _told(takeover: Takeover | None) -> dict[str, str | float]:
    if takeover is None:
        return {}
    return {"taken_from": takeover.from_holder, "why": takeover.reason, "gap_s": takeover.gap_s}
