"""The database that both instances of `trt bench failover` share, and the way to it."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from attrs import frozen
from typing_extensions import override

from trt.secret import Secret
from trt.sources import Sources
from trt.storage.database import Database
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress
from trt.storage.postgres import open_postgres
from trt.storage.sqlite import open_sqlite
from trt.testing.postgres_server import PostgresServer, open_postgres_server
from trt.testing.tcp_proxy import TcpProxy, open_tcp_proxy

ENGINES = ("postgres", "sqlite")


class SharedDatabase(Protocol):
    """What the bench needs of an engine."""

    @property
    def engine(self) -> str:
        """Return the engine's name."""
        ...

    @property
    def address(self) -> DatabaseAddress:
        """Return where it is, past every cut."""
        ...

    @property
    def tells_standby(self) -> bool:
        """Whether a server tells the standby at once that an instance is gone."""
        ...

    @property
    def can_be_cut(self) -> bool:
        """Whether there is something between the instances and the database that `cut` stops."""
        ...

    def environment(self, seat: int) -> Mapping[str, str]:
        """Return the variables that lead the instance in this seat to the database."""
        ...

    def open(self) -> AbstractAsyncContextManager[Database]:
        """Open it for looking, past every cut."""
        ...

    def cut(self, seat: int, *, is_half_open: bool) -> None:
        """Let nothing through between an instance and the database any more.

        Args:
            seat: Whose connections.
            is_half_open: Let what the instance sends arrive, and only no answer come back.
        """
        ...

    def mend(self, seat: int) -> None:
        """Let new connections through again; the old ones are gone."""
        ...


@frozen(kw_only=True)
class SQLiteFile(SharedDatabase):
    """One file on this machine; nothing can come between it and a process."""

    path: Path
    sources: Sources

    @property
    @override
    def engine(self) -> str:
        return "SQLite"

    @property
    @override
    def address(self) -> DatabaseAddress:
        return SQLiteAddress(self.path)

    @property
    @override
    def tells_standby(self) -> bool:
        return False

    @property
    @override
    def can_be_cut(self) -> bool:
        return False

    @override
    def environment(self, seat: int) -> Mapping[str, str]:
        return {"DATABASE_URL": f"sqlite:///{self.path}"}

    @override
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Database]:
        async with open_sqlite(self.path, now=self.sources.now) as db:
            yield db

    @override
    def cut(self, seat: int, *, is_half_open: bool) -> None:
        raise AssertionError("there is no network to a file")

    @override
    def mend(self, seat: int) -> None:
        raise AssertionError("there is no network to a file")


@frozen(kw_only=True)
class PostgresDatabase(SharedDatabase):
    """A database of a server on this machine."""

    server: PostgresServer
    name: str
    proxies: Sequence[TcpProxy]
    """One per seat, or none: each word that goes through one costs time of this process."""
    pooler_port: int | None = None
    """Where the instances reach a pooler instead of the server."""

    @property
    @override
    def engine(self) -> str:
        return "PostgreSQL"

    @property
    @override
    def address(self) -> DatabaseAddress:
        return PostgresAddress(Secret(self.server.url(self.name)))

    @property
    @override
    def tells_standby(self) -> bool:
        return self.pooler_port is None

    @property
    @override
    def can_be_cut(self) -> bool:
        return bool(self.proxies)

    @override
    def environment(self, seat: int) -> Mapping[str, str]:
        port = self.proxies[seat].port if self.proxies else self.pooler_port
        return {"DATABASE_URL": self.server.url(self.name, port=port)}

    @override
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Database]:
        async with open_postgres(self.server.url(self.name), pool_max=1) as db:
            yield db

    @override
    def cut(self, seat: int, *, is_half_open: bool) -> None:
        if is_half_open:
            self.proxies[seat].cut("to_client")
        else:
            self.proxies[seat].cut()

    @override
    def mend(self, seat: int) -> None:
        self.proxies[seat].reset()  # with a hole in what was said, they are of no use
        self.proxies[seat].heal()


@contextmanager
def shared_database(
    engine: str, folder: Path, sources: Sources, *, can_be_cut: bool
) -> Iterator[SharedDatabase]:
    """Make an empty database; it is gone afterwards.

    Args:
        engine: One of `ENGINES`; "postgres" starts a server that waits for the disk.
        folder: Where a file may be put.
        sources: Time.
        can_be_cut: Whether each instance shall be connected through a proxy, where possible.
    """
    if engine == "sqlite":
        yield SQLiteFile(path=folder / "trt.sqlite3", sources=sources)
        return
    with (
        open_postgres_server(is_durable=True) as server,
        postgres_database(server, can_be_cut=can_be_cut) as database,
    ):
        yield database


@contextmanager
def postgres_database(server: PostgresServer, *, can_be_cut: bool) -> Iterator[PostgresDatabase]:
    """Make an empty database on a server, with a proxy for each seat; all are gone afterwards."""
    with ExitStack() as stack:
        url = stack.enter_context(server.fresh_database())
        seats = range(2 if can_be_cut else 0)
        proxies = [stack.enter_context(open_tcp_proxy(server.port)) for _ in seats]
        name = urlsplit(url).path.removeprefix("/")
        yield PostgresDatabase(server=server, name=name, proxies=proxies)
