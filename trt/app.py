"""The composition root: opens everything, builds the tree, yields one `App`."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources.abc import Traversable

import httpx
import trio
from attrs import field, frozen

from trt.actors.alarm_board import AlarmBoard
from trt.actors.auditor import BooksView
from trt.actors.bells import Bells
from trt.actors.door import Door
from trt.actors.event_log import EventLog, EventTap
from trt.actors.lease_terms import LeaseTerms
from trt.actors.metrics import MetricsActor, MetricsTap
from trt.actors.open_taps import OpenTaps
from trt.actors.parts import Limits, Mailboxes, Parts, ShardParts
from trt.actors.reception import Reception
from trt.actors.tree import tree
from trt.actors.tree_events import TreeEvents
from trt.actors.update_desk import Shop
from trt.actors.webhook_keeper import WebhookAddress
from trt.assets import asset
from trt.catalog.copy_loader import load_copies
from trt.catalog.loader import load_stock
from trt.catalog.pricing import Tariff
from trt.catalog.problems import RegistryProblems
from trt.config import BotMode, Config, PassiveMode
from trt.domain.ids import BotId, JobId, UserId
from trt.domain.payments import Seal, star_rate
from trt.domain.reasons import Reason
from trt.domain.till import StarsProvider, Till, TransferProvider
from trt.kie.callbacks import sign
from trt.kie.circuit_breaker import BreakerChange, CircuitBreaker
from trt.kie.client import KIEClient
from trt.kie.gate import KIEGate
from trt.secret import Secret
from trt.sources import Sources
from trt.storage.engines import Storage, open_storage
from trt.storage.migrate import migrate
from trt.supervision import Actor, Tree
from trt.telegram.client import TelegramClient
from trt.telemetry.events import EventName
from trt.telemetry.stream import EventStream, Tap
from trt.web.callbacks import Callbacks
from trt.web.health import KIEVitals, LockVitals, Vitals
from trt.web.http import ASGIApp
from trt.web.listener import Listener, bind
from trt.web.site import site
from trt.web.webhook import Webhook


class RegistryBroken(Exception):  # noqa: N818 - an operating error that names every problem
    """The registry cannot be sold from; the message names each file, field and mend."""


@frozen(kw_only=True)
class Surroundings:
    """What an `App` stands on: opened before it, closed after it."""

    sources: Sources
    storage: Storage
    holder: str
    """This incarnation of the process, as the lease names it."""
    telegram_http: httpx.AsyncClient
    kie_http: httpx.AsyncClient
    """Pools of their own: a KIE that hangs must not keep Telegram's calls waiting."""
    listener: Callable[[ASGIApp], Actor[None]]
    taps: Sequence[Tap] = ()
    """Who else wants every event: tests."""
    limits: Limits = field(factory=Limits)
    lease_terms: LeaseTerms | None = None
    """Other than the configured ones: tests."""
    registry: Traversable = field(factory=partial(asset, "registry"))
    """Other than the one that ships: tests."""


