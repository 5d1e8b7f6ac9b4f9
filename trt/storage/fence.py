"""A view of a database in which a writer whose lease has moved on can commit nothing."""

from collections.abc import Callable
from typing import Concatenate

from typing_extensions import override

from trt.storage import lease
from trt.storage.database import Database, DatabaseStatistics, P, T, Transaction
from trt.storage.errors import Fenced


class FencedDatabase(Database):
    """Checks the lease's epoch inside every transaction, before the work.

    Correct for an engine that runs writing transactions one after the other (SQLite's
    `BEGIN IMMEDIATE`): between the check and the commit nobody can take the lease over. Where
    they run side by side, the check must also lock what it has read.
    """

    def __init__(self, database: Database, lease_name: str, epoch: int) -> None:
        self._database = database
        self._lease_name = lease_name
        self._epoch = epoch

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def checked(tx: Transaction) -> T:
            if not lease.may_write(tx, self._lease_name, epoch=self._epoch):
                raise Fenced(self._lease_name, self._epoch)
            return work(tx, *args, **kwargs)

        return await self._database.transact(checked)

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return FencedDatabase(self, lease_name, epoch)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._database.statistics()
