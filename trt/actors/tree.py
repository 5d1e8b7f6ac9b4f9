"""The supervision tree: these lists are the architecture diagram; stop is the reverse order."""

import trio

from trt.actors.active_branch import active_branch
from trt.actors.callback_ingress import CallbackIngress
from trt.actors.lock_keeper import Held, LockKeeper, LockParts
from trt.actors.parts import Parts
from trt.actors.passive_responder import PassiveParts, PassiveResponder, rejecting
from trt.actors.update_ingress import UpdateIngress
from trt.storage.inbox import InboxRow
from trt.supervision import Actor, Budget, Child, Strategy, Supervisor

ROOT_BUDGET = Budget(restarts=5, within_s=60.0)
"""A root actor that crashes more often than that will not be mended by another restart."""


def tree(parts: Parts, listener: Actor[None]) -> Supervisor:
    """Return the whole service as one supervisor.

    Args:
        parts: What the actors are made of.
        listener: What serves HTTP: hypercorn, or a test's network without sockets.
    """
    boxes = parts.mailboxes
    ingress = UpdateIngress(parts.db, parts.ingress, parts.events)
    callbacks = CallbackIngress(parts.db, parts.callbacks.send, parts.sources, parts.events)
    return Supervisor(
        "trt",
        strategy=Strategy.REST_FOR_ONE,
        budget=ROOT_BUDGET,
        random=parts.sources.random(),
        children=[
            Child("event_log", parts.event_log, mailbox=boxes.event_log, grace_s=2.0, drains=True),
            Child("metrics", parts.metrics, mailbox=boxes.metrics, grace_s=1.0, drains=True),
            Child("listener", listener, grace_s=2.0),
            Child("update_ingress", ingress, mailbox=boxes.update_ingress, grace_s=3.0),
            Child("callback_ingress", callbacks, mailbox=boxes.callback_ingress, grace_s=3.0),
            Child("lock_keeper", LockKeeper(lock_parts(parts)), grace_s=parts.limits.drain_s),
            Child("door", parts.door, grace_s=parts.limits.accept_within_s),
        ],
    )


def passive_branch(parts: Parts, updates: "trio.MemoryReceiveChannel[InboxRow]") -> Supervisor:
    """Return what runs while another instance holds the lease: it leaves the flow alone."""
    responder = PassiveResponder(
        PassiveParts(
            db=parts.db,
            sources=parts.sources,
            events=parts.events,
            telegram=parts.telegram,
            copies=parts.shop.copies,
            refuse=rejecting(parts.sources) if parts.refuses_when_passive else None,
        ),
        updates,
    )
    return Supervisor(
        "passive",
        strategy=Strategy.ONE_FOR_ONE,
        random=parts.sources.random(),
        children=[Child("passive_responder", responder, grace_s=1.0)],
    )


def lock_parts(parts: Parts) -> LockParts:
    """Return what the lock keeper needs: above all, how to build its two branches."""

    def leading(held: Held, updates: "trio.MemoryReceiveChannel[InboxRow]") -> Supervisor:
        return active_branch(parts, lock, held, updates)

    def waiting(updates: "trio.MemoryReceiveChannel[InboxRow]") -> Supervisor:
        return passive_branch(parts, updates)

    lock = LockParts(
        db=parts.lease_db,
        sources=parts.sources,
        events=parts.events,
        ingress=parts.ingress,
        holder=parts.holder,
        pid=parts.pid,
        terms=parts.lease_terms,
        view=parts.lock_view,
        leading=leading,
        waiting=waiting,
    )
    return lock
