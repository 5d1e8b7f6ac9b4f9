"""Heartbeat: renews the lease for as long as the active branch lives."""

from collections.abc import Callable

import trio
from attrs import frozen

from trt.actors.held import Held
from trt.actors.lease_terms import LeaseTerms
from trt.storage.errors import DatabaseUnavailable
from trt.storage.lease_row import LeaseRow
from trt.storage.lease_store import LeaseStore
from trt.supervision import Context


@frozen(kw_only=True)
class HeartbeatParts:
    """What the heartbeat needs."""

    leases: LeaseStore
    holder: str
    terms: LeaseTerms
    show: Callable[[LeaseRow], None]
    """Told how the lease stands after each renewal."""


class Heartbeat:
    """First child of the active branch: a renewal that is refused loses the lease.

    Receives nothing; owns the trust in `Held`. One that does not get through changes nothing: the
    trust runs out by itself if that goes on.
    """

    def __init__(self, parts: HeartbeatParts, held: Held) -> None:
        self._parts = parts
        self._held = held

    async def run(self, ctx: Context[None]) -> None:
        """Renew until asked to stop or the lease is lost."""
        parts, held = self._parts, self._held
        ctx.ready()
        while await ctx.sleep(parts.terms.renew_every_s):
            asked_at = trio.current_time()
            try:
                row = await parts.leases.renew(
                    parts.terms.name,
                    holder=parts.holder,
                    epoch=held.epoch,
                    ttl_s=parts.terms.ttl_s,
                )
            except DatabaseUnavailable:
                continue
            if row is None:
                held.lose_to_another("somebody else took it")
                await ctx.wait_stopping()
                return
            parts.show(row)
            held.renewed(asked_at + parts.terms.trust_s)
