"""The supervision tree: these lists are the architecture diagram; stop is the reverse order."""

import trio

from trt.actors.active_branch import active_branch
from trt.actors.bells import Bell, opened_topic
from trt.actors.callback_bell import CallbackBell
from trt.actors.callback_clock import CallbackClock
from trt.actors.callback_ingress import CallbackIngress
from trt.actors.held import Held
from trt.actors.lock_keeper import LockKeeper, LockParts
from trt.actors.money_branch import checkout_of
from trt.actors.parts import Parts, ShardParts
from trt.actors.passive_responder import PassiveParts, PassiveResponder, rejecting
from trt.actors.rehearsal import Rehearsal, RehearsalParts
from trt.actors.update_ingress import UpdateIngress
from trt.actors.wake_ups import WakeUps
from trt.storage import lease
from trt.storage.inbox import InboxRow
from trt.supervision import Actor, Budget, Child, Restart, Strategy, Supervisor

ROOT_BUDGET = Budget(restarts=5, within_s=60.0)
"""A root actor that crashes more often than that will not be mended by another restart."""


def tree(parts: Parts, listener: Actor[None]) -> Supervisor:
    """Return the whole service as one supervisor.

    Args:
        parts: What the actors are made of.
        listener: What serves HTTP: hypercorn, or a test's network without sockets.
    """
    boxes = parts.mailboxes
    ingress = UpdateIngress(parts.ingress_db, [at.ingress for at in parts.shards], parts.events)
    wake_jobs = [at.callbacks.send for at in parts.shards]
    callbacks = CallbackIngress(parts.ingress_db, wake_jobs, parts.sources, parts.events)
    clock = CallbackClock(parts.taps, parts.telegram, parts.events)
    wake_ups = WakeUps(parts.wake_source, parts.bells, parts.events)
    return Supervisor(
        "trt",
        strategy=Strategy.REST_FOR_ONE,
        budget=ROOT_BUDGET,
        random=parts.sources.random(),
        children=[
            Child("event_log", parts.event_log, mailbox=boxes.event_log, grace_s=2.0, drains=True),
            Child("metrics", parts.metrics, mailbox=boxes.metrics, grace_s=1.0, drains=True),
            Child("listener", listener, grace_s=2.0),
            Child("callback_clock", clock, mailbox=boxes.callback_clock, grace_s=1.0),
            Child("update_ingress", ingress, mailbox=boxes.update_ingress, grace_s=3.0),
            Child("callback_ingress", callbacks, mailbox=boxes.callback_ingress, grace_s=3.0),
            Child("wake_ups", wake_ups, grace_s=1.0),
            _lock_keepers(parts),
            Child("door", parts.door, grace_s=parts.limits.accept_within_s),
        ],
    )


def _lock_keepers(parts: Parts) -> Child[None]:
    """Return the keepers of all leases; with several, one that crashes leaves the others alone."""
    keepers = [_lock_keeper(parts, at) for at in parts.shards]
    if len(keepers) == 1:
        return keepers[0]
    return Child(
        "lock_keepers",
        Supervisor(
            "lock_keepers",
            strategy=Strategy.ONE_FOR_ONE,
            budget=ROOT_BUDGET,
            random=parts.sources.random(),
            children=keepers,
        ),
    )


def _lock_keeper(parts: Parts, at: ShardParts) -> Child[None]:
    """Return the keeper of a shard's lease, which knows how to build its two branches."""
    opened = parts.bells.bell(opened_topic(at.shard))  # now, or the first ring is not for it

    def leading(held: Held, updates: "trio.MemoryReceiveChannel[InboxRow]") -> Supervisor:
        return active_branch(parts, at, held, updates)

    def waiting(updates: "trio.MemoryReceiveChannel[InboxRow]") -> Supervisor:
        return passive_branch(parts, at, opened, updates)

    keeper = LockKeeper(
        LockParts(
            leases=parts.leases,
            events=parts.events,
            ingress=at.ingress,
            holder=parts.holder,
            pid=parts.pid,
            terms=at.terms,
            view=at.lock_view,
            freed=parts.bells.bell(lease.topic(at.terms.name)),
            leading=leading,
            waiting=waiting,
        )
    )
    return Child(f"lock_keeper{at.suffix}", keeper, grace_s=parts.limits.drain_s)


def passive_branch(
    parts: Parts,
    at: ShardParts,
    opened: Bell,
    updates: "trio.MemoryReceiveChannel[InboxRow]",
) -> Supervisor:
    """Return what runs while another instance leads a shard: it leaves the flow alone."""
    boxes = parts.mailboxes
    responder = PassiveResponder(
        PassiveParts(
            db=parts.db,
            sources=parts.sources,
            events=parts.events,
            telegram=parts.telegram,
            copies=parts.shop.copies,
            shard=at.shard,
            taps=parts.taps,
            clock=boxes.callback_clock.ref,
            checkout=checkout_of(parts),
            refuse=rejecting(parts.sources) if parts.refuses_when_passive else None,
        ),
        updates,
    )
    bell = CallbackBell(parts.db, at.shard, at.callbacks.receive)
    rehearsal = Rehearsal(
        RehearsalParts(
            db=parts.db,
            opened=opened,
            open_seats=parts.open_seats,
            receive=parts.reception.receive,
            sources=parts.sources,
            shop=parts.shop,
            shard=at.shard,
        )
    )
    return Supervisor(
        "passive",
        strategy=Strategy.ONE_FOR_ONE,
        random=parts.sources.random(),
        children=[
            Child("passive_responder", responder, grace_s=1.0),
            Child("callback_bell", bell, grace_s=1.0),
            Child("rehearsal", rehearsal, restart=Restart.TEMPORARY, grace_s=1.0),
        ],
    )
