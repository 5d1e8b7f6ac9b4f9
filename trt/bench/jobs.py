"""`trt bench jobs`: many generations in flight on one instance: memory, polls, processor."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import trio
from attrs import evolve, frozen

from trt.assets import asset
from trt.bench.children import LOOPBACK, child, server
from trt.bench.flow_service import Usage
from trt.bench.instant_kie import COUNT_PATH, Polls
from trt.bench.service_process import Place, ask_usage, place, wait_ready
from trt.domain.ids import ChatId, Cid, DraftId, JobId, ModelId, Shard, TaskId, UserId
from trt.domain.job import Job, JobState
from trt.kie.poll_pacer import KIE_POLLS_MAX, PacerTerms
from trt.sources import Sources
from trt.storage import jobs, ledger
from trt.storage.database import Transaction
from trt.storage.engines import SQLiteAddress
from trt.storage.ledger import Reserved
from trt.storage.migrate import migrate
from trt.storage.sqlite import open_sqlite

MODEL = ModelId("kling-2.6/text-to-video")
LASTS_S = 180.0
"""A clip's usual time: the jobs are as old as those of a service at work."""
PRICE_KOPECKS = 100
SETTLE_S = 3.0
"""After it is ready: every job has its actor by then."""


@frozen(kw_only=True)
class JobsReport:
    """What came of the bench."""

    jobs: int
    seconds: float
    rss_kib_per_job: float
    """Of the resident set's peak, less that of a service without jobs."""
    polls_per_s: float
    polls_per_s_max: int
    """In the busiest second."""
    task_polls_per_s_max: int
    """Of one task, in its busiest second; KIE takes `KIE_POLLS_MAX`."""
    polls_allowed_per_s: float
    """By ourselves, for all tasks together."""
    cpu_ms_per_poll: float
    """Less what a service without jobs spends in that time."""
    cpu_percent: float
    """Of one processor, all in all."""

    @property
    def is_within_limits(self) -> bool:
        """Whether the polls kept to KIE's limit, and about to our own, by the counter's clock."""
        is_within_own = self.polls_per_s_max <= self.polls_allowed_per_s * 1.2
        return is_within_own and self.task_polls_per_s_max <= KIE_POLLS_MAX


@frozen
class _Run:
    usage: Usage
    cpu_s: float
    polls: Polls


async def bench_jobs(
    folder: Path, sources: Sources, *, jobs_max: int, seconds: float
) -> JobsReport:
    """Run the bench.

    Args:
        folder: An empty one for databases and logs.
        sources: The real ones.
        jobs_max: How many jobs are in flight.
        seconds: How long each of the two runs is watched.

    Raises:
        ChildFailed: A process ended.
    """
    async with (
        server("trt.bench.instant_telegram", folder / "telegram.log") as telegram_port,
        server("trt.bench.instant_kie", folder / "kie.log") as kie_port,
    ):
        idle = await _run(folder / "idle", sources, telegram_port, kie_port, 0, seconds)
        busy = await _run(folder / "busy", sources, telegram_port, kie_port, jobs_max, seconds)
    polls = busy.polls.polls - idle.polls.polls
    extra_kib = busy.usage.rss_kib_peak - idle.usage.rss_kib_peak
    return JobsReport(
        jobs=jobs_max,
        seconds=seconds,
        rss_kib_per_job=extra_kib / jobs_max,
        polls_per_s=polls / seconds,
        polls_per_s_max=busy.polls.per_s_max,
        task_polls_per_s_max=busy.polls.task_per_s_max,
        polls_allowed_per_s=PacerTerms().polls_max_per_s,
        cpu_ms_per_poll=1000 * (busy.cpu_s - idle.cpu_s) / max(1, polls),
        cpu_percent=100 * busy.cpu_s / seconds,
    )


async def _run(
    folder: Path, sources: Sources, telegram_port: int, kie_port: int, count: int, seconds: float
) -> _Run:
    at = _place(folder, telegram_port, kie_port)
    await _fill(at, sources, count)
    async with child(["trt.bench.flow_service"], at.said) as process, httpx.AsyncClient() as http:
        assert process.stdin is not None
        await process.stdin.send_all(msgspec.json.encode(at.environment) + b"\n")
        await wait_ready(at, process)
        await trio.sleep(SETTLE_S)
        before, polls = await ask_usage(process, at), await _polls(http, kie_port)
        await trio.sleep(seconds)
        after, polls_after = await ask_usage(process, at), await _polls(http, kie_port)
    own = evolve(polls_after, polls=polls_after.polls - polls.polls)
    return _Run(usage=after, cpu_s=after.cpu_s - before.cpu_s, polls=own)


def _place(folder: Path, telegram_port: int, kie_port: int) -> Place:
    folder.mkdir()
    return place(folder, telegram_port, kie_port)


async def _fill(at: Place, sources: Sources, count: int) -> None:
    migrate(SQLiteAddress(at.database_path), asset("migrations"), now=sources.now())
    async with open_sqlite(at.database_path, now=sources.now) as db:
        await db.transact(_insert, sources, count)


def _insert(tx: Transaction, sources: Sources, count: int) -> None:
    """Store jobs that KIE has, each with its money held, as old as `LASTS_S` at most."""
    now, shard = sources.now(), Shard(0)
    for number in range(1, count + 1):
        job = _job(number, now - timedelta(seconds=LASTS_S * number / count), now)
        ledger.open_account(tx, job.user_id, shard=shard)
        ledger.grant(
            tx,
            user_id=job.user_id,
            amount_kopecks=PRICE_KOPECKS,
            purpose="welcome",
            cid=job.cid,
            epoch=0,
            now=now,
        )
        reserved = ledger.reserve(
            tx,
            job_id=job.job_id,
            user_id=job.user_id,
            amount_kopecks=PRICE_KOPECKS,
            cid=job.cid,
            epoch=0,
            now=now,
        )
        assert isinstance(reserved, Reserved)
        assert jobs.insert(tx, job, shard=shard, epoch=0)


def _job(number: int, submitted_at: datetime, now: datetime) -> Job:
    return Job(
        job_id=JobId(f"{number:032x}"),
        user_id=UserId(number),
        chat_id=ChatId(number),
        draft_id=DraftId(f"{number:08x}"),
        model_id=MODEL,
        params={"prompt": "bench"},
        price_kopecks=PRICE_KOPECKS,
        language="en",
        cid=Cid(f"{number:08x}"),
        created_at=submitted_at,
        deadline_at=now + timedelta(days=1),
        state=JobState.RUNNING,
        attempt=1,
        task_id=TaskId(f"task-{number}"),
        submitted_at=submitted_at,
    )


async def _polls(http: httpx.AsyncClient, port: int) -> Polls:
    answer = await http.get(f"http://{LOOPBACK}:{port}{COUNT_PATH}")
    return msgspec.json.decode(answer.content, type=Polls)
