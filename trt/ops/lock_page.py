"""The state of the leases as a page to be read in five seconds."""

from typing import assert_never

from trt.ops.lock_state import Handover, Leadership, Locks, LockState
from trt.ops.wording import count, duration, moment, table


def lock_page(locks: Locks) -> str:
    """Return the page: for each shard who leads, for how long, and who led before."""
    return "\n".join(_shard(lock) for lock in locks.shards)


def _shard(lock: LockState) -> str:
    headline = f"{lock.name}: {_headline(lock)}\n"
    if lock.leadership is Leadership.NEVER_HELD:
        return headline
    return headline + table(_facts(lock), indent=2) + _history(lock)


def _headline(lock: LockState) -> str:
    match lock.leadership:
        case Leadership.LED:
            return f"led by {lock.holder} (pid {lock.pid}) for {duration(lock.held_s or 0)}"
        case Leadership.SILENT:
            silent_s = duration(-(lock.expires_in_s or 0))
            return f"NOBODY LEADS: {lock.holder} (pid {lock.pid}) is overdue by {silent_s}"
        case Leadership.FREE:
            how = "was deposed" if lock.is_deposed else "gave it up"
            return f"NOBODY LEADS: {lock.released_by} {how} {duration(lock.free_s or 0)} ago"
        case Leadership.NEVER_HELD:
            return "NOBODY LEADS, nobody ever did: start the service with `trt run`"
        case _:
            assert_never(lock.leadership)


def _facts(lock: LockState) -> list[tuple[str, str]]:
    facts = [("epoch", str(lock.epoch))]
    if lock.since is not None:
        facts += [
            ("since", f"{moment(lock.since)} UTC"),
            ("heartbeat", f"{duration(lock.heartbeat_age_s or 0)} ago"),
            ("expires", _expiry(lock.expires_in_s or 0)),
            ("a crash", _crash(lock)),
        ]
    if lock.word is not None:
        facts.append(("deposed", f"by {lock.word.by}: {lock.word.because}"))
    facts.append(("waiting", _waiting(lock)))
    return facts


def _expiry(in_s: float) -> str:
    return f"in {duration(in_s)}" if in_s > 0 else f"{duration(-in_s)} ago"


def _crash(lock: LockState) -> str:
    return "is seen at once" if lock.has_session_lock else "is seen when the lease expires"


def _waiting(lock: LockState) -> str:
    if lock.waiting is None:
        return "not known here: look at /health of the other instance"
    if not lock.waiting:
        return "nobody: should the holder go, nobody takes over"
    return f"{count(len(lock.waiting), 'instance')}: {', '.join(lock.waiting)}"


def _history(lock: LockState) -> str:
    if not lock.handovers:
        return "  no takeover yet\n"
    head = ("taken over (UTC)", "gap", "epoch", "from", "to", "why")
    return "\n" + table([head, *map(_handover, lock.handovers)], indent=2)


def _handover(handover: Handover) -> tuple[str, ...]:
    done, word = handover.takeover, handover.word
    return (
        moment(done.at),
        duration(done.gap_s),
        str(done.epoch),
        done.from_holder,
        done.to_holder,
        done.reason if word is None else f"{done.reason} by {word.by}: {word.because}",
    )
