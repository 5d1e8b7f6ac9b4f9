"""Misfortunes between one instance and its database: transactions that wait, fail or seem to."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Concatenate

import trio
from attrs import Factory, define
from typing_extensions import override

from trt.storage.database import Database, DatabaseStatistics, P, T, Transaction


class When(StrEnum):
    """At which moment of a transaction the error comes."""

    BEFORE = "before"
    """Nothing is done."""
    INSIDE = "inside"
    """The work is done, and all of it has to be rolled back."""
    COMMITTED = "committed"
    """It is committed, but its caller never learns of it."""


@define
class _Ordered:
    work: str | None
    error: Exception
    when: When
    times: int


@define
class Trouble:
    """What was ordered for one instance; a work is named as its function is (`handle`, `store`)."""

    _ordered: list[_Ordered] = Factory(list)
    _gates: dict[str | None, trio.Event] = Factory(dict)
    waiting: int = 0
    """How many transactions wait at a gate."""

    def fail(
        self, work: str | None, error: Exception, *, when: When = When.INSIDE, times: int = 1
    ) -> None:
        """Let the next `times` transactions of `work` (None: of any) raise `error`."""
        assert times > 0
        self._ordered.append(_Ordered(work, error, when, times))

    def hold(self, work: str | None) -> None:
        """Let every transaction of `work` (None: of any) wait before it begins."""
        self._gates.setdefault(work, trio.Event())

    def release(self, work: str | None) -> None:
        """Let them go on."""
        self._gates.pop(work).set()

    def clear(self) -> None:
        """Forget what was ordered to fail."""
        self._ordered.clear()

    def take(self, work: str) -> _Ordered | None:
        """Return what must befall a transaction of `work`, and count it as used."""
        for order in self._ordered:
            if order.work in {None, work}:
                order.times -= 1
                if order.times == 0:
                    self._ordered.remove(order)
                return order
        return None

    async def wait_turn(self, work: str) -> None:
        """Wait while a gate is closed for `work`."""
        while (gate := self._gates.get(work, self._gates.get(None))) is not None:
            self.waiting += 1
            try:
                await gate.wait()
            finally:
                self.waiting -= 1


class TroubledDatabase(Database):
    """The database as one instance reaches it."""

    def __init__(self, db: Database, trouble: Trouble) -> None:
        self._db = db
        self._trouble = trouble

    @override
    async def transact(
        self, work: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        name = getattr(work, "__name__", type(work).__name__)
        await self._trouble.wait_turn(name)
        order = self._trouble.take(name)
        if order is None:
            return await self._db.transact(work, *args, **kwargs)
        if order.when is When.INSIDE:
            await self._db.transact(_then_raise(work, order.error), *args, **kwargs)
        elif order.when is When.COMMITTED:
            await self._db.transact(work, *args, **kwargs)
        raise order.error

    @override
    def fenced(self, lease_name: str, epoch: int) -> Database:
        return TroubledDatabase(self._db.fenced(lease_name, epoch), self._trouble)

    @override
    def statistics(self) -> DatabaseStatistics:
        return self._db.statistics()


def _then_raise(
    work: Callable[Concatenate[Transaction, P], T], error: Exception
) -> Callable[Concatenate[Transaction, P], T]:
    def failing(tx: Transaction, /, *args: Any, **kwargs: Any) -> T:
        work(tx, *args, **kwargs)
        raise error

    return failing