@frozen(kw_only=True, eq=False)
class App:
    """The whole service, ready to run."""

    parts: Parts
    tree: Tree
    engine: str
    """What the database runs on: `sqlite` or `postgres`."""
    is_pooled: bool
    tree_events: TreeEvents

    async def run(  # noqa: ASYNC128 - the tree reports its readiness
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run until `stop()`; raises when the root's restart budget is spent."""
        self._tell_blocked()
        try:
            await self.tree.run(task_status=task_status)
        finally:
            self.tree_events.end()

    def _tell_blocked(self) -> None:
        for model in self.parts.shop.blocked:
            self.parts.events.emit(
                EventName.MODEL_BLOCKED,
                model_id=model.model_id,
                reason_code=Reason.PRICING_BLOCKED,
                detail=str(model),
            )

    def stop(self) -> None:
        """Ask for an ordered stop: no new posts, finish what is in hand, release the lease."""
        self.tree.request_stop()

    def vitals(self) -> Vitals:
        """Read what /health is made of."""
        return Vitals(
            now=self.parts.sources.now(),
            now_s=trio.current_time(),
            tree=self.tree.snapshot(),
            locks=tuple(
                LockVitals(shard=at.shard, view=at.lock_view, channel=at.ingress.statistics())
                for at in self.parts.shards
            ),
            engine=self.engine,
            is_pooled=self.is_pooled,
            totals=self.parts.metrics.totals,
            kie=KIEVitals(
                breaker=self.parts.gate.state,
                queue=self.parts.gate.statistics(),
                unknown_states=self.parts.kie.statistics().unknown_states,
            ),
            books=self.parts.books,
            blocked_models=tuple(model.model_id for model in self.parts.shop.blocked),
            is_draining=not self.parts.door.is_open,
        )


def build_app(config: Config, on: Surroundings) -> App:
    """Put the service together.

    Raises:
        RegistryBroken: A model's data is wrong.
    """
    parts = _parts(config, on)
    made: list[App] = []

    def vitals() -> Vitals:
        return made[0].vitals()

    listener = on.listener(_site(config, parts, vitals))
    root, tree_events = tree(parts, listener), TreeEvents(parts.events)
    made.append(
        App(
            parts=parts,
            tree=Tree(root, on_event=tree_events.hear),
            engine=on.storage.engine,
            is_pooled=on.storage.is_pooled,
            tree_events=tree_events,
        )
    )
    return made[0]


def _parts(config: Config, on: Surroundings) -> Parts:
    boxes = Mailboxes.within(on.limits)
    alarms = AlarmBoard()
    taps: tuple[Tap, ...] = (
        EventTap(boxes.event_log.ref),
        MetricsTap(boxes.metrics.ref),
        alarms,
        *on.taps,
    )
    terms = config.lease_terms if on.lease_terms is None else on.lease_terms
    events = EventStream(on.sources, taps)
    kie = KIEClient(
        on.kie_http,
        config.kie_api_base,
        config.kie_api_key.reveal(),
        config.kie_result_hosts,
        upload_base=config.kie_upload_base,
    )
    return Parts(
        db=on.storage.db,
        ingress_db=on.storage.ingress_db,
        leases=on.storage.lease_store,
        wake_source=on.storage.wake_source,
        bells=Bells(),
        sources=on.sources,
        events=events,
        telegram=TelegramClient(
            on.telegram_http, config.telegram_api_base, config.bot_token.reveal()
        ),
        kie=kie,
        gate=KIEGate(
            kie,
            shards=config.shards,
            breaker=CircuitBreaker(on_change=partial(_tell_breaker, events)),
        ),
        shop=load_shop(config, on.registry),
        reception=Reception(bot_id=BotId(config.bot_id), shards=config.shards, sources=on.sources),
        shards=ShardParts.open_all(
            config.shards, terms=terms, ingress_max=on.limits.ingress_channel
        ),
        taps=OpenTaps(),
        mailboxes=boxes,
        event_log=EventLog(on.storage.db, on.sources),
        metrics=MetricsActor(),
        books=BooksView(),
        alarms=alarms,
        door=Door(),
        limits=on.limits,
        at_work_max=on.storage.at_work_max,
        open_seats=on.storage.open_seats,
        holder=on.holder,
        pid=os.getpid(),
        submit_grace_s=config.submit_grace_s,
        refuses_when_passive=config.passive_mode is PassiveMode.REJECT,
        callback_url=lambda job_id: callback_url(config, job_id),
        webhook=_webhook_address(config) if config.bot_mode is BotMode.WEBHOOK else None,
    )


def _tell_breaker(events: EventStream, change: BreakerChange) -> None:
    events.emit(
        EventName.KIE_BREAKER,
        state=change.after,
        state_before=change.before,
        retry_after_s=change.next_trial_s,
    )


def _site(config: Config, parts: Parts, vitals: Callable[[], Vitals]) -> ASGIApp:
    webhook = Webhook(
        secret_path=config.webhook_secret_path,
        secret_token=config.webhook_secret_token,
        door=parts.door,
        ingress=parts.mailboxes.update_ingress.ref,
        receive=parts.reception.receive,
        events=parts.events,
        accept_within_s=parts.limits.accept_within_s,
    )
    callbacks = Callbacks(
        prefix=f"/{config.kie_callback_path}/",
        signing_key=config.kie_callback_token,
        hmac_key=config.kie_hmac_key,
        door=parts.door,
        ingress=parts.mailboxes.callback_ingress.ref,
        sources=parts.sources,
        events=parts.events,
    )
    return site(
        webhook=webhook if config.bot_mode is BotMode.WEBHOOK else None,
        callbacks=callbacks,
        vitals=vitals,
        metrics=parts.metrics.render,
    )


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


def load_shop(config: Config, registry: Traversable) -> Shop:
    """Load the registry at the configured rate, and the words.

    A model without exactly one price for each order is left out, and named in `blocked`.

    Raises:
        RegistryBroken: A model's data is wrong, or no model is left; every problem is named.
    """
    tariff = Tariff(usd_to_rub=config.usd_to_rub, multiplier=config.price_multiplier)
    stock = load_stock(registry, tariff)
    if isinstance(stock, RegistryProblems):
        raise RegistryBroken(str(stock))
    return Shop(
        catalogue=stock.catalogue,
        blocked=stock.blocked,
        copies=load_copies(),
        welcome_balance_kopecks=config.welcome_balance_kopecks,
        active_jobs_max=config.active_jobs_max,
        till=_till(config),
    )


def _till(config: Config) -> Till:
    money, transfer = config.money, None
    if money.transfer_requisites:
        transfer = TransferProvider(
            requisites=money.transfer_requisites,
            amounts_kopecks=money.transfer_amounts_kopecks,
        )
    stars = StarsProvider(
        seal=Seal(key=money.offer_key.reveal().encode()),
        rate=star_rate(money.star_usd, config.usd_to_rub),
        sizes=money.stars_packages,
    )
    return Till(
        stars=stars,
        transfer=transfer,
        admin_id=None if money.admin_id is None else UserId(money.admin_id),
        support_contact=money.support_contact,
    )


@asynccontextmanager
async def open_app(
    config: Config, sources: Sources, limits: Limits | None = None
) -> AsyncIterator[App]:
    """Open the real surroundings: bind the port, migrate and open the database, build the app.

    Args:
        config: As the operator gave it.
        sources: Time, chance and ids.
        limits: Bounds other than the usual ones; benches lift some.

    Raises:
        CannotBind: The port is taken.
        DatabaseUnopenable, MigrationRefused, ShardsDiffer: The database is not usable as it is.
        RegistryBroken: A model's data is wrong.
    """
    holder = sources.token(16)
    bound = bind(config.host, config.port)
    with bound:
        await trio.to_thread.run_sync(_migrate, config, sources)
        async with (
            open_storage(
                config.database,
                now=sources.now,
                holder=holder,
                shards=config.shards,
                pool_max=config.db_pool_max,
            ) as storage,
            httpx.AsyncClient(timeout=HTTP_TIMEOUTS, limits=HTTP_LIMITS) as telegram_http,
            httpx.AsyncClient(timeout=HTTP_TIMEOUTS, limits=HTTP_LIMITS) as kie_http,
        ):
            yield build_app(
                config,
                Surroundings(
                    sources=sources,
                    storage=storage,
                    holder=holder,
                    telegram_http=telegram_http,
                    kie_http=kie_http,
                    limits=Limits() if limits is None else limits,
                    # Which server runs the application is this one line.
                    listener=lambda application: Listener(application, bound),
                ),
            )


def _migrate(config: Config, sources: Sources) -> None:
    migrate(config.database, asset("migrations"), now=sources.now())


HTTP_TIMEOUTS = httpx.Timeout(None, connect=10.0, pool=10.0)
"""What ends here was surely not sent. Each call has an overall deadline besides, in its client."""
HTTP_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30.0)
"""Each idle connection is looked at twice per call, and the worker threads of the database are in
the way each time; ten carry more calls than Telegram allows."""
