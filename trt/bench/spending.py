"""What CPU time is spent on, by part of the service: cProfile's figures, charged up the calls."""

import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from attrs import field, frozen

WEB = "web: hypercorn, routes"
INGRESS = "ingress: read, commit, hand on"
HANDLING = "handling: dispatch, dialog, its SQL"
DELIVERY = "delivery: outbox, client, httpx"
TELEMETRY = "telemetry: events, log, metrics"
STORAGE = "storage: queue, savepoints, commits"
RUNTIME = "runtime: actors, trio"
OTHER = "anything else"

PARTS: Mapping[str, str] = {
    "hypercorn": WEB,
    "quart": WEB,
    "trt.web": WEB,
    "trt.actors.door": WEB,
    "trt.actors.reception": INGRESS,
    "trt.actors.update_ingress": INGRESS,
    "trt.actors.ingress_channel": INGRESS,
    "trt.storage.inbox.store": INGRESS,
    "trt.actors": HANDLING,
    "trt.domain": HANDLING,
    "trt.actors.delivery": DELIVERY,
    "trt.actors.delivery_lane": DELIVERY,
    "trt.actors.pace": DELIVERY,
    "trt.actors.sending": DELIVERY,
    "trt.actors.result_sending": DELIVERY,
    "trt.actors.fates": DELIVERY,
    "trt.storage.outbox.claim": DELIVERY,
    "trt.storage.outbox.mark": DELIVERY,
    "trt.telegram.client": DELIVERY,
    "httpx": DELIVERY,
    "httpcore": DELIVERY,
    "trt.telemetry": TELEMETRY,
    "trt.actors.event_log": TELEMETRY,
    "trt.actors.metrics": TELEMETRY,
    "trt.storage.app_events": TELEMETRY,
    "structlog": TELEMETRY,
    "prometheus_client": TELEMETRY,
    "trt.storage.sqlite": STORAGE,
    "trt.storage.commit_group": STORAGE,
    "trt.storage.fence": STORAGE,
    "trt.storage.lease": STORAGE,
    "trt.supervision": RUNTIME,
    "trio": RUNTIME,
}
"""Whose time is whose, by the longest prefix. What is not listed, h11 or json or a table's SQL,
works for its callers, and they are charged."""

ROUNDS_MAX = 40
"""How far a charge may travel up the calls; recursion among the unlisted would never end."""

Place = tuple[str, int, str]
"""File, line and function, as cProfile names them."""
Callers = Mapping[Place, tuple[int, int, float, float]]
"""For each caller: calls, primitive calls, own time and whole time in this function."""
TIMER_PROBES = 10_000


class Spending:
    """A profile of one thread, in CPU time of that thread, so that waiting costs nothing."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile(time.thread_time)

    def open(self) -> None:
        """Begin; must be called in the thread in question.

        Before Python 3.12 each thread has its own profiler. From then on one excludes another,
        and a second `open` in the process raises ValueError.
        """
        self._profile.enable()

    def close(self) -> None:
        """End; must be called in the thread in question."""
        self._profile.disable()

    def by_part(self) -> dict[str, float]:
        """Return the CPU seconds of each part."""
        return by_part(pstats.Stats(self._profile), clock_reading_s())


def clock_reading_s() -> float:
    """Return what it costs to read the profile's clock once; that is no small part of a call."""
    began_s = time.thread_time()
    for _ in range(TIMER_PROBES):
        time.thread_time()
    return (time.thread_time() - began_s) / TIMER_PROBES


def by_part(stats: pstats.Stats, timer_s: float) -> dict[str, float]:
    """Charge each function's own time to its part, or to its callers' in proportion.

    Args:
        stats: A profile.
        timer_s: What reading its clock cost. Each call reads it twice: about half of both
            readings fell into the function, the other halves into its caller.
    """
    table: Mapping[Place, tuple[int, int, float, float, Callers]] = vars(stats)["stats"]
    readings: defaultdict[Place, int] = defaultdict(int)
    for place, row in table.items():
        readings[place] += row[1]
        for caller, called in row[4].items():
            readings[caller] += called[0]
    open_s = {place: max(0.0, row[2] - readings[place] * timer_s) for place, row in table.items()}
    spent_s: defaultdict[str, float] = defaultdict(float)
    shares = _Shares({place: row[4] for place, row in table.items()})
    for _ in range(ROUNDS_MAX):
        passed_up: defaultdict[Place, float] = defaultdict(float)
        for place, seconds in open_s.items():
            part = part_of(place)
            callers = shares.of(place)
            if part is None and callers:
                for caller, share in callers:
                    passed_up[caller] += seconds * share
            else:
                spent_s[part or OTHER] += seconds
        open_s = passed_up
    spent_s[OTHER] += sum(open_s.values())
    return spent_s


@frozen
class _Shares:
    """For which share of a function's time each caller is to blame."""

    _callers: Mapping[Place, Callers]
    _known: dict[Place, tuple[tuple[Place, float], ...]] = field(factory=dict)

    def of(self, place: Place) -> tuple[tuple[Place, float], ...]:
        if place not in self._known:
            self._known[place] = tuple(_shares(place, self._callers.get(place, {})))
        return self._known[place]


def _shares(place: Place, callers: Callers) -> Iterable[tuple[Place, float]]:
    others = {caller: row[2] for caller, row in callers.items() if caller != place}
    total = sum(others.values())
    return ((caller, own / total) for caller, own in others.items()) if total > 0 else ()


def part_of(place: Place) -> str | None:
    """Return the part that a function belongs to, or None when it works for its callers."""
    file, _, function = place
    path = PurePath(file).with_suffix("").parts
    roots = [index + 1 for index, name in enumerate(path) if name == "site-packages"]
    roots += [index for index, name in enumerate(path[:-1]) if name == "trt"]
    if not roots:
        return None
    words = [*path[max(roots) :], function]
    for length in range(len(words), 0, -1):
        part = PARTS.get(".".join(words[:length]))
        if part is not None:
            return part
    return None
