"""The world: the real service between a pretended Telegram and a pretended KIE."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import define, field, frozen

from trt.actors.lease_terms import LeaseTerms
from trt.actors.parts import Limits
from trt.app import App, Surroundings, build_app
from trt.assets import asset
from trt.config import Config, ConfigProblems, read_config
from trt.domain.ids import Cid, Shard, UserId
from trt.domain.ledger import Balance
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_chat import Tap, TapMade
from trt.sandbox.telegram_rates import REAL_LIMITS
from trt.sandbox.telegram_rates import Limits as TelegramLimits
from trt.sandbox.telegram_server import FakeTelegram
from trt.storage import app_events, books, installation, lease, ledger
from trt.storage.app_events import AppEvent
from trt.storage.database import Database, Row
from trt.storage.engines import Storage, no_seats
from trt.storage.lease_store import DatabaseLeaseStore
from trt.storage.migrate_sqlite import migrate_sqlite
from trt.storage.sqlite import InlineSQLiteDatabase
from trt.storage.sqlite_connection import connect
from trt.telemetry.events import Event, EventName
from trt.testing.network import InProcessListener, InProcessNetwork
from trt.testing.trouble import Trouble, TroubledDatabase
from trt.testing.virtual_time import VirtualSources
from trt.testing.wake_bus import NotifyingDatabase, WakeBus
from trt.web.http import ASGIApp

BOT_HOST = "bot.test"
BOT_TOKEN = "123456789:AAcanary-token-for-the-pretended-bot"  # noqa: S105 - a canary
KIE_KEY = "canary-kie-key-0123456789"

ENVIRONMENT: Mapping[str, str] = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "KIE_API_KEY": KIE_KEY,
    "WEBHOOK_BASE_URL": f"https://{BOT_HOST}",
    "TELEGRAM_API_BASE": "https://telegram.test",
    "KIE_API_BASE": "https://kie.test",
    "KIE_UPLOAD_BASE": "https://kie.test",
    "WELCOME_BALANCE_RUB": "100",
    "USD_TO_RUB": "78.0",
}


ANSWER_S_MAX = 1.0
"""The promise: no spinner turns longer than this once Telegram has delivered the tap."""


@frozen(kw_only=True, eq=False)
class Instance:
    """One running process of the service."""

    app: App
    site: ASGIApp
    """What it serves; at the bot's address only while posts are led to it."""
    trouble: Trouble
    """What befalls its transactions."""
    lease_trouble: Trouble
    """What befalls its looks at the lease, and its heartbeat."""
    ended: trio.Event

    def leads(self, shard: int = 0) -> bool:
        """Return whether it is the active one."""
        return self.app.vitals().locks[shard].view.state == "ACTIVE"

    async def stop(self) -> None:
        """Stop it in order, as SIGTERM does, and wait for its end."""
        self.app.stop()
        await self.ended.wait()


