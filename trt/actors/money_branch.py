"""The part of the active branch that looks after money and handles no update."""

from collections.abc import Callable

from attrs import frozen

from trt.actors.alarm_caller import AlarmCaller, AlarmParts
from trt.actors.auditor import Auditor, AuditorParts
from trt.actors.checkout import Checkout
from trt.actors.money_office import MoneyOffice
from trt.actors.parts import Parts
from trt.actors.refunder import Refunder, RefunderParts
from trt.actors.star_reconciler import ReconcilerParts, StarReconciler
from trt.domain.ids import Shard, UserId
from trt.domain.shard import FIRST_SHARD
from trt.storage.database import Database
from trt.supervision import Actor, Child


@frozen(kw_only=True)
class MoneyBranch:
    """Makes the actors of one life of the branch."""

    parts: Parts
    db: Database
    shard: Shard
    epoch: int
    wake_delivery: Callable[[], None]
    leashed: Callable[[Actor[None]], Actor[None]]

    def children(self) -> list[Child[None]]:
        """Return the actors in start order; only the first shard's audits, it audits them all."""
        found = [
            Child("refunder", self.leashed(self._refunder()), grace_s=self._call_s),
            Child("star_reconciler", self.leashed(self._reconciler()), grace_s=self._call_s),
        ]
        if self.shard == FIRST_SHARD:
            found.append(Child("auditor", self.leashed(self._auditor()), grace_s=1.0))
        admin_id = self.parts.shop.till.admin_id
        if admin_id is not None:
            found.append(Child("alarms", self.leashed(self._alarms(admin_id)), grace_s=1.0))
        return found

    @property
    def _call_s(self) -> float:
        return self.parts.limits.job_stop_s

    def _office(self) -> MoneyOffice:
        parts = self.parts
        return MoneyOffice(
            db=self.db,
            sources=parts.sources,
            events=parts.events,
            till=parts.shop.till,
            copies=parts.shop.copies,
            catalogue=parts.shop.catalogue,
            shard=self.shard,
            epoch=self.epoch,
        )

    def _refunder(self) -> Refunder:
        return Refunder(
            RefunderParts(
                db=self.db,
                telegram=self.parts.telegram,
                office=self._office(),
                wake_delivery=self.wake_delivery,
            )
        )

    def _reconciler(self) -> StarReconciler:
        return StarReconciler(
            ReconcilerParts(
                db=self.db,
                telegram=self.parts.telegram,
                office=self._office(),
                shards=len(self.parts.shards),
                wake_delivery=self.wake_delivery,
            )
        )

    def _auditor(self) -> Auditor:
        parts = self.parts
        return Auditor(
            AuditorParts(db=self.db, sources=parts.sources, events=parts.events, view=parts.books)
        )

    def _alarms(self, admin_id: UserId) -> AlarmCaller:
        parts = self.parts
        return AlarmCaller(
            AlarmParts(
                db=self.db,
                sources=parts.sources,
                copies=parts.shop.copies,
                board=parts.alarms,
                admin_id=admin_id,
                shard=self.shard,
                epoch=self.epoch,
                wake_delivery=self.wake_delivery,
            )
        )


def checkout_of(parts: Parts) -> Checkout:
    """Return who answers pre-checkouts, on an active and on a passive instance alike."""
    return Checkout(
        till=parts.shop.till,
        copies=parts.shop.copies,
        telegram=parts.telegram,
        events=parts.events,
        now=parts.sources.now,
    )
