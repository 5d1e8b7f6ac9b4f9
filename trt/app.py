"""The composition root: opens everything, builds the tree, yields one `App`."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import trio
from attrs import field, frozen

from trt.actors.callback_ingress import Store
from trt.actors.door import Door
from trt.actors.event_log import EventLog, EventTap
from trt.actors.handling import Shop
from trt.actors.ingress_channel import IngressChannel
from trt.actors.lock_keeper import LeaseTerms, LockView
from trt.actors.metrics import MetricsActor, MetricsTap
from trt.actors.parts import CallbackChannel, Limits, Mailboxes, Parts
from trt.actors.reception import Reception
from trt.actors.tree import tree
from trt.actors.tree_events import tell
from trt.actors.update_ingress import Accept
from trt.actors.webhook_keeper import WebhookAddress
from trt.assets import asset
from trt.catalog.copy_loader import load_copies
from trt.catalog.loader import load_catalogue
from trt.catalog.pricing import Tariff
from trt.catalog.problems import RegistryProblems
from trt.config import BotMode, Config, PassiveMode
from trt.domain.ids import BotId, JobId, Shard
from trt.kie.callbacks import sign
from trt.kie.client import KIEClient
from trt.secret import Secret
from trt.sources import Sources
from trt.storage.database import Database
from trt.storage.migrate import migrate
from trt.storage.sqlite import open_sqlite
from trt.supervision import Actor, Mailbox, Tree
from trt.telegram.client import TelegramClient
from trt.telemetry.events import Event
from trt.telemetry.stream import EventStream, Tap
from trt.web.callbacks import Callbacks
from trt.web.health import Vitals
from trt.web.http import ASGIApp
from trt.web.listener import Listener, bind
from trt.web.site import site
from trt.web.webhook import Webhook

SHARD = Shard(0)


class RegistryBroken(Exception):  # noqa: N818 - an operating error that names every problem
    """The registry cannot be sold from; the message names each file, field and mend."""


@frozen(kw_only=True)
class Surroundings:
    """What an `App` stands on: opened before it, closed after it."""

    sources: Sources
    db: Database
    lease_db: Database
    http: httpx.AsyncClient
    listener: Callable[[ASGIApp], Actor[None]]
    taps: Sequence[Tap] = ()
    """Who else wants every event: tests."""
    limits: Limits = field(factory=Limits)
    lease_terms: LeaseTerms = field(factory=LeaseTerms)


@frozen(kw_only=True, eq=False)
class App:
    """The whole service, ready to run."""

    parts: Parts
    tree: Tree
    vitals: Callable[[], Vitals]

    async def run(  # noqa: ASYNC128 - the tree reports its readiness
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until `stop()`; raises when the root's restart budget is spent."""
        await self.tree.run(task_status=task_status)

    def stop(self) -> None:
        """Ask for an ordered stop: no new posts, finish what is in hand, release the lease."""
        self.tree.request_stop()