@define
class World:
    """One story's world; everything in it is in virtual time."""

    config: Config
    sources: VirtualSources
    network: InProcessNetwork
    http: httpx.AsyncClient
    telegram: FakeTelegram
    kie: FakeKIE
    db: Database
    bus: WakeBus
    """What carries notifications between its instances."""
    limits: Limits
    lease_terms: LeaseTerms
    nursery: trio.Nursery
    registry: Path = field(factory=partial(asset, "registry"))
    """What the next instance sells from."""
    events: list[Event] = field(factory=list)
    """Every event of every app that ran in this world."""
    instances: list[Instance] = field(factory=list)
    taps: list[Tap] = field(factory=list)
    """Every press of a button, oldest first."""

    @property
    def bot(self) -> Instance:
        """The instance that was started last."""
        return self.instances[-1]

    async def start(self, host: str = BOT_HOST) -> Instance:
        """Start another instance of the service on the same database; returns when it is ready.

        It answers at `host` from now on, as after the switch of a rolling deploy.
        """
        trouble, lease_trouble = Trouble(), Trouble()
        sites: list[ASGIApp] = []

        def listener(site: ASGIApp) -> InProcessListener:
            sites.append(site)
            return InProcessListener(self.network, host, site)

        db = TroubledDatabase(self.db, trouble)
        lease_db = TroubledDatabase(self.db, lease_trouble)
        app = build_app(
            self.config,
            Surroundings(
                sources=self.sources,
                storage=Storage(
                    db=db,
                    ingress_db=db,
                    lease_store=DatabaseLeaseStore(lease_db, lease_db.transact),
                    wake_source=self.bus,
                    engine="sqlite",
                    is_pooled=False,
                    at_work_max=8,
                    open_seats=no_seats,
                ),
                holder=self.sources.token(16),
                telegram_http=self.http,
                kie_http=self.http,
                listener=listener,
                taps=(self.events.append,),
                limits=self.limits,
                lease_terms=self.lease_terms,
                registry=self.registry,
            ),
        )
        instance = Instance(
            app=app,
            site=sites[0],
            trouble=trouble,
            lease_trouble=lease_trouble,
            ended=trio.Event(),
        )
        self.instances.append(instance)

        async def run(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - the app tells
            try:
                await app.run(task_status=task_status)
            finally:
                instance.ended.set()

        await self.nursery.start(run)
        return instance

    async def depose(self, shard: int = 0) -> None:
        """Take a lease away from its holder, as an operator may."""
        terms = self.lease_terms.of(Shard(shard))
        held = await self.db.transact(lease.read, terms.name)
        assert held is not None
        assert await self.db.transact(lease.depose, terms.name, epoch=held.epoch)

    def lead_posts_to(self, instance: Instance) -> None:
        """Let Telegram's and KIE's posts reach this instance from now on."""
        self.network.apps[BOT_HOST] = instance.site

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        """Post to the webhook with the right secrets, unless `headers` say otherwise."""
        known = {
            "content-type": "application/json",
            "x-telegram-bot-api-secret-token": self.config.webhook_secret_token.reveal(),
        }
        url = f"https://{BOT_HOST}{self.config.webhook_path}"
        return await self.http.post(url, content=body, headers=known | headers)

    async def settled(self, seconds: float = 30.0) -> None:
        """Let virtual time pass, so that everything that is under way comes to its end."""
        await trio.sleep(seconds)

    def told(self, name: EventName, **fields: Any) -> list[Event]:
        """Return the events of a name that carry these fields."""
        return [
            event
            for event in self.events
            if event.name is name
            and all(event.fields.get(key) == value for key, value in fields.items())
        ]

    async def balance(self, user_id: int) -> Balance:
        """Return a user's money."""
        return await self.db.transact(ledger.balance, UserId(user_id))

    async def trace(self, cid: Cid) -> list[AppEvent]:
        """Return the stored story of one correlation id."""
        return await self.db.transact(app_events.of_cid, cid)

    async def watch_taps(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Note every press of a button, until cancelled."""
        with self.telegram.subscribe() as changes:
            task_status.started()
            async for change in changes:
                if isinstance(change, TapMade):
                    self.taps.append(change.tap)

    async def rows(self, sql: str, **parameters: object) -> list[Row]:
        """Return what a SELECT finds."""
        return list(await self.db.transact(lambda tx: tx.execute(sql, parameters)))

    async def check_books(self) -> None:
        """Recompute every balance from the transfers."""
        audit = await self.db.transact(books.audit)
        assert audit.is_balanced, audit.problems

    def check_taps(self) -> None:
        """Assert that each tap was answered within its second, counted from its delivery."""
        now_s, now = trio.current_time(), self.sources.now()
        for tap in self.taps:
            delivered_at = self.telegram.update(tap.update_id).delivered_at
            if delivered_at is None:
                continue  # we never said that we had it: Telegram still keeps it, or let it go
            delivered_s = now_s - (now - delivered_at).total_seconds()
            answer = self.telegram.user(tap.user_id).answer(tap)
            late_s = (now_s if answer is None else tap.tapped_at + answer.after_s) - delivered_s
            assert late_s <= ANSWER_S_MAX + 1e-3, f"{tap} was delivered, and spun for {late_s} s"


@asynccontextmanager
async def world(
    *,
    seed: int = 0,
    environment: Mapping[str, str] | None = None,
    kie: KIEOptions | None = None,
    telegram_limits: TelegramLimits = REAL_LIMITS,
    limits: Limits | None = None,
    lease_terms: LeaseTerms | None = None,
    checks_taps: bool = True,
) -> AsyncIterator[World]:
    """Open a world with one running instance of the service.

    At the end the books must balance, every delivered tap must have been answered in time (unless
    `checks_taps` is False: a story in which Telegram itself is slow), and all must stop in order.
    """
    config = read_config({**ENVIRONMENT, **(environment or {})})
    assert not isinstance(config, ConfigProblems), config
    sources, network = VirtualSources(seed), InProcessNetwork()
    connection = connect(":memory:")
    migrate_sqlite(connection, asset("migrations") / "sqlite", now=sources.now())
    bus = WakeBus()
    db = NotifyingDatabase(InlineSQLiteDatabase(connection, sources.now), bus)
    await db.transact(installation.settle, shards=config.shards)
    async with httpx.AsyncClient(transport=network) as http, trio.open_nursery() as nursery:
        telegram = FakeTelegram(sources, token=BOT_TOKEN, http=http, limits=telegram_limits)
        fake_kie = FakeKIE(
            sources, key=KIE_KEY, http=http, base_url="https://kie.test", options=kie
        )
        network.apps |= {"telegram.test": telegram.app, "kie.test": fake_kie.app}
        await nursery.start(telegram.run)
        await nursery.start(fake_kie.run)
        made = World(
            config=config,
            sources=sources,
            network=network,
            http=http,
            telegram=telegram,
            kie=fake_kie,
            db=db,
            bus=bus,
            limits=limits or Limits(),
            lease_terms=lease_terms or LeaseTerms(),
            nursery=nursery,
        )
        await nursery.start(made.watch_taps)
        await made.start()
        yield made
        await made.check_books()
        if checks_taps:
            made.check_taps()
        for instance in reversed(made.instances):
            await instance.stop()
            assert not instance.app.tree.unstopped, instance.app.tree.unstopped
        nursery.cancel_scope.cancel()
    connection.close()
