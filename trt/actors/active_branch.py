"""The active branch: from the dispatcher to the delivery, alive while the lease is held."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import trio

from trt.actors.bells import callbacks_topic, inbox_topic
from trt.actors.cashier import AskedToPay, Cashier, CashierParts
from trt.actors.delivery import Delivery, DeliveryParts, RowsWaiting
from trt.actors.dispatcher import Dispatcher, DispatcherParts
from trt.actors.heartbeat import Heartbeat, HeartbeatParts
from trt.actors.held import Held, Leashed
from trt.actors.in_hand import InHand, SpinnerParts
from trt.actors.janitor import Janitor, JanitorParts
from trt.actors.job_board import JobBoard
from trt.actors.job_hand import JobParts
from trt.actors.job_keeper import JobGivenUp, JobKeeper, JobKeeperParts
from trt.actors.kie_job import CallbackArrived, KIEJobActor
from trt.actors.last_call import Closing, LastCall
from trt.actors.leased_database import LeasedDatabase
from trt.actors.money_branch import MoneyBranch, checkout_of
from trt.actors.pace import Pace
from trt.actors.parts import Parts, ShardParts
from trt.actors.picture_courier import PictureCourier
from trt.actors.refusals import RefusalParts, Refusals, Refuse
from trt.actors.result_sending import ResultCourier
from trt.actors.sending import RETRY_S, Courier
from trt.actors.session import HandleUpdate, SessionActor, SessionParts
from trt.actors.settlement import Clerk
from trt.actors.unhandled import Desk
from trt.actors.update_source import update_source
from trt.domain.ids import JobId, UserId
from trt.domain.reasons import Reason
from trt.storage.inbox import InboxRow
from trt.storage.lease_row import TakeoverReason
from trt.supervision import (
    Actor,
    ActorStopped,
    Backoff,
    Budget,
    Child,
    DeadLetter,
    Directory,
    Mailbox,
    MailboxFull,
    Ref,
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
WITHOUT_A_WORD = frozenset({TakeoverReason.EXPIRED, TakeoverReason.CRASHED})
"""Ends of a holder that one of its updates may have caused. One that gave the lease up in order, or
was deposed, hands on what it did not get to without a mark against it."""


class Wiring:
    """The mailboxes and shared boards of one life of the branch, made before its actors."""

    def __init__(self, parts: Parts, at: ShardParts, held: Held) -> None:
        self.parts = parts
        self.at = at
        self.held = held
        self.db = LeasedDatabase(parts.db, held, at.terms.name)
        self.clerk = Clerk(
            catalogue=parts.shop.catalogue,
            copies=parts.shop.copies,
            board=JobBoard(),
            epoch=held.epoch,
            shard=at.shard,
        )
        self.delivery = Mailbox[RowsWaiting](f"delivery{at.suffix}", 256)
        self.keeper = Mailbox[JobGivenUp](f"job_keeper{at.suffix}", 1024)
        self.refusals = Mailbox[Refuse](f"refusals{at.suffix}", 1024)
        self.cashier = Mailbox[AskedToPay](f"cashier{at.suffix}", 256)
        self.in_hand = InHand(
            SpinnerParts(
                sources=parts.sources,
                events=parts.events,
                clock=parts.mailboxes.callback_clock.ref,
                taps=parts.taps,
            )
        )
        self.closing = Closing()
        self.wake_delivery = _waker(self.delivery.ref, RowsWaiting())
        self.jobs = self._jobs()
        self.sessions = self._sessions()

    def leashed(self, actor: Actor[M]) -> Actor[M]:
        """Return the actor as it may run in the name of this lease."""
        return Leashed(actor, self.held)

    def _jobs(self) -> Directory[JobId, CallbackArrived]:
        parts = self.parts
        job_parts = JobParts(
            db=self.db,
            kie=parts.gate,
            pictures=PictureCourier(telegram=parts.telegram, kie=parts.kie),
            clerk=self.clerk,
            board=self.clerk.board,
            sources=parts.sources,
            events=parts.events,
            submit_grace_s=parts.submit_grace_s,
            callback_url=parts.callback_url,
            wake_delivery=self.wake_delivery,
        )
        return Directory(
            "jobs",
            lambda job_id: self.leashed(KIEJobActor(job_id, job_parts)),
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
            books=self.clerk,
            epoch=self.clerk.epoch,
            shard=self.clerk.shard,
            wake_delivery=self.wake_delivery,
            start_job=self.jobs.ensure,
            in_hand=self.in_hand,
            leash=self.held.leash,
            at_work=trio.CapacityLimiter(parts.at_work_max),
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
            self.in_hand.abandon(message.row)  # not handled: the inbox still has it
            return
        culprit = self.in_hand.give_up(message.row)
        try:
            self.refusals.ref.tell_nowait(Refuse(culprit, Reason.HANDLER_CRASHED))
        except MailboxFull:
            self.in_hand.drop(culprit.update_id)


def active_branch(
    parts: Parts, at: ShardParts, held: Held, updates: "trio.MemoryReceiveChannel[InboxRow]"
) -> Supervisor:
    """Return what runs only while the lease of a shard is held.

    Every write is fenced by its epoch, and everything that acts is on its leash.
    """
    wired = Wiring(parts, at, held)
    leashed, stop_s = wired.leashed, parts.limits.job_stop_s
    return Supervisor(
        "active",
        strategy=Strategy.REST_FOR_ONE,
        budget=BRANCH_BUDGET,
        backoff=BACKOFF,
        random=parts.sources.random(),
        children=[
            Child("heartbeat", leashed(_heartbeat(wired)), grace_s=1.0),
            Child("delivery", leashed(_delivery(wired)), mailbox=wired.delivery, grace_s=stop_s),
            Child("jobs", wired.jobs),
            Child("job_keeper", leashed(_job_keeper(wired)), mailbox=wired.keeper, grace_s=1.0),
            Child("sessions", wired.sessions),
            Child(
                "refusals",
                leashed(_refusals(wired)),
                mailbox=wired.refusals,
                grace_s=1.0,
                on_dead_letter=wired.refusal_failed,
            ),
            Child("cashier", leashed(_cashier(wired)), mailbox=wired.cashier, grace_s=stop_s),
            Child("dispatcher", leashed(_dispatcher(wired, updates)), grace_s=1.0),
            Child("janitor", leashed(_janitor(wired)), grace_s=1.0),
            *_money_branch(wired).children(),
            *update_source(parts, at.shard, wired.leashed),
            Child("last_call", LastCall(wired.closing, wired.wake_delivery), grace_s=1.0),
        ],
    )


def _heartbeat(wired: Wiring) -> Heartbeat:
    parts = wired.parts
    return Heartbeat(
        HeartbeatParts(
            leases=parts.leases,
            holder=parts.holder,
            terms=wired.at.terms,
            show=wired.at.lock_view.show,
        ),
        wired.held,
    )


def _delivery(wired: Wiring) -> Delivery:
    parts = wired.parts
    # Telegram counts the bot's messages over all shards, and nobody counts them together here.
    pace = Pace(chat=parts.limits.chat_rate, bot=parts.limits.bot_rate.shared(len(parts.shards)))
    return Delivery(
        DeliveryParts(
            db=wired.db,
            sources=parts.sources,
            events=parts.events,
            courier=Courier(
                telegram=parts.telegram,
                results=ResultCourier(
                    telegram=parts.telegram, kie=parts.kie, events=parts.events, retry_s=RETRY_S
                ),
                taps=parts.taps,
            ),
            clerk=wired.clerk,
            closing=wired.closing,
            wake=wired.wake_delivery,
        ),
        pace,
    )


def _job_keeper(wired: Wiring) -> JobKeeper:
    parts = wired.parts
    return JobKeeper(
        JobKeeperParts(
            db=wired.db,
            sources=parts.sources,
            events=parts.events,
            clerk=wired.clerk,
            kie=parts.gate,
            jobs=wired.jobs,
            wake_delivery=wired.wake_delivery,
            called_back=parts.bells.bell(callbacks_topic(wired.at.shard)),
        ),
        wired.at.callbacks.receive,
    )


def _refusals(wired: Wiring) -> Refusals:
    clerk = wired.clerk
    return Refusals(
        RefusalParts(
            db=wired.db,
            sources=wired.parts.sources,
            events=wired.parts.events,
            desk=Desk(copies=clerk.copies, shard=clerk.shard, epoch=clerk.epoch),
            wake_delivery=wired.wake_delivery,
            in_hand=wired.in_hand,
        )
    )


def _dispatcher(wired: Wiring, updates: "trio.MemoryReceiveChannel[InboxRow]") -> Dispatcher:
    parts, takeover = wired.parts, wired.held.takeover
    return Dispatcher(
        DispatcherParts(
            # A look at what has arrived must not stand in line behind the work on what was there.
            db=LeasedDatabase(parts.ingress_db, wired.held, wired.at.terms.name),
            bot_id=parts.reception.bot_id,
            shard=wired.at.shard,
            sessions=wired.sessions,
            refusals=wired.refusals.ref,
            cashier=wired.cashier.ref,
            in_hand=wired.in_hand,
            arrived=parts.bells.bell(inbox_topic(wired.at.shard)),
            marks_suspects=takeover is not None and takeover.reason in WITHOUT_A_WORD,
        ),
        updates,
    )


def _cashier(wired: Wiring) -> Cashier:
    parts = wired.parts
    return Cashier(
        CashierParts(
            db=wired.db,
            sources=parts.sources,
            checkout=checkout_of(parts),
            in_hand=wired.in_hand,
            epoch=wired.held.epoch,
        )
    )


def _money_branch(wired: Wiring) -> MoneyBranch:
    return MoneyBranch(
        parts=wired.parts,
        db=wired.db,
        shard=wired.at.shard,
        epoch=wired.held.epoch,
        wake_delivery=wired.wake_delivery,
        leashed=wired.leashed,
    )


def _janitor(wired: Wiring) -> Janitor:
    return Janitor(JanitorParts(db=wired.db, sources=wired.parts.sources, shard=wired.at.shard))


def _waker(ref: Ref[M], wake_up: M) -> Callable[[], None]:
    """Return a function that sends a wake-up and does not mind if there are enough of them.

    Nor if its reader has begun to stop: what waits is in the database, and the next one looks.
    """

    def wake() -> None:
        with suppress(MailboxFull, ActorStopped):
            ref.tell_nowait(wake_up)

    return wake
