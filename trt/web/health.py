"""What /health says: pure functions from snapshots to the runbook's fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from attrs import frozen

from trt.actors.auditor import BooksView
from trt.actors.ingress_channel import ChannelStatistics
from trt.actors.lock_keeper import LockView
from trt.actors.metrics import Totals
from trt.domain.ids import ModelId, Shard
from trt.kie.circuit_breaker import BreakerState
from trt.kie.limiter import LimiterStatistics
from trt.supervision import ActorSnapshot, MailboxStatistics, State

BACKPRESSURE_PERCENT = 80.0


@frozen(kw_only=True)
class LockVitals:
    """The lease of one shard and the channel whose receiver follows it."""

    shard: Shard
    view: LockView
    channel: ChannelStatistics


@frozen(kw_only=True)
class KIEVitals:
    """How orders get to KIE."""

    breaker: BreakerState
    queue: LimiterStatistics
    unknown_states: Mapping[str, int]
    """States that KIE named and that we do not know, by how often."""


@frozen(kw_only=True)
class Vitals:
    """Everything that /health is made of, read in one moment."""

    now: datetime
    now_s: float
    """trio's clock, in which the lock's changes are noted."""
    tree: ActorSnapshot
    locks: Sequence[LockVitals]
    """Of every shard, by number; the fields that have no list are about the first."""
    engine: str
    is_pooled: bool
    totals: Totals
    kie: KIEVitals
    books: BooksView
    blocked_models: Sequence[ModelId]
    is_draining: bool


def health(vitals: Vitals) -> dict[str, Any]:
    """Return the body of /health."""
    first = vitals.locks[0]
    body = {
        "ok": vitals.tree.state is State.RUNNING and not vitals.is_draining,
        **_mode(first),
        "ts": _iso(vitals.now),
        **_lock(first.view, vitals.now_s),
        "database": {"engine": vitals.engine, "pooled": vitals.is_pooled},
        "queue": _queue(vitals),
        "kie": _kie(vitals.kie, vitals.totals),
        "books": _books(vitals.books),
        "blocked_models": list(vitals.blocked_models),
        "actors": _actor(vitals.tree),
        "channels": [
            *(msgspec.to_builtins(at.channel) for at in vitals.locks),
            *(msgspec.to_builtins(box) for box in _mailboxes(vitals.tree)),
        ],
    }
    if len(vitals.locks) > 1:
        body["shards"] = [
            {"shard": at.shard, **_mode(at), **_lock(at.view, vitals.now_s)} for at in vitals.locks
        ]
    return body


def _mode(at: LockVitals) -> dict[str, Any]:
    is_active = at.view.state == "ACTIVE"
    return {"mode": "active" if is_active else "passive", "lock_acquired": is_active}


def _lock(view: LockView, now_s: float) -> dict[str, Any]:
    row = view.row
    return {
        "lock_state": view.state,
        "lock_epoch": None if row is None else row.epoch,
        "lock_holder_pid": None if row is None else row.pid,
        "lock_idle_duration": _idle_s(view, now_s),
        # By the database's clock up to our look at the row, and by our own since then.
        "lock_heartbeat_age": (
            None
            if row is None or row.holder is None
            else round((row.now - row.renewed_at).total_seconds() + now_s - view.row_at_s, 3)
        ),
        "lock_takeover_event": (
            None if row is None or row.takeover is None else msgspec.to_builtins(row.takeover)
        ),
    }


def _idle_s(view: LockView, now_s: float) -> float | None:
    """Return for how long this instance has been what it is; None where nobody holds the lease."""
    if view.changed_at_s is None or view.row is None or view.row.holder is None:
        return None
    return round(now_s - view.changed_at_s, 3)


def _kie(kie: KIEVitals, totals: Totals) -> dict[str, Any]:
    drift = totals.drift
    return {
        "breaker": kie.breaker,
        "waiting": kie.queue.waiting,
        "calls_in_window": kie.queue.calls_in_window,
        "is_paused": kie.queue.is_paused,
        "unknown_states": dict(kie.unknown_states),
        "drift": {
            "jobs": drift.jobs,
            "expected": str(drift.expected),
            "consumed": str(drift.consumed),
        },
        "late_results": totals.late_results,
    }


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _queue(vitals: Vitals) -> dict[str, Any]:
    totals = vitals.totals
    depth = sum(at.channel.depth for at in vitals.locks)
    capacity = sum(at.channel.capacity for at in vitals.locks)
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
        or any(at.channel.waiting_senders for at in vitals.locks),
    }


def _books(view: BooksView) -> dict[str, Any]:
    return {
        "balanced": view.is_balanced,
        "checked_at": None if view.checked_at is None else _iso(view.checked_at),
        "problems_count": view.problems_count,
    }


def _actor(snapshot: ActorSnapshot) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(snapshot)
    body["children"] = [_actor(child) for child in snapshot.children]
    return body


def _mailboxes(snapshot: ActorSnapshot) -> list[MailboxStatistics]:
    own = [] if snapshot.mailbox is None else [snapshot.mailbox]
    return own + [box for child in snapshot.children for box in _mailboxes(child)]
