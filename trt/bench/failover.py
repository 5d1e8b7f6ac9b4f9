"""`trt bench failover`: two instances, one active, and how long nobody is when that one goes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import frozen

from trt.bench.children import LOOPBACK, end_on_sigterm
from trt.bench.failover_balancer import Balancer
from trt.bench.failover_database import SharedDatabase, shared_database
from trt.bench.failover_outside import Outside
from trt.bench.failover_pair import Pair, Seat
from trt.bench.failover_rounds import CUTS, Arena, Round, Strike, play, warm_up
from trt.bench.failover_traffic import RETRY_S, Target, Traffic
from trt.bench.service_process import Place, place
from trt.sources import Sources

RATE_PER_S = 50.0
PLANNED_P50_TARGET_S = 0.15
PLANNED_TARGET_S = 0.3
CRASH_TARGET_S = 1.0
HANG_TARGET_S = 3.0
"""The longest gaps allowed. A crash that no server sees is a hang: the lease has to run out."""


@frozen(kw_only=True)
class StrikeReport:
    """All rounds of one kind."""

    strike: Strike
    rounds: Sequence[Round]
    p50_s: float
    p95_s: float
    max_s: float
    target_s: float
    """For the longest gap."""
    target_p50_s: float | None
    is_met: bool
    """The targets are reached, nothing was lost or done twice, nobody was kept waiting."""


@frozen(kw_only=True)
class FailoverReport:
    """What came of the bench."""

    engine: str
    rate_per_s: float
    strikes: Sequence[StrikeReport]

    @property
    def is_met(self) -> bool:
        """Whether every kind of strike went as it should."""
        return all(one.is_met for one in self.strikes)


@asynccontextmanager
async def arena(
    folder: Path,
    database: SharedDatabase,
    sources: Sources,
    *,
    rate_per_s: float = RATE_PER_S,
    retry_s: Sequence[float] = RETRY_S,
) -> AsyncIterator[Arena]:
    """Start the outside world and both instances; all are gone afterwards.

    Args:
        folder: An empty one for logs.
        database: What both instances share.
        sources: Time.
        rate_per_s: Updates per second.
        retry_s: The pauses before an update is posted again.

    Raises:
        ChildFailed: An instance did not start.
    """
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host=LOOPBACK)
        port: int = listener.socket.getsockname()[1]
        places = [_place(folder / f"instance-{seat}", port) for seat in (0, 1)]
        config = places[0].config
        balancer = Balancer(config.webhook_secret_token.reveal())
        traffic = Traffic(
            target=Target(ports=[at.config.port for at in places], path=config.webhook_path),
            rate_per_s=rate_per_s,
            retry_s=retry_s,
            sources=sources,
            balancer=balancer,
        )
        outside = Outside(sources=sources, call_back=traffic.call_back)
        nursery.start_soon(end_on_sigterm)
        await nursery.start(outside.serve, listener)
        pair = Pair(seats=(_seat(0, places, database), _seat(1, places, database)), nursery=nursery)
        await pair.start()
        async with database.open() as books:
            yield Arena(
                pair=pair,
                traffic=traffic,
                outside=outside,
                database=database,
                secret_token=balancer.secret_token,
                books=books,
                sources=sources,
            )
        balancer.close()
        nursery.cancel_scope.cancel()


def bench_failover(
    engine: str,
    folder: Path,
    sources: Sources,
    *,
    strikes: Sequence[Strike],
    rounds: int,
    on_round: Callable[[Round], None],
) -> FailoverReport:
    """Strike `rounds` times in each way; runs trio itself.

    Args:
        engine: One of `failover_database.ENGINES`.
        folder: An empty one for databases and logs.
        sources: Time.
        strikes: In which ways; at least those that the engine knows, see `strikes_at`.
        rounds: How often each.
        on_round: Is told of each round when it is over.

    Raises:
        ChildFailed: An instance did not do its part.
    """

    async def play_all(hall: Path, database: SharedDatabase, ways: Sequence[Strike]) -> None:
        async with arena(hall, database, sources) as place:
            await warm_up(place)
            for strike in ways:
                played = []
                for _ in range(rounds):
                    played.append(await play(place, strike))
                    on_round(played[-1])
                reports.append(report(strike, played, is_told=database.tells_standby))

    reports: list[StrikeReport] = []
    for can_be_cut in (False, True):
        ways = [strike for strike in strikes if (strike in CUTS) is can_be_cut]
        if ways:
            hall = folder / ("cut" if can_be_cut else "direct")
            hall.mkdir()
            with shared_database(engine, hall, sources, can_be_cut=can_be_cut) as database:
                trio.run(play_all, hall, database, ways)
    return FailoverReport(engine=engine, rate_per_s=RATE_PER_S, strikes=reports)


def strikes_at(engine: str) -> Sequence[Strike]:
    """Return the strikes that there are with an engine."""
    return (Strike.PLANNED, Strike.KILL) if engine == "sqlite" else tuple(Strike)


def report(strike: Strike, rounds: Sequence[Round], *, is_told: bool) -> StrikeReport:
    """Sum up the rounds of one kind.

    Args:
        strike: Which.
        rounds: At least one.
        is_told: Whether the engine tells the standby that the holder is gone.
    """
    gaps_s = sorted(one.gap_s for one in rounds)
    target_s = _target_s(strike, is_told=is_told)
    p50_target_s = PLANNED_P50_TARGET_S if strike is Strike.PLANNED else None
    p50_s = _quantile(gaps_s, 0.5)
    is_quick = gaps_s[-1] < target_s and (p50_target_s is None or p50_s < p50_target_s)
    return StrikeReport(
        strike=strike,
        rounds=rounds,
        p50_s=p50_s,
        p95_s=_quantile(gaps_s, 0.95),
        max_s=gaps_s[-1],
        target_s=target_s,
        target_p50_s=p50_target_s,
        is_met=is_quick
        and all(
            not one.problems and not one.accounts.late_callbacks and one.accounts.updates > 0
            for one in rounds
        ),
    )


def _target_s(strike: Strike, *, is_told: bool) -> float:
    match strike:
        case Strike.PLANNED:
            return PLANNED_TARGET_S
        case Strike.KILL if is_told:
            return CRASH_TARGET_S
        case _:
            return HANG_TARGET_S


def _quantile(in_order: Sequence[float], share: float) -> float:
    return in_order[min(len(in_order) - 1, int(share * len(in_order)))]


def _place(folder: Path, outside_port: int) -> Place:
    folder.mkdir()
    return place(folder, outside_port)


def _seat(number: int, places: Sequence[Place], database: SharedDatabase) -> Seat:
    at = places[number]
    environment = {
        **at.environment,
        **database.environment(number),
        "LOG_LEVEL": "INFO",
        "WELCOME_BALANCE_RUB": "20",
        # An order that a strike cut off before it reached KIE is refunded within the round.
        "SUBMIT_GRACE_S": "2",
    }
    return Seat(
        number=number,
        port=at.config.port,
        environment=environment,
        folder=at.said.parent,
    )
