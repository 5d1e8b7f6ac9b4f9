"""The money office: a desk for those of the branch who handle no update."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from attrs import frozen

from trt.actors.money_desk import MoneyDesk
from trt.domain.copy import Copies
from trt.domain.ids import Cid, Shard
from trt.domain.model_card import Catalogue
from trt.domain.till import Till
from trt.sources import Sources
from trt.storage.database import Database, Transaction
from trt.telemetry.events import EventName, FieldValue
from trt.telemetry.stream import EventStream

P = ParamSpec("P")
T = TypeVar("T")


@frozen(kw_only=True)
class MoneyOffice:
    """Opens a desk for one transaction, and tells its events after the commit."""

    db: Database
    sources: Sources
    events: EventStream
    till: Till
    copies: Copies
    catalogue: Catalogue
    shard: Shard
    epoch: int

    async def transact(
        self,
        cid: Cid,
        work: Callable[Concatenate[MoneyDesk, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(desk, …)` as one transaction and return what it returned.

        Args:
            cid: What it is done for.
            work: Touches nothing but the desk.
            args: For the work.
            kwargs: For the work.
        """
        now = self.sources.now()

        def run(tx: Transaction) -> tuple[T, list[tuple[EventName, dict[str, FieldValue]]]]:
            told: list[tuple[EventName, dict[str, FieldValue]]] = []

            def tell(name: EventName, **fields: FieldValue) -> None:
                told.append((name, fields))

            desk = MoneyDesk(
                tx=tx,
                till=self.till,
                copies=self.copies,
                catalogue=self.catalogue,
                shard=self.shard,
                epoch=self.epoch,
                now=now,
                cid=cid,
                tell=tell,
            )
            return work(desk, *args, **kwargs), told

        result, told = await self.db.transact(run)
        for name, fields in told:
            self.events.emit(name, cid=cid, **fields)
        return result
