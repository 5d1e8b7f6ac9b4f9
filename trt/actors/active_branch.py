"""The active branch: from the dispatcher to the delivery, alive while the lease is held."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import trio

from trt.actors.callback_clock import CallbackClock, TapOpened
from trt.actors.delivery import Delivery, DeliveryParts, RowsWaiting
from trt.actors.dispatcher import Dispatcher, DispatcherParts, InHand
from trt.actors.janitor import Janitor, JanitorParts
from trt.actors.job_keeper import JobGivenUp, JobKeeper, JobKeeperParts
from trt.actors.kie_job import CallbackArrived, JobParts, KIEJobActor
from trt.actors.leased_database import LeasedDatabase
from trt.actors.lock_keeper import Heartbeat, Held, LockParts
from trt.actors.open_taps import OpenTaps
from trt.actors.pace import Pace
from trt.actors.parts import Parts
from trt.actors.poller import Poller
from trt.actors.refusals import RefusalParts, Refusals, Refuse
from trt.actors.sending import Courier
from trt.actors.session import HandleUpdate, SessionActor, SessionParts
from trt.actors.settlement import Clerk
from trt.actors.webhook_keeper import WebhookKeeper
from trt.domain.ids import JobId, UserId
from trt.domain.reasons import Reason
from trt.storage.inbox import InboxRow
from trt.supervision import (
    Actor,
    Backoff,
    Budget,
    Child,
    DeadLetter,
    Directory,
    Mailbox,
    MailboxFull,
    Ref,
    Restart,
    Strategy,
    Supervisor,
)
from trt.telemetry.stream import id_hash

M = TypeVar("M")

BRANCH_BUDGET = Budget(restarts=8, within_s=60.0)
"""Roomier than the root's: this is the code that talks to the outside world."""
KEYED_BUDGET = Budget(restarts=6, within_s=120.0)
"""Per user and per job: with the backoff below that is about half a minute of trying."""
BACKOFF = Backoff(first_s=0.05, cap_s=10.0, jitter=0.5)


class Wiring:
    """The mailboxes and shared boards of one life of the branch, made before its actors."""

    def __init__(self, parts: Parts, held: Held) -> None:
        self.parts = parts
        self.db = LeasedDatabase(parts.db, held, parts.lease_terms.name)
        self.clerk = Clerk(
            catalogue=parts.shop.catalogue,
            copies=parts.shop.copies,
            epoch=held.epoch,
            shard=parts.reception.shard,
        )
        self.taps = OpenTaps()
        self.in_hand = InHand()
        self.clock = Mailbox[TapOpened]("callback_clock", 64)
        self.delivery = Mailbox[RowsWaiting]("delivery", 256)
        self.keeper = Mailbox[JobGivenUp]("job_keeper", 1024)
        self.refusals = Mailbox[Refuse]("refusals", 1024)
        self.wake_delivery = _waker(self.delivery.ref, RowsWaiting())
        self.jobs = self._jobs()
        self.sessions = self._sessions()

    def _jobs(self) -> Directory[JobId, CallbackArrived]:
        parts = self.parts
        job_parts = JobParts(
            db=self.db,
            kie=parts.kie,
            clerk=self.clerk,
            sources=parts.sources,
            events=parts.events,
            submit_grace_s=parts.submit_grace_s,
            callback_url=parts.callback_url,
            wake_delivery=self.wake_delivery,
        )
        return Directory(
            "jobs",
            lambda job_id: KIEJobActor(job_id, job_parts),
            mailbox_capacity=8,
            live_max=parts.limits.jobs_live,
            idle_after_s=None,
            grace_s=parts.limits.job_stop_s,
            budget=KEYED_BUDGET,
            backoff=BACKOFF,
            on_given_up=lambda job_id, _: self.keeper.ref.tell_nowait(JobGivenUp(job_id)),
            random=parts.sources.random(),
        )

    def _sessions(self) -> Directory[UserId, HandleUpdate]:
        parts = self.parts
        session_parts = SessionParts(
            db=self.db,
            sources=parts.sources,
            events=parts.events,
            shop=parts.shop,
            epoch=self.clerk.epoch,
            shard=self.clerk.shard,
            wake_delivery=self.wake_delivery,
            start_job=self.jobs.ensure,
            finished=self.in_hand.drop,
        )
        return Directory(
            "sessions",
            lambda _: SessionActor(session_parts),
            key_name=id_hash,  # what names an actor is shown in /health and in the log
            mailbox_capacity=parts.limits.session_mailbox,
            live_max=parts.limits.sessions_live,
            idle_after_s=parts.limits.session_idle_s,
            grace_s=parts.limits.job_stop_s,
            budget=KEYED_BUDGET,
            backoff=BACKOFF,
            on_dead_letter=lambda _, letter: self._refuse_dead(letter.message, letter.reason),
            on_given_up=lambda _, __: None,  # its letters are dead by then, and the sweep looks too
            random=parts.sources.random(),
        )

    def refusal_failed(self, letter: DeadLetter) -> None:
        """Let the sweep find an update again that could not even be refused."""
        assert isinstance(letter.message, Refuse)
        self.in_hand.drop(letter.message.row.update_id)

    def _refuse_dead(self, message: object, reason: str) -> None:
        assert isinstance(message, HandleUpdate)
        if reason != "poison":
            self.in_hand.drop(message.row.update_id)  # not handled: the inbox still has it
            return
        try:
            self.refusals.ref.tell_nowait(Refuse(message.row, Reason.HANDLER_CRASHED))
        except MailboxFull:
            self.in_hand.drop(message.row.update_id)