def build_app(config: Config, on: Surroundings) -> App:
    """Put the service together.

    Raises:
        RegistryBroken: A model's data is wrong.
    """
    event_box, metrics_box = Mailbox[Event]("event_log", 8192), Mailbox[Event]("metrics", 8192)
    taps: tuple[Tap, ...] = (EventTap(event_box.ref), MetricsTap(metrics_box.ref), *on.taps)
    events = EventStream(on.sources, taps)
    ingress_box = Mailbox[Accept]("update_ingress", on.limits.ingress_mailbox)
    ingress = IngressChannel(on.limits.ingress_channel)
    wake_ups = trio.open_memory_channel[JobId](256)
    reception = Reception(bot_id=BotId(config.bot_id), shard=SHARD, sources=on.sources)
    door, lock_view, metrics = Door(), LockView(), MetricsActor()
    callback_box = Mailbox[Store]("callback_ingress", 128)
    is_webhook = config.bot_mode is BotMode.WEBHOOK
    running: list[Tree] = []

    def vitals() -> Vitals:
        return Vitals(
            now=on.sources.now(),
            now_s=trio.current_time(),
            tree=running[0].snapshot(),
            channels=(ingress.statistics(),),
            lock=lock_view,
            totals=metrics.totals,
            is_draining=not door.is_open,
        )

    webhook = Webhook(
        secret_path=config.webhook_secret_path,
        secret_token=config.webhook_secret_token,
        door=door,
        ingress=ingress_box.ref,
        receive=reception.receive,
        events=events,
        accept_within_s=on.limits.accept_within_s,
    )
    callbacks = Callbacks(
        prefix=f"/{config.kie_callback_path}/",
        signing_key=config.kie_callback_token,
        hmac_key=config.kie_hmac_key,
        door=door,
        ingress=callback_box.ref,
        events=events,
    )
    application = site(
        webhook=webhook if is_webhook else None,
        callbacks=callbacks,
        vitals=vitals,
        metrics=metrics.render,
    )
    parts = Parts(
        db=on.db,
        lease_db=on.lease_db,
        sources=on.sources,
        events=events,
        telegram=TelegramClient(on.http, config.telegram_api_base, config.bot_token.reveal()),
        kie=KIEClient(
            on.http, config.kie_api_base, config.kie_api_key.reveal(), config.kie_result_hosts
        ),
        shop=load_shop(config),
        reception=reception,
        ingress=ingress,
        callbacks=CallbackChannel(send=wake_ups[0], receive=wake_ups[1]),
        mailboxes=Mailboxes(
            event_log=event_box,
            metrics=metrics_box,
            update_ingress=ingress_box,
            callback_ingress=callback_box,
        ),
        event_log=EventLog(on.db, on.sources),
        metrics=metrics,
        door=door,
        lock_view=lock_view,
        lease_terms=on.lease_terms,
        limits=on.limits,
        holder=on.sources.token(16),
        pid=os.getpid(),
        submit_grace_s=config.submit_grace_s,
        refuses_when_passive=config.passive_mode is PassiveMode.REJECT,
        callback_url=lambda job_id: callback_url(config, job_id),
        webhook=_webhook_address(config) if is_webhook else None,
        listener=on.listener(application),
    )
    running.append(Tree(tree(parts), on_event=lambda event: tell(events, event)))
    return App(parts=parts, tree=running[0], vitals=vitals)


def callback_url(config: Config, job_id: JobId) -> str | None:
    """Return where KIE shall call back about a job; our id and signature travel in it."""
    if not config.webhook_base_url:
        return None
    signature = sign(config.kie_callback_token.reveal().encode(), job_id)
    return f"{config.webhook_base_url}/{config.kie_callback_path}/{job_id}/{signature}"


def _webhook_address(config: Config) -> WebhookAddress:
    return WebhookAddress(
        url=Secret(config.webhook_base_url + config.webhook_path),
        secret_token=config.webhook_secret_token,
    )


def load_shop(config: Config) -> Shop:
    """Load the registry at the configured rate, and the words.

    Raises:
        RegistryBroken: A model's data is wrong; the message names every problem.
    """
    tariff = Tariff(usd_to_rub=config.usd_to_rub, multiplier=config.price_multiplier)
    catalogue = load_catalogue(asset("registry"), tariff)
    if isinstance(catalogue, RegistryProblems):
        raise RegistryBroken(str(catalogue))
    return Shop(
        catalogue=catalogue,
        copies=load_copies(),
        welcome_balance_kopecks=config.welcome_balance_kopecks,
        active_jobs_max=config.active_jobs_max,
    )


@asynccontextmanager
async def open_app(config: Config, sources: Sources) -> AsyncIterator[App]:
    """Open the real surroundings: bind the port, migrate and open the database, build the app.

    Raises:
        CannotBind: The port is taken.
        DatabaseUnopenable, MigrationRefused: The database is not usable as it is.
        RegistryBroken: A model's data is wrong.
    """
    bound = bind(config.host, config.port)
    with bound:
        path = config.database_path
        migrate(path, asset("migrations") / "sqlite", now=sources.now())
        async with (
            open_sqlite(path) as db,
            open_sqlite(path, busy_timeout_s=1.0) as lease_db,
            httpx.AsyncClient(timeout=CONNECT_ONLY, limits=HTTP_LIMITS) as http,
        ):
            yield build_app(
                config,
                Surroundings(
                    sources=sources,
                    db=db,
                    lease_db=lease_db,
                    http=http,
                    # Which server runs the application is this one line.
                    listener=lambda application: Listener(application, bound),
                ),
            )


CONNECT_ONLY = httpx.Timeout(None, connect=10.0)
"""Each call has an overall deadline of its own, by trio's clock."""
HTTP_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50)
