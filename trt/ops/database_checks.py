"""What the facts about the database mean: pure, every threshold beside its reason."""

from collections import Counter
from collections.abc import Sequence
from typing import assert_never

from trt.ops.database_facts import Backlog, Clocks, Disk
from trt.ops.finding import Finding, fail, ok, warn
from trt.ops.lock_state import Leadership, LockState
from trt.ops.schema_state import SchemaAge, SchemaState
from trt.ops.wording import count, duration, size
from trt.storage.books import Audit
from trt.storage.lease_row import Takeover

SKEW_WARN_S = 1.0
"""Deadlines and the age of taps are by the instance's clock, in seconds."""
SKEW_FAIL_S = 60.0
"""Fresh taps would count as stale before long."""
TAKEOVERS_PER_HOUR_MAX = 6
"""More than any series of deploys."""
INBOX_WARN_S = 10.0
INBOX_FAIL_S = 60.0
"""A tap is handled within a second; a deploy takes less than ten."""
OUTBOX_WARN_S = 60.0
OUTBOX_FAIL_S = 600.0
"""Telegram may freeze one chat for minutes."""
LATE_S = 120.0
"""A job ends at its deadline; a moment for its refund and a takeover."""
DEAD_WITHIN_S = 86_400.0
HOUR_S = 3600.0
FREE_WARN_BYTES = 1 << 30
FREE_FAIL_BYTES = 100 << 20
CIDS_SHOWN = 3
PROBLEMS_SHOWN = 5

_LOCK = "lock"
_BOOKS = "books"


def check_schema(state: SchemaState) -> Finding:
    """Judge the schema beside this release."""
    check = "schema"
    match state.age:
        case SchemaAge.CURRENT:
            return ok(check, f"up to date at {state.detail}")
        case SchemaAge.NEWER:
            return fail(check, state.detail, "start the newer release: there is no way back")
        case SchemaAge.OLDER:
            mend = "`trt migrate`, or start this release, which does it by itself"
            return warn(check, state.detail, mend)
        case SchemaAge.EMPTY:
            mend = "`trt run` makes the tables at its first start"
            return warn(check, state.detail, mend)
        case SchemaAge.BROKEN:
            mend = "put the migrations back as they were released"
            return fail(check, state.detail, mend)
        case _:
            assert_never(state.age)


def check_shards(*, settled: int | None, configured: int | None) -> Finding:
    """Judge the number of shards; without a configuration the database's word is enough."""
    check = "shards"
    if settled is None:
        return ok(check, "not settled yet: the first start does it")
    if configured is not None and settled != configured:
        return fail(
            check,
            f"the database was set up for SHARDS={settled}, the configuration says {configured}",
            f"set SHARDS={settled}: the number cannot change once there are users",
        )
    return ok(check, f"{settled}, as the database was set up")


def check_lock(lock: LockState) -> Finding:
    """Judge who leads a shard."""
    match lock.leadership:
        case Leadership.LED:
            heartbeat = f"heartbeat {duration(lock.heartbeat_age_s or 0)} ago"
            held = duration(lock.held_s or 0)
            return ok(_LOCK, f"{lock.name} is led by {lock.holder} for {held}, {heartbeat}")
        case Leadership.SILENT:
            return fail(
                _LOCK,
                f"nobody leads {lock.name}: {lock.holder} (pid {lock.pid}) fell silent "
                f"{duration(lock.heartbeat_age_s or 0)} ago and nobody took over",
                "start an instance with `trt run`, and read the last lines of the silent one's log",
            )
        case Leadership.FREE:
            how = "was deposed" if lock.is_deposed else "gave it up"
            ago = duration(lock.free_s or 0)
            what = f"nobody leads {lock.name}: {lock.released_by} {how} {ago} ago"
            return warn(_LOCK, what, "start an instance with `trt run`, unless it is meant so")
        case Leadership.NEVER_HELD:
            return warn(_LOCK, f"nobody ever led {lock.name}", "start the service with `trt run`")
        case _:
            assert_never(lock.leadership)


def check_takeovers(lock: LockState, last_hour: Sequence[Takeover]) -> Finding | None:
    """Judge how often a lease changed hands; None for one that nobody ever held."""
    if lock.leadership is Leadership.NEVER_HELD:
        return None
    reasons = Counter(takeover.reason for takeover in last_hour)
    why = ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items()))
    takeovers = count(len(last_hour), "takeover")
    told = f"{lock.name}: {takeovers} in the last hour" + (f" ({why})" if why else "")
    if len(last_hour) > TAKEOVERS_PER_HOUR_MAX:
        mend = (
            "it is flapping: `trt ops lock` shows when and why; expired and crashed ones are "
            "instances that die or stall"
        )
        return warn("takeovers", told, mend)
    return ok("takeovers", told)


