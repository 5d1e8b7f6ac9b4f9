"""`trt run` as a child of a bench: its configuration, its start, and the lease kept from it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import trio
from attrs import frozen

from trt.actors.lease_terms import LeaseTerms
from trt.assets import asset
from trt.bench.children import (
    LOOPBACK,
    READY_WITHIN_S,
    RECEIVE_BYTES,
    ChildFailed,
    child,
    free_port,
    last_words,
)
from trt.bench.flow_service import Usage
from trt.bench.load import LoadOrder
from trt.config import Config, ConfigProblems, read_config
from trt.sources import Sources
from trt.storage import lease
from trt.storage.engines import SQLiteAddress
from trt.storage.migrate import migrate
from trt.storage.sqlite import open_sqlite

LOOK_EVERY_S = 0.05
LEASE_S = 3600.0
"""Longer than any bench."""


@frozen(kw_only=True)
class Place:
    """Where one service under test lives."""

    environment: Mapping[str, str]
    config: Config
    said: Path

    @property
    def database_path(self) -> Path:
        """The file that the service keeps everything in."""
        assert isinstance(self.config.database, SQLiteAddress)
        return self.config.database.path

    def order(
        self, *, connections: int, users: int, seconds: float, rate_per_s: float | None = None
    ) -> LoadOrder:
        """Return a load for this service; the first one that it gets."""
        return LoadOrder(
            port=self.config.port,
            path=self.config.webhook_path,
            secret_token=self.config.webhook_secret_token.reveal(),
            connections=connections,
            users=users,
            number_first=0,
            seconds=seconds,
            rate_per_s=rate_per_s,
        )


def place(folder: Path, telegram_port: int, kie_port: int | None = None) -> Place:
    """Return a configuration in a fresh folder, in which nothing points outside this machine.

    Without a `kie_port`, KIE's calls go where Telegram's go: to somebody who answers no order.
    """
    kie = f"http://{LOOPBACK}:{telegram_port if kie_port is None else kie_port}"
    port = free_port()
    environment = {
        "TELEGRAM_BOT_TOKEN": "100000002:bench-token-that-opens-nothing-at-all",
        "KIE_API_KEY": "bench-key",
        "HOST": LOOPBACK,
        "PORT": str(port),
        "WEBHOOK_BASE_URL": f"http://{LOOPBACK}:{port}",
        "TELEGRAM_API_BASE": f"http://{LOOPBACK}:{telegram_port}",
        "KIE_API_BASE": kie,
        "KIE_UPLOAD_BASE": kie,
        "DATA_DIR": str(folder),
        "LOG_LEVEL": "WARNING",
        "USD_TO_RUB": "78.0",
    }
    config = read_config(environment)
    assert not isinstance(config, ConfigProblems), config
    return Place(environment=environment, config=config, said=folder / "service.log")


@asynccontextmanager
async def service(at: Place) -> AsyncIterator[trio.Process]:
    """Run `trt run` and wait until it takes updates.

    Raises:
        ChildFailed: It ended, or was not ready in time.
    """
    async with child(["trt", "run"], at.said, environment=at.environment) as process:
        await wait_ready(at, process)
        yield process


async def wait_ready(at: Place, process: trio.Process) -> None:
    """Return once the service says that it is ready.

    Raises:
        ChildFailed: It ended, or was not ready in time.
    """
    with trio.move_on_after(READY_WITHIN_S):
        async with httpx.AsyncClient(timeout=5.0) as http:
            while process.poll() is None:
                if await _is_ready(http, at):
                    return
                await trio.sleep(LOOK_EVERY_S)
    raise ChildFailed(f"The service did not become ready:\n{last_words(at.said)}")


async def _is_ready(http: httpx.AsyncClient, at: Place) -> bool:
    try:
        answer = await http.get(f"http://{LOOPBACK}:{at.config.port}/readyz")
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


async def take_lease(at: Place, sources: Sources) -> None:
    """Hold the lease in the place of a service, so that it accepts updates and handles none."""
    path = at.database_path
    migrate(SQLiteAddress(path), asset("migrations"), now=sources.now())
    async with open_sqlite(path, now=sources.now) as db:
        taken = await db.transact(
            lease.acquire, LeaseTerms().name, holder="bench", pid=0, ttl_s=LEASE_S
        )
    assert isinstance(taken, lease.Acquired), "a fresh database has no holder"


async def ask_usage(process: trio.Process, at: Place) -> Usage:
    """Ask a service that `flow_service` runs what it has used so far.

    Raises:
        ChildFailed: It has ended.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    await process.stdin.send_all(b"usage\n")
    answer = b""
    while not answer.endswith(b"\n"):
        arrived = await process.stdout.receive_some(RECEIVE_BYTES)
        if not arrived:
            raise ChildFailed(f"The service ended:\n{last_words(at.said)}")
        answer += arrived
    return msgspec.json.decode(answer, type=Usage)
