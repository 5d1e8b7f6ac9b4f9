"""The database as the active branch sees it: fenced by the lease, patient with a stalled engine."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import trio
from typing_extensions import override

from trt.actors.held import Held
from trt.storage.database import Database, DatabaseStatistics, Transaction
from trt.storage.errors import DatabaseUnavailable, Fenced

P = ParamSpec("P")
T = TypeVar("T")

PAUSE_S_FIRST = 0.1
PAUSE_S_MAX = 2.0


class LeasedDatabase(Database):
    """Refuses work once the lease has moved on, and waits while the database is unavailable.

    Waiting is the branch's answer to a stall: the updates are in the inbox, nothing is lost, and
    restarting actors would mend nothing. When the lease does not outlast the stall, the leash ends
    the waiting. A refused epoch ends the lease at once, and cuts off whoever was refused.
    """

    def __init__(self, db: Database, held: Held, lease_name: str) -> None:
        self._db = db.fenced(lease_name, held.epoch)
        self._held = held

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        pause_s = PAUSE_S_FIRST
        while True:
            try:
                return await self._db.transact(work, *args, **kwargs)
            except Fenced:
                self._held.lose_to_another("its epoch was refused")
                await trio.lowlevel.checkpoint()  # noqa: ASYNC120 - a leash ends here
                raise
            except DatabaseUnavailable:
                pass
            await trio.sleep(pause_s)
            pause_s = min(PAUSE_S_MAX, pause_s * 2)

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return self._db.fenced(lease_name, epoch)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._db.statistics()
