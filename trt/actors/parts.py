"""The parts that the tree is built from; `app.py` makes them, `tree.py` puts them together."""

from collections.abc import Awaitable, Callable

import trio
from attrs import frozen

from trt.actors.alarm_board import AlarmBoard
from trt.actors.auditor import BooksView
from trt.actors.bells import Bells
from trt.actors.callback_clock import TapOpened
from trt.actors.callback_ingress import Store
from trt.actors.door import Door
from trt.actors.event_log import EventLog
from trt.actors.ingress_channel import IngressChannel
from trt.actors.lease_terms import LeaseTerms
from trt.actors.lock_keeper import LockView
from trt.actors.metrics import MetricsActor
from trt.actors.open_taps import OpenTaps
from trt.actors.pace import BOT_RATE, CHAT_RATE, Rate
from trt.actors.reception import Reception
from trt.actors.update_desk import Shop
from trt.actors.update_ingress import Accept
from trt.actors.webhook_keeper import WebhookAddress
from trt.domain.ids import JobId, Shard
from trt.kie.client import KIEClient
from trt.kie.gate import KIEGate
from trt.sources import Sources
from trt.storage.database import Database
from trt.storage.lease_store import LeaseStore
from trt.storage.wake_bus import WakeSource
from trt.supervision import Mailbox
from trt.telegram.client import TelegramClient
from trt.telemetry.events import Event
from trt.telemetry.stream import EventStream

INGRESS_CHANNEL_MAX = 256
INGRESS_MAILBOX_MAX = 256
CALLBACK_CHANNEL_MAX = 256
CALLBACK_MAILBOX_MAX = 128
CLOCK_MAILBOX_MAX = 64
EVENTS_MAX = 8192


@frozen(kw_only=True)
class Limits:
    """Bounds that operators rarely touch and that tests make small."""

    ingress_channel: int = INGRESS_CHANNEL_MAX
    ingress_mailbox: int = INGRESS_MAILBOX_MAX
    session_mailbox: int = 32
    """Updates that one user may have waiting; more are refused politely."""
    sessions_live: int = 20_000
    session_idle_s: float = 300.0
    jobs_live: int = 5_000
    job_stop_s: float = 5.0
    """How long a send or a call to KIE that is under way may take when the service stops."""
    drain_s: float = 12.0
    """How long the active branch may take to stop."""
    accept_within_s: float = 5.0
    """How long a post may wait for its commit before it is answered 503."""
    chat_rate: Rate = CHAT_RATE
    bot_rate: Rate = BOT_RATE
    """Telegram's; only a bench, whose Telegram is not the real one, lifts them."""


@frozen(kw_only=True)
class CallbackChannel:
    """Wake-ups for jobs that KIE has called back about; the rows are the truth."""

    send: "trio.MemorySendChannel[JobId]"
    receive: "trio.MemoryReceiveChannel[JobId]"

    @classmethod
    def open(cls) -> "CallbackChannel":
        """Make the channel of one shard."""
        send, receive = trio.open_memory_channel[JobId](CALLBACK_CHANNEL_MAX)
        return cls(send=send, receive=receive)


@frozen(kw_only=True)
class ShardParts:
    """What each shard has of its own: its lease, and the channels whose receivers follow it."""

    shard: Shard
    suffix: str
    """Tells its actors and channels from those of the others: empty when there is one shard."""
    terms: LeaseTerms
    ingress: IngressChannel
    callbacks: CallbackChannel
    lock_view: LockView

    @classmethod
    def open_all(
        cls, shards: int, *, terms: LeaseTerms, ingress_max: int
    ) -> "tuple[ShardParts, ...]":
        """Make the parts of all shards, by number."""
        numbered = [(Shard(n), f"_{n}" if shards > 1 else "") for n in range(shards)]
        return tuple(
            cls(
                shard=shard,
                suffix=suffix,
                terms=terms.of(shard),
                ingress=IngressChannel(ingress_max, name=f"ingress{suffix}"),
                callbacks=CallbackChannel.open(),
                lock_view=LockView(),
            )
            for shard, suffix in numbered
        )


@frozen(kw_only=True)
class Mailboxes:
    """The mailboxes that outlive every restart of their actors."""

    event_log: Mailbox[Event]
    metrics: Mailbox[Event]
    update_ingress: Mailbox[Accept]
    callback_ingress: Mailbox[Store]
    callback_clock: Mailbox[TapOpened]

    @classmethod
    def within(cls, limits: Limits) -> "Mailboxes":
        """Make the mailboxes of one service."""
        return cls(
            event_log=Mailbox("event_log", EVENTS_MAX),
            metrics=Mailbox("metrics", EVENTS_MAX),
            update_ingress=Mailbox("update_ingress", limits.ingress_mailbox),
            callback_ingress=Mailbox("callback_ingress", CALLBACK_MAILBOX_MAX),
            callback_clock=Mailbox("callback_clock", CLOCK_MAILBOX_MAX),
        )


@frozen(kw_only=True)
class Parts:
    """Everything that the actors are given; nothing below reads configuration or globals."""

    db: Database
    ingress_db: Database
    """For what comes in from outside: its commits never wait behind the flow's work."""
    leases: LeaseStore
    wake_source: WakeSource
    bells: Bells
    sources: Sources
    events: EventStream
    telegram: TelegramClient
    kie: KIEClient
    """Where results are fetched; what orders and asks goes through the gate."""
    gate: KIEGate
    """One for all shards: KIE's limits are for the account."""
    shop: Shop
    reception: Reception
    shards: tuple[ShardParts, ...]
    """By number."""
    taps: OpenTaps
    """One for all shards, and for whoever leads."""
    mailboxes: Mailboxes
    event_log: EventLog
    metrics: MetricsActor
    books: BooksView
    alarms: AlarmBoard
    door: Door
    limits: Limits
    at_work_max: int
    """How many sessions of a shard may handle an update at a time."""
    open_seats: Callable[[], Awaitable[int]]
    """Makes the flow's connections that are missing, and says on how many a standby rehearses."""
    holder: str
    pid: int
    submit_grace_s: float
    refuses_when_passive: bool
    callback_url: Callable[[JobId], str | None]
    webhook: WebhookAddress | None
    """None with BOT_MODE=polling."""
