"""The lease as the lock keeper talks to it: on a connection of its own, never behind work."""

from typing import Protocol

from typing_extensions import override

from trt.storage import lease
from trt.storage.database import Database, Read
from trt.storage.lease import Acquired, HeldBy
from trt.storage.lease_row import LeaseRow


class LeaseStore(Protocol):
    """The lease in the database; a call changes all or nothing and raises `DatabaseUnavailable`."""

    async def acquire(self, name: str, *, holder: str, pid: int, ttl_s: float) -> Acquired | HeldBy:
        """Take the lease if it may be taken; the living holder that asks again only extends it.

        As long as somebody else has it, asking only reads and stands in nobody's way.

        Args:
            name: Which lease.
            holder: This incarnation of the process.
            pid: For the operator's eyes only.
            ttl_s: How long the lease lasts without a renewal.
        """
        ...

    async def renew(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow | None:
        """Extend the lease to `ttl_s` from now; None when it is no longer ours."""
        ...

    async def release(self, name: str, *, holder: str, epoch: int) -> bool:
        """Give the lease up and wake who waits for it; False when it was no longer ours."""
        ...

    async def depose(self, name: str, *, epoch: int) -> bool:
        """Take the lease away at an operator's word, who has seen it held under this epoch.

        False when it is not any more. Its holder can commit nothing from now on, and finds out
        with its next renewal.
        """
        ...

    async def read(self, name: str) -> LeaseRow | None:
        """Return the lease, or None when nobody ever held it."""
        ...


class DatabaseLeaseStore(LeaseStore):
    """The lease in any database, with nothing but its row: who goes silent loses it by expiry.

    Nobody tells a waiting instance that the lease is free, so it looks often; a look only reads.
    """

    def __init__(self, database: Database, read: Read) -> None:
        self._database = database
        self._read = read

    @override
    async def acquire(self, name: str, *, holder: str, pid: int, ttl_s: float) -> Acquired | HeldBy:
        standing = await self.read(name)
        if (
            standing is not None
            and standing.holder != holder
            and lease.why_free(standing, is_holder_gone=False) is None
        ):
            return HeldBy(standing)
        return await self._database.transact(
            lease.acquire, name, holder=holder, pid=pid, ttl_s=ttl_s
        )

    @override
    async def renew(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow | None:
        return await self._database.transact(
            lease.renew, name, holder=holder, epoch=epoch, ttl_s=ttl_s
        )

    @override
    async def release(self, name: str, *, holder: str, epoch: int) -> bool:
        return await self._database.transact(lease.release, name, holder=holder, epoch=epoch)

    @override
    async def depose(self, name: str, *, epoch: int) -> bool:
        return await self._database.transact(lease.depose, name, epoch=epoch)

    @override
    async def read(self, name: str) -> LeaseRow | None:
        return await self._read(lease.read, name)
