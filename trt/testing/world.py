"""The world: the real service between a pretended Telegram and a pretended KIE."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from attrs import define, field

from trt.actors.lock_keeper import LeaseTerms
from trt.actors.parts import Limits
from trt.app import App, Surroundings, build_app
from trt.assets import asset
from trt.config import Config, ConfigProblems, read_config
from trt.domain.ids import Cid, UserId
from trt.domain.ledger import Balance
from trt.sandbox.kie_script import KIEOptions
from trt.sandbox.kie_server import FakeKIE
from trt.sandbox.telegram_rates import REAL_LIMITS
from trt.sandbox.telegram_rates import Limits as TelegramLimits
from trt.sandbox.telegram_server import FakeTelegram
from trt.storage import app_events, ledger
from trt.storage.app_events import AppEvent
from trt.storage.database import Database
from trt.storage.migrate import migrate
from trt.storage.sqlite import InlineSQLiteDatabase
from trt.storage.sqlite_connection import connect
from trt.telemetry.events import Event, EventName
from trt.testing.network import InProcessListener, InProcessNetwork
from trt.testing.virtual_time import VirtualSources

BOT_HOST = "bot.test"
BOT_TOKEN = "123456789:AAcanary-token-for-the-pretended-bot"  # noqa: S105 - a canary
KIE_KEY = "canary-kie-key-0123456789"

ENVIRONMENT: Mapping[str, str] = {
    "TELEGRAM_BOT_TOKEN": BOT_TOKEN,
    "KIE_API_KEY": KIE_KEY,
    "WEBHOOK_BASE_URL": f"https://{BOT_HOST}",
    "TELEGRAM_API_BASE": "https://telegram.test",
    "KIE_API_BASE": "https://kie.test",
    "WELCOME_BALANCE_RUB": "100",
    "USD_TO_RUB": "78.0",
}


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
    limits: Limits
    lease_terms: LeaseTerms
    nursery: trio.Nursery
    events: list[Event] = field(factory=list)
    """Every event of every app that ran in this world."""
    apps: list[App] = field(factory=list)
    _ended: dict[App, trio.Event] = field(factory=dict)

    @property
    def app(self) -> App:
        """The app that was started last."""
        return self.apps[-1]

    async def start_app(self, host: str = BOT_HOST) -> App:
        """Start another instance of the service; returns when it is ready."""
        app = build_app(
            self.config,
            Surroundings(
                sources=self.sources,
                db=self.db,
                lease_db=self.db,
                http=self.http,
                listener=lambda site: InProcessListener(self.network, host, site),
                taps=(self.events.append,),
                limits=self.limits,
                lease_terms=self.lease_terms,
            ),
        )
        self.apps.append(app)
        ended = self._ended[app] = trio.Event()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            try:
                await app.run(task_status=task_status)
            finally:
                ended.set()

        await self.nursery.start(run)
        return app

    async def stop_app(self) -> None:
        """Stop the last app in order, as SIGTERM does, and wait for its end."""
        self.app.stop()
        await self._ended[self.app].wait()

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

    async def check_books(self) -> None:
        """Recompute every balance from the transfers."""
        audit = await self.db.transact(ledger.audit)
        assert audit.is_balanced, audit.problems


@asynccontextmanager
async def world(
    *,
    seed: int = 0,
    environment: Mapping[str, str] | None = None,
    kie: KIEOptions | None = None,
    telegram_limits: TelegramLimits = REAL_LIMITS,
    limits: Limits | None = None,
    lease_terms: LeaseTerms | None = None,
) -> AsyncIterator[World]:
    """Open a world with one running instance of the service; the books are checked at the end."""
    config = read_config({**ENVIRONMENT, **(environment or {})})
    assert not isinstance(config, ConfigProblems), config
    sources, network = VirtualSources(seed), InProcessNetwork()
    connection = connect(":memory:")
    migrate(connection, asset("migrations") / "sqlite", now=sources.now())
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
            db=InlineSQLiteDatabase(connection),
            limits=limits or Limits(),
            lease_terms=lease_terms or LeaseTerms(),
            nursery=nursery,
        )
        await made.start_app()
        yield made
        await made.check_books()
        await made.stop_app()
        assert not made.app.tree.unstopped, made.app.tree.unstopped
        nursery.cancel_scope.cancel()
    connection.close()