def active_branch(
    parts: Parts,
    lock: LockParts,
    held: Held,
    updates: "trio.MemoryReceiveChannel[InboxRow]",
) -> Supervisor:
    """Return what runs only while the lease is held; every write is fenced by its epoch."""
    wired = Wiring(parts, held)
    courier = Courier(telegram=parts.telegram, kie=parts.kie, taps=wired.taps)
    delivery = Delivery(
        DeliveryParts(
            db=wired.db,
            sources=parts.sources,
            events=parts.events,
            courier=courier,
            clerk=wired.clerk,
            wake=wired.wake_delivery,
        ),
        Pace(chat=parts.limits.chat_rate, bot=parts.limits.bot_rate),
    )
    keeper = JobKeeper(
        JobKeeperParts(
            db=wired.db,
            sources=parts.sources,
            events=parts.events,
            clerk=wired.clerk,
            jobs=wired.jobs,
            wake_delivery=wired.wake_delivery,
        ),
        parts.callbacks.receive,
    )
    janitor = Janitor(JanitorParts(db=wired.db, sources=parts.sources))
    clock = CallbackClock(wired.taps, parts.telegram, parts.events)
    return Supervisor(
        "active",
        strategy=Strategy.REST_FOR_ONE,
        budget=BRANCH_BUDGET,
        backoff=BACKOFF,
        random=parts.sources.random(),
        children=[
            Child("heartbeat", Heartbeat(lock, held), grace_s=1.0),
            Child("callback_clock", clock, mailbox=wired.clock, grace_s=1.0),
            Child("delivery", delivery, mailbox=wired.delivery, grace_s=parts.limits.job_stop_s),
            Child("jobs", wired.jobs),
            Child("job_keeper", keeper, mailbox=wired.keeper, grace_s=1.0),
            Child("sessions", wired.sessions),
            Child(
                "refusals",
                _refusals(wired),
                mailbox=wired.refusals,
                grace_s=1.0,
                on_dead_letter=wired.refusal_failed,
            ),
            Child("dispatcher", _dispatcher(wired, updates), grace_s=1.0),
            Child("janitor", janitor, grace_s=1.0),
            _source_of_updates(parts),
        ],
    )


def _refusals(wired: Wiring) -> Refusals:
    return Refusals(
        RefusalParts(
            db=wired.db,
            sources=wired.parts.sources,
            events=wired.parts.events,
            copies=wired.parts.shop.copies,
            epoch=wired.clerk.epoch,
            shard=wired.clerk.shard,
            wake_delivery=wired.wake_delivery,
            finished=wired.in_hand.drop,
        )
    )


def _dispatcher(wired: Wiring, updates: "trio.MemoryReceiveChannel[InboxRow]") -> Dispatcher:
    return Dispatcher(
        DispatcherParts(
            db=wired.db,
            sources=wired.parts.sources,
            events=wired.parts.events,
            bot_id=wired.parts.reception.bot_id,
            shard=wired.clerk.shard,
            sessions=wired.sessions,
            refusals=wired.refusals.ref,
            clock=wired.clock.ref,
            taps=wired.taps,
            in_hand=wired.in_hand,
        ),
        updates,
    )


def _source_of_updates(parts: Parts) -> Child[None]:
    """Only the active instance tells Telegram how to reach the bot, or asks for updates."""
    if parts.webhook is None:
        poller: Actor[None] = Poller(
            parts.telegram, parts.mailboxes.update_ingress.ref, parts.reception.receive
        )
        return Child("poller", poller, grace_s=1.0)
    keeper = WebhookKeeper(parts.telegram, parts.events, parts.webhook)
    return Child("webhook", keeper, restart=Restart.TRANSIENT, grace_s=1.0)


def _waker(ref: Ref[M], wake_up: M) -> Callable[[], None]:
    """Return a function that sends a wake-up and does not mind if there are enough of them."""

    def wake() -> None:
        with suppress(MailboxFull):
            ref.tell_nowait(wake_up)

    return wake
