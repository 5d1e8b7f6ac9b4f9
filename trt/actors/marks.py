"""Marks: writes down what became of sends, all that wait for it in one transaction."""

import trio
from attrs import define, field

from trt.sources import Sources
from trt.storage import outbox
from trt.storage.database import Database
from trt.storage.outbox import Outcome


@define(eq=False)
class _Batch:
    outcomes: list[Outcome] = field(factory=list)
    is_written: bool = False


class Marks:
    """Marks rows of the outbox.

    While one transaction is under way the outcomes for the next one gather. Whoever has the turn
    first writes for all of them: a crowd of sends costs a few transactions, not one each.
    """

    def __init__(self, db: Database, sources: Sources, *, epoch: int) -> None:
        self._db = db
        self._sources = sources
        self._epoch = epoch
        self._turn = trio.Lock()
        self._gathering = _Batch()

    async def write(self, outcome: Outcome) -> None:
        """Return once `outcome` is committed.

        Raises:
            Fenced: The lease moved on; nothing was kept.
        """
        batch = self._gathering
        batch.outcomes.append(outcome)
        async with self._turn:
            if batch is self._gathering:
                self._gathering = _Batch()
            if not batch.is_written:
                # In the order of their numbers: two writers that lock rows must not meet crosswise.
                outcomes = sorted(batch.outcomes, key=lambda each: each.outbox_id)
                await self._db.transact(
                    outbox.mark, outcomes, epoch=self._epoch, now=self._sources.now()
                )
                batch.is_written = True