def check_pooler(*, is_pooled: bool) -> Finding:
    """Judge the way to the server."""
    check = "connection"
    if not is_pooled:
        return ok(check, "direct: a crash is seen at once, and instances wake each other")
    return warn(
        check,
        "a pooler is in between, which keeps no session: a takeover after a crash waits until the "
        "lease expires (LEASE_TTL_S), and a wake-up between instances costs one short poll",
        "point DATABASE_URL to the server itself, or live with it: nothing is lost",
    )


def check_clocks(clocks: Clocks) -> Finding:
    """Judge the clocks; what the question's own duration could explain counts as nothing."""
    check = "clocks"
    ahead = "ahead of" if clocks.ahead_s > 0 else "behind"
    told = f"the database is {duration(abs(clocks.ahead_s))} {ahead} this machine"
    surely_s = abs(clocks.ahead_s) - clocks.uncertain_s
    mend = "let both machines follow one time server (NTP)"
    if surely_s > SKEW_FAIL_S:
        return fail(check, f"{told}: fresh taps may count as stale", mend)
    if surely_s > SKEW_WARN_S:
        return warn(check, told, mend)
    return ok(check, told)


def check_disk(disk: Disk) -> Finding:
    """Judge the room for an embedded database."""
    check = "disk"
    told = f"{size(disk.free_bytes)} free, the database has {size(disk.database_bytes)}"
    mend = "make room, or move DATA_DIR: a full disk refuses every update"
    if disk.free_bytes < FREE_FAIL_BYTES:
        return fail(check, told, mend)
    return warn(check, told, mend) if disk.free_bytes < FREE_WARN_BYTES else ok(check, told)


def check_books(audit: Audit) -> list[Finding]:
    """Judge the books; nothing may ever be wrong there."""
    if audit.is_balanced:
        return [ok(_BOOKS, "balanced: every account agrees with its transfers")]
    mend = "stop selling, keep a copy of the database, and look for who wrote it by its cid"
    found = [fail(_BOOKS, problem, mend) for problem in audit.problems[:PROBLEMS_SHOWN]]
    if (more := len(audit.problems) - PROBLEMS_SHOWN) > 0:
        found.append(fail(_BOOKS, f"and {count(more, 'more problem')}", mend))
    return found


def check_backlog(backlog: Backlog) -> list[Finding]:
    """Judge what waits, for how long, and what has gone wrong."""
    oldest_s = duration(backlog.inbox_oldest_s)
    inbox = f"{count(backlog.inbox, 'update')} not handled, the oldest for {oldest_s}"
    oldest_s = duration(backlog.outbox.oldest_age_s)
    outbox = f"{count(backlog.outbox.pending, 'message')} not sent, the oldest for {oldest_s}"
    return [
        _judged_by_age(
            "inbox",
            inbox if backlog.inbox else "every update is handled",
            backlog.inbox_oldest_s,
            (INBOX_WARN_S, INBOX_FAIL_S),
            "look who leads with `trt ops lock`, and for ACTOR_CRASHED in the log",
        ),
        _judged_by_age(
            "outbox",
            outbox if backlog.outbox.pending else "every message is sent",
            backlog.outbox.oldest_age_s,
            (OUTBOX_WARN_S, OUTBOX_FAIL_S),
            "look for MESSAGE_DELAYED and MESSAGE_UNKNOWN in the log: Telegram may be slow",
        ),
        _check_jobs(backlog),
        _check_dead(backlog),
    ]


def _check_jobs(backlog: Backlog) -> Finding:
    check = "jobs"
    told = f"{count(backlog.jobs, 'job')} under way"
    if not backlog.jobs_late:
        return ok(check, f"{told}, none past its deadline")
    late = f"{told}, {len(backlog.jobs_late)} long past the deadline: money is held"
    return fail(check, late, f"`trt ops trace {_some(backlog.jobs_late)}`; is a shard unled?")


def _check_dead(backlog: Backlog) -> Finding:
    check = "crashed taps"
    if not backlog.dead:
        return ok(check, "none in the last day")
    told = f"{len(backlog.dead)} in the last day: their senders were told, and got nothing"
    return warn(check, told, f"`trt ops trace {_some(backlog.dead)}` shows what crashed")


def _some(cids: Sequence[str]) -> str:
    return " | ".join(cids[:CIDS_SHOWN])


def _judged_by_age(
    check: str, told: str, age_s: float, bounds_s: tuple[float, float], mend: str
) -> Finding:
    warn_s, fail_s = bounds_s
    if age_s > fail_s:
        return fail(check, told, mend)
    return warn(check, told, mend) if age_s > warn_s else ok(check, told)
