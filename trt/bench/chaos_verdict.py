"""What came of `trt bench chaos`: what was seen outside beside what the database says; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import Factory, define, frozen

from trt.bench.chaos_books import Kept, KeptJob
from trt.bench.chaos_outside import SeenMessage

KILLED_WITHIN_S = 2.0
"""How long after a message arrived its sender may be killed and not have written that down."""
UNDER_WAY_S = 1.0
"""How long a call may be under way whose sender is dead."""
RELIEVED_WITHIN_S = 5.0
"""… or be relieved: it was frozen, and its lease ran out."""
LISTED_MAX = 5
"""So many of a kind of problem are named; the others are counted."""

CHARGED = {"pending": 1, "post": 1}
REFUNDED = {"pending": 1, "void": 1}


@frozen(kw_only=True)
class SeenTask:
    """A generation that KIE made."""

    task_id: str
    job_id: str
    """The one that its callback address names."""


@frozen(kw_only=True)
class Seen:
    """What everybody outside has."""

    buyers: Sequence[int]
    updates: Sequence[int]
    """Acknowledged ones, by update id."""
    dropped: Sequence[int]
    """Those that Telegram gave up."""
    taps: Sequence[str]
    """By callback query id."""
    answered: frozenset[str]
    """In time."""
    answers_arrived: frozenset[str]
    tasks: Sequence[SeenTask]
    messages: Sequence[SeenMessage]
    """In order of arrival."""
    kills_s: Sequence[float]
    takeovers_s: Sequence[float]
    """When, in seconds since the epoch."""


@frozen(kw_only=True)
class Verdict:
    """The accounts; `problems` says in words what should not be."""

    jobs: int
    delivered: int
    refunded: int
    refund_reasons: Mapping[str, int]
    came_late: int
    """Results handed over for nothing, after the refund."""
    results: int
    """Pictures in chats."""
    results_twice: int
    """Of these, those that a chat had already."""
    messages: int
    twice_lost: int
    """Messages that are there without being in the outbox, because their answer was lost."""
    twice_killed: int
    """… because their sender was killed before it could write them down."""
    twice_relieved: int
    """… because their sender lost the lease before it could write them down."""
    sends_ambiguous: int
    told_ambiguous: int
    tasks: int
    orphans: int
    """Tasks at KIE that no job took; each of a createTask of unknown fate."""
    taps: int
    taps_late: int
    """Whose answer came when the spinner had stopped by itself."""
    updates: int
    problems: tuple[str, ...]


@define
class _Problems:
    """Problems by kind, of each some in words."""

    _by_kind: dict[str, list[str]] = Factory(dict)

    def add(self, kind: str, what: object) -> None:
        self._by_kind.setdefault(kind, []).append(str(what))

    def listed(self) -> Iterable[str]:
        for kind, found in self._by_kind.items():
            yield from (f"{kind}: {what}" for what in found[:LISTED_MAX])
            if len(found) > LISTED_MAX:
                yield f"{kind}: {len(found) - LISTED_MAX} more"


def judge(kept: Kept, seen: Seen) -> Verdict:
    """Compare what is kept with what was seen."""
    problems = _Problems()
    photos = Counter(one.chat_id for one in seen.messages if _is_result(one))
    _judge_updates(kept, seen, problems)
    _judge_jobs(kept, seen, photos, problems)
    orphans = _judge_tasks(kept, seen, problems)
    twice = _judge_messages(kept, seen, problems)
    for callback_id in seen.taps:
        if callback_id not in seen.answers_arrived:
            problems.add("tap never answered", callback_id)
    for what, number in kept.unfinished.items():
        problems.add("not settled", f"{number} {what}")
    for problem in kept.book_problems:
        problems.add("books", problem)
    failed = [job for job in kept.jobs if job.state == "failed"]
    return Verdict(
        jobs=len(kept.jobs),
        delivered=sum(job.state == "delivered" for job in kept.jobs),
        refunded=len(failed),
        refund_reasons=Counter(job.reason or "?" for job in failed),
        came_late=sum(job.has_result for job in failed),
        results=photos.total(),
        results_twice=photos.total() - len(photos),
        messages=len(seen.messages),
        twice_lost=twice["lost"],
        twice_killed=twice["killed"],
        twice_relieved=twice["relieved"],
        sends_ambiguous=kept.sends_ambiguous,
        told_ambiguous=kept.told_ambiguous,
        tasks=len(seen.tasks),
        orphans=orphans,
        taps=len(seen.taps),
        taps_late=sum(tap not in seen.answered for tap in seen.taps),
        updates=len(seen.updates),
        problems=tuple(problems.listed()),
    )


def _judge_updates(kept: Kept, seen: Seen, problems: _Problems) -> None:
    for update_id in seen.updates:
        state = kept.updates.get(update_id, "absent")
        if state != "done":
            problems.add("update lost", f"{update_id} is {state}")
    for update_id in seen.dropped:
        problems.add("update given up by Telegram", update_id)


def _judge_jobs(kept: Kept, seen: Seen, photos: Mapping[int, int], problems: _Problems) -> None:
    """One job for each buyer: delivered and charged once, or failed and refunded once."""
    by_buyer: dict[int, list[KeptJob]] = {}
    for job in kept.jobs:
        by_buyer.setdefault(job.user_id, []).append(job)
    for buyer in seen.buyers:
        if len(by_buyer.get(buyer, [])) != 1:
            problems.add("orders", f"{buyer} has {len(by_buyer.get(buyer, []))} jobs")
    for job in kept.jobs:
        pictures = photos.get(job.user_id, 0)
        match job.state:
            case "delivered" if job.transfers != CHARGED:
                problems.add("charge", f"{job.job_id} is delivered with {dict(job.transfers)}")
            case "delivered" if job.results_sent != 1 or not pictures:
                sent = f"{job.results_sent} results sent, {pictures} there"
                problems.add("delivery", f"{job.job_id} is delivered with {sent}")
            case "failed" if job.transfers != REFUNDED:
                problems.add("refund", f"{job.job_id} is failed with {dict(job.transfers)}")
            case "failed" if pictures and not job.has_result:
                problems.add(
                    "delivery", f"{job.job_id} is failed and {pictures} pictures are there"
                )
            case "delivered" | "failed":
                pass
            case state:
                problems.add("job not ended", f"{job.job_id} is {state}")


def _judge_tasks(kept: Kept, seen: Seen, problems: _Problems) -> int:
    """Return how many tasks no job took; only an order of unknown fate may have one."""
    jobs = {job.job_id: job for job in kept.jobs}
    taken = {job.task_id for job in kept.jobs}
    orphans = 0
    for task in seen.tasks:
        job = jobs.get(task.job_id)
        if job is None:
            problems.add("orphan", f"task {task.task_id} of no job")
        elif task.task_id not in taken:
            orphans += 1
            if not job.creates_ambiguous:
                problems.add("orphan", f"task {task.task_id} of {job.job_id}, which knew its fate")
    made = Counter(task.job_id for task in seen.tasks)
    for job_id, number in made.items():
        if number > 1:
            problems.add("ordered twice", f"{job_id} has {number} tasks at KIE")
    known = {task.task_id for task in seen.tasks}
    for job in kept.jobs:
        if job.task_id is not None and job.task_id not in known:
            problems.add("orphan", f"{job.job_id} has a task that KIE does not know")
    return orphans


def _judge_messages(kept: Kept, seen: Seen, problems: _Problems) -> Counter[str]:
    """Count the messages that no outbox row knows, by why that may be."""
    why: Counter[str] = Counter()
    for message in seen.messages:
        if message.is_notice or (message.chat_id, message.message_id) in kept.messages:
            continue
        if message.is_answer_lost:
            why["lost"] += 1
        elif _follows(message, seen.kills_s, KILLED_WITHIN_S):
            why["killed"] += 1
        elif _follows(message, seen.takeovers_s, RELIEVED_WITHIN_S):
            why["relieved"] += 1
        else:
            what = f"{message.method} to {message.chat_id}, message {message.message_id}"
            problems.add("message twice", what)
    return why


def _follows(message: SeenMessage, times_s: Sequence[float], within_s: float) -> bool:
    return any(-UNDER_WAY_S <= at_s - message.at_s <= within_s for at_s in times_s)


def _is_result(message: SeenMessage) -> bool:
    return message.method == "sendPhoto"
