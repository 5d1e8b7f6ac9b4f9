"""What /health says: pure functions from snapshots to the runbook's fields."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from attrs import frozen

from trt.actors.ingress_channel import ChannelStatistics
from trt.actors.lock_keeper import LockView
from trt.actors.metrics import Totals
from trt.supervision import ActorSnapshot, MailboxStatistics, State

BACKPRESSURE_PERCENT = 80.0


@frozen(kw_only=True)
class Vitals:
    """Everything that /health is made of, read in one moment."""

    now: datetime
    now_s: float
    """trio's clock, in which the lock's changes are noted."""
    tree: ActorSnapshot
    channels: Sequence[ChannelStatistics]
    lock: LockView
    totals: Totals
    is_draining: bool


def health(vitals: Vitals) -> dict[str, Any]:
    """Return the body of /health."""
    is_active = vitals.lock.state == "ACTIVE"
    return {
        "ok": vitals.tree.state is State.RUNNING and not vitals.is_draining,
        "mode": "active" if is_active else "passive",
        "lock_acquired": is_active,
        "ts": vitals.now.isoformat().replace("+00:00", "Z"),
        **_lock(vitals),
        "queue": _queue(vitals),
        "actors": _actor(vitals.tree),
        "channels": [
            *(msgspec.to_builtins(channel) for channel in vitals.channels),
            *(msgspec.to_builtins(box) for box in _mailboxes(vitals.tree)),
        ],
    }


def _lock(vitals: Vitals) -> dict[str, Any]:
    lock, row = vitals.lock, vitals.lock.row
    takeover = None if row is None or row.takeover is None else row.takeover
    return {
        "lock_state": lock.state,
        "lock_epoch": None if row is None else row.epoch,
        "lock_holder_pid": None if row is None else row.pid,
        "lock_idle_duration": round(vitals.now_s - lock.changed_at_s, 3),
        "lock_heartbeat_age": (
            None
            if row is None
            else round(max(0.0, (vitals.now - row.renewed_at).total_seconds()), 3)
        ),
        "lock_takeover_event": None if takeover is None else msgspec.to_builtins(takeover),
    }


def _queue(vitals: Vitals) -> dict[str, Any]:
    totals = vitals.totals
    depth = sum(channel.depth for channel in vitals.channels)
    capacity = sum(channel.capacity for channel in vitals.channels)
    utilization = round(100.0 * depth / capacity, 2) if capacity else 0.0
    offered = totals.received + totals.refused
    return {
        "total_received": totals.received,
        "total_processed": totals.processed,
        "total_duplicates": totals.duplicates,
        "queue_depth": depth,
        "queue_utilization_percent": utilization,
        "drop_rate_percent": round(100.0 * totals.refused / offered, 4) if offered else 0.0,
        "last_drop_time": (
            None if totals.last_refused_at is None else totals.last_refused_at.isoformat()
        ),
        "backpressure_active": utilization > BACKPRESSURE_PERCENT
        or any(channel.waiting_senders for channel in vitals.channels),
    }


def _actor(snapshot: ActorSnapshot) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(snapshot)
    body["children"] = [_actor(child) for child in snapshot.children]
    return body


def _mailboxes(snapshot: ActorSnapshot) -> list[MailboxStatistics]:
    own = [] if snapshot.mailbox is None else [snapshot.mailbox]
    return own + [box for child in snapshot.children for box in _mailboxes(child)]
