"""`trt bench chaos`: kills and misfortunes while people order; everybody has what is theirs."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import trio
from attrs import frozen

from trt.bench import chaos_books
from trt.bench.chaos_fleet import Fleet, Seat
from trt.bench.chaos_outside import Outside
from trt.bench.chaos_people import People
from trt.bench.chaos_plan import ChaosPlan, Luck, Misfortune
from trt.bench.chaos_stage import open_outside
from trt.bench.chaos_verdict import Seen, SeenTask, Verdict, judge
from trt.bench.children import ChildFailed, end_on_sigterm, free_port
from trt.bench.failover_database import SharedDatabase, shared_database
from trt.bench.service_process import Place, place
from trt.sandbox.kie_task import FakeTask
from trt.sources import Sources
from trt.storage.database import Database

WELCOME_RUB = 20
"""Pays for one picture and not for two."""
SEATS = 2
SETTLE_WITHIN_S = 300.0
"""After the last kill and the last order: a file on its way may take three minutes."""
LOOK_EVERY_S = 0.5
NEWS_EVERY_S = 15.0

News = Callable[[str], None]


@frozen(kw_only=True)
class ChaosReport:
    """What came of the bench."""

    engine: str
    plan: ChaosPlan
    verdict: Verdict
    kills: int
    kills_of_holders: int
    starts: int
    takeovers: int
    """More than there were kills, and some holder lost the lease by being too slow."""
    misfortunes: Mapping[str, int]
    """By what was done to Telegram's calls, KIE's calls and callbacks."""
    took_s: float
    problems: tuple[str, ...]
    """Everything that should not be, in words."""


def bench_chaos(
    engine: str, folder: Path, sources: Sources, plan: ChaosPlan, on_news: News
) -> ChaosReport:
    """Run the bench; runs trio itself.

    Args:
        engine: One of `failover_database.ENGINES`.
        folder: An empty one for databases and logs.
        sources: Time and ids.
        plan: What is to happen.
        on_news: Is told how it goes, now and then.

    Raises:
        ChildFailed: The instances do not even start.
    """
    with shared_database(engine, folder, sources, can_be_cut=False) as database:
        try:
            return trio.run(live_through, plan, database, folder, sources, on_news)
        except ExceptionGroup as together:
            failed = together.subgroup(ChildFailed)
            if failed is None:
                raise
            raise _first(failed) from None


async def live_through(
    plan: ChaosPlan, database: SharedDatabase, folder: Path, sources: Sources, on_news: News
) -> ChaosReport:
    """Let everything happen to two instances, wait until all has settled, and judge.

    Args:
        plan: What is to happen.
        database: What both instances share; empty.
        folder: Where they keep their logs.
        sources: Time and ids.
        on_news: Is told how it goes, now and then.

    Raises:
        ExceptionGroup: Of ChildFailed: the instances do not even start.
    """
    began_s = trio.current_time()
    luck = Luck(plan)
    ports = free_port(), free_port()
    places = [_place(folder / f"instance-{number}", ports) for number in range(SEATS)]
    async with open_outside(plan, sources, luck, places) as outside, trio.open_nursery() as nursery:
        nursery.start_soon(end_on_sigterm)
        seats = [_seat(number, places, database, plan) for number in range(SEATS)]
        fleet, people = Fleet(seats, sources), People(outside.telegram, luck)
        nursery.start_soon(fleet.run)
        await fleet.wait_holder()
        async with database.open() as db, trio.open_nursery() as telling:
            telling.start_soon(_tell_news, on_news, fleet, people, db)
            async with trio.open_nursery() as happening:
                happening.start_soon(people.order_all, plan.order_pauses_s())
                happening.start_soon(fleet.strike, plan.kill_pauses_s(), luck)
            await _settle(outside, db)
            fleet.note_running()
            verdict = judge(await db.transact(chaos_books.read), _seen(outside, people, fleet))
            telling.cancel_scope.cancel()
        nursery.cancel_scope.cancel()
    return ChaosReport(
        engine=database.engine,
        plan=plan,
        verdict=verdict,
        kills=len(fleet.kills),
        kills_of_holders=sum(kill.was_holder for kill in fleet.kills),
        starts=fleet.starts,
        takeovers=len(fleet.takeovers_s),
        misfortunes=_misfortunes(luck, outside.kie.tasks),
        took_s=trio.current_time() - began_s,
        problems=(*_named(people.problems), *_named(fleet.problems), *verdict.problems),
    )


def _first(failed: ExceptionGroup[ChildFailed]) -> ChildFailed:
    one = failed.exceptions[0]
    return _first(one) if isinstance(one, ExceptionGroup) else one


def _named(problems: Sequence[str], most: int = 10) -> Sequence[str]:
    """Return each problem once, with how often it was there, and not too many of them."""
    counted = Counter(problems).most_common(most)
    return [what if number == 1 else f"{what} ({number} times)" for what, number in counted]


async def _settle(outside: Outside, db: Database) -> None:
    """Wait until nothing is under way any more: posts, updates, jobs, replies, money."""
    with trio.move_on_after(SETTLE_WITHIN_S):
        while await _is_busy(outside, db):  # noqa: ASYNC110 - other processes
            await trio.sleep(LOOK_EVERY_S)


async def _is_busy(outside: Outside, db: Database) -> bool:
    under_way = await db.transact(chaos_books.unfinished)
    return bool(outside.telegram.pending or under_way)


async def _tell_news(on_news: News, fleet: Fleet, people: People, db: Database) -> None:
    while True:
        await trio.sleep(NEWS_EVERY_S)
        ended = await db.transact(chaos_books.ended_jobs)
        on_news(f"{len(fleet.kills)} kills, {len(people.buyers)} orders, {ended} ended")


def _place(folder: Path, ports: tuple[int, int]) -> Place:
    folder.mkdir()
    telegram_port, kie_port = ports
    return place(folder, telegram_port, kie_port)


def _seat(number: int, places: Sequence[Place], database: SharedDatabase, plan: ChaosPlan) -> Seat:
    at = places[number]
    environment = {
        **at.environment,
        **database.environment(number),
        # One address for both, as behind a balancer.
        "WEBHOOK_BASE_URL": places[0].environment["WEBHOOK_BASE_URL"],
        "LOG_LEVEL": "INFO",
        "WELCOME_BALANCE_RUB": str(WELCOME_RUB),
        "SUBMIT_GRACE_S": str(plan.submit_grace_s),
    }
    return Seat(number=number, environment=environment, folder=at.said.parent)


def _seen(outside: Outside, people: People, fleet: Fleet) -> Seen:
    telegram = outside.telegram
    answers = {tap.callback_id: telegram.user(tap.user_id).answer(tap) for tap in people.taps}
    posted = [telegram.update(update_id) for update_id in people.updates]
    return Seen(
        buyers=people.buyers,
        updates=[one.update_id for one in posted if one.delivered_at is not None],
        dropped=[one.update_id for one in telegram.dropped],
        taps=[tap.callback_id for tap in people.taps],
        answered=frozenset(tap for tap, answer in answers.items() if answer is not None),
        answers_arrived=frozenset(outside.answers_arrived),
        tasks=[SeenTask(task_id=task.task_id, job_id=_job_of(task)) for task in outside.kie.tasks],
        messages=outside.messages,
        kills_s=[kill.at_s for kill in fleet.kills],
        takeovers_s=fleet.takeovers_s,
    )


def _job_of(task: FakeTask) -> str:
    """Return the job that a task's callback address names: `/callbacks/kie/<job>/<signature>`."""
    return urlsplit(task.callback_url or "").path.split("/")[-2]


def _misfortunes(luck: Luck, tasks: Sequence[FakeTask]) -> Mapping[str, int]:
    callbacks = [task.callbacks for task in tasks]
    return {
        **{each: luck.times(each) for each in Misfortune if each is not Misfortune.NONE},
        "callbacks lost": sum(one.copies == 0 for one in callbacks),
        "callbacks twice": sum(one.copies > 1 for one in callbacks),
        "callbacks early": sum(one.is_before_answer for one in callbacks),
    }
