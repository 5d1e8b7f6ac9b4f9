"""`trt bench ingest`: durably accepted updates per second, beside a responder that does nothing."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from attrs import frozen

from trt.bench.children import run_load, server
from trt.bench.evidence import evidence
from trt.bench.load import LoadOrder, LoadResult
from trt.bench.service_process import Place, place, service, take_lease
from trt.sources import Sources

RATIO_TARGET = 0.7
RATE_PER_S = 300.0
USERS = 2_000
"""Of an active service: they come back, so sessions are both started and found."""
USERS_OF_PASSIVE = 1
"""A passive service notifies each user once a minute; that is not what is measured."""


@frozen(kw_only=True)
class Round:
    """Three loads, one after the other, on the same machine at nearly the same time."""

    bare: LoadResult
    """The bare responder."""
    accepting: LoadResult
    """`trt run` while another instance leads: commits and acknowledges, handles nothing."""
    working: LoadResult
    """`trt run` alone: the same process also handles every update that it accepts."""


@frozen(kw_only=True)
class IngestReport:
    """What came of the bench."""

    connections: int
    rounds: Sequence[Round]
    paced_accepting: LoadResult
    """Open loop at `paced_rate_per_s` to a service that only accepts."""
    paced_working: LoadResult
    """The same to a service that also handles what it accepts."""
    paced_rate_per_s: float
    acknowledged: int
    """Over all loads of the service; each has a database of its own."""
    inbox_rows: int
    """In those databases afterwards."""
    ratio_accepting: float
    """Median over the rounds of accepting / bare."""
    ratio_working: float
    ratio_target: float = RATIO_TARGET


@frozen(kw_only=True)
class _Served:
    """One load of the service and what its database says."""

    load: LoadResult
    inbox_rows: int


@frozen(kw_only=True)
class IngestBench:
    """The bench; `run` is all of it."""

    folder: Path
    """An empty one for databases and logs."""
    sources: Sources
    connections: int
    seconds: float
    """Per load."""
    rounds: int
    rate_per_s: float = RATE_PER_S

    async def run(self) -> IngestReport:
        """Measure and count.

        Raises:
            ChildFailed: A process ended or did not become ready.
        """
        rounds: list[Round] = []
        served: list[_Served] = []
        async with server("trt.bench.instant_telegram", self._log) as telegram_port:
            for _ in range(self.rounds):
                bare = await self._load_bare()
                accepting = await self._load_service(self._place(telegram_port), is_active=False)
                working = await self._load_service(self._place(telegram_port), is_active=True)
                served += [accepting, working]
                rounds.append(Round(bare=bare, accepting=accepting.load, working=working.load))
            paced = [
                await self._load_service(
                    self._place(telegram_port), is_active=is_active, rate_per_s=self.rate_per_s
                )
                for is_active in (False, True)
            ]
            served += paced
        return IngestReport(
            connections=self.connections,
            rounds=rounds,
            paced_accepting=paced[0].load,
            paced_working=paced[1].load,
            paced_rate_per_s=self.rate_per_s,
            acknowledged=sum(one.load.acknowledged for one in served),
            inbox_rows=sum(one.inbox_rows for one in served),
            ratio_accepting=median(r.accepting.rate_per_s / r.bare.rate_per_s for r in rounds),
            ratio_working=median(r.working.rate_per_s / r.bare.rate_per_s for r in rounds),
        )

    @property
    def _log(self) -> Path:
        return self.folder / "children.log"

    def _place(self, telegram_port: int) -> Place:
        folder = self.folder / f"service-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return place(folder, telegram_port)

    async def _load_bare(self) -> LoadResult:
        async with server("trt.bench.bare_responder", self._log) as port:
            order = LoadOrder(
                port=port,
                path="/webhook/" + "0" * 32,
                secret_token="0" * 32,
                connections=self.connections,
                users=USERS,
                number_first=0,
                seconds=self.seconds,
            )
            return await run_load(order, self._log)

    async def _load_service(
        self, at: Place, *, is_active: bool, rate_per_s: float | None = None
    ) -> _Served:
        if not is_active:
            await take_lease(at, self.sources)
        async with service(at):
            order = at.order(
                connections=self.connections,
                users=USERS if is_active else USERS_OF_PASSIVE,
                seconds=self.seconds,
                rate_per_s=rate_per_s,
            )
            load = await run_load(order, self._log)
            rows = evidence(at.database_path)
        return _Served(load=load, inbox_rows=rows.inbox)
