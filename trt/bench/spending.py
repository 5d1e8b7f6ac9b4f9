"""What CPU time is spent on, by part of the service: samples weighted by each thread's CPU clock."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from types import FrameType

INTERVAL_S = 0.002
OTHER = "everything else"

PARTS: Mapping[str, str] = {
    "hypercorn": "web: hypercorn and the routes",
    "quart": "web: hypercorn and the routes",
    "trt.web": "web: hypercorn and the routes",
    "trt.actors.door": "web: hypercorn and the routes",
    "trt.actors.reception": "ingress: read, commit, hand on",
    "trt.actors.update_ingress": "ingress: read, commit, hand on",
    "trt.actors.ingress_channel": "ingress: read, commit, hand on",
    "trt.storage.inbox:store": "ingress: read, commit, hand on",
    "trt.actors": "handling: dispatch, dialog, its SQL",
    "trt.domain": "handling: dispatch, dialog, its SQL",
    "trt.actors.delivery": "delivery: outbox, client, httpx",
    "trt.actors.delivery_lane": "delivery: outbox, client, httpx",
    "trt.actors.pace": "delivery: outbox, client, httpx",
    "trt.actors.sending": "delivery: outbox, client, httpx",
    "trt.storage.outbox:claim": "delivery: outbox, client, httpx",
    "trt.storage.outbox:mark": "delivery: outbox, client, httpx",
    "trt.telegram.client": "delivery: outbox, client, httpx",
    "httpx": "delivery: outbox, client, httpx",
    "httpcore": "delivery: outbox, client, httpx",
    "trt.telemetry": "telemetry: events, log, metrics",
    "trt.actors.event_log": "telemetry: events, log, metrics",
    "trt.actors.metrics": "telemetry: events, log, metrics",
    "trt.storage.app_events": "telemetry: events, log, metrics",
    "structlog": "telemetry: events, log, metrics",
    "prometheus_client": "telemetry: events, log, metrics",
    "trt.storage": "storage: transactions and commits",
    "trt.supervision": "runtime: actors and trio",
    "trio": "runtime: actors and trio",
}
"""A sample belongs to the innermost frame that is listed, by the longest prefix that fits."""

LENT = ("trt.storage.sqlite_connection", "trt.storage.multi_row", "trt.storage.timestamps")
"""Code that works for whoever calls it; so do all libraries that are not listed."""


class Spending:
    """Samples all threads of this process while it is open.

    Each sample charges what a thread has spent since the last one to the place where it is now, so
    that waiting costs nothing and C code counts. Needs per-thread CPU clocks (Linux, BSD).
    """

    def __init__(self) -> None:
        self._spent_s: Counter[str] = Counter()
        self._before_s: dict[int, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample_all, name="spending", daemon=True)
        self._thread.start()

    def close(self) -> dict[str, float]:
        """Stop sampling and return the CPU seconds of each part, the costliest first."""
        self._over.set()
        self._thread.join()
        return dict(self._spent_s.most_common())

    def _sample_all(self) -> None:
        while not self._over.wait(INTERVAL_S):
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 - its public name
                if ident != self._thread.ident:
                    self._charge(ident, frame)

    def _charge(self, ident: int, frame: FrameType) -> None:
        try:
            now_s = time.clock_gettime(time.pthread_getcpuclockid(ident))
        except OSError:
            return  # the thread has just ended
        spent_s = now_s - self._before_s.get(ident, now_s)
        self._before_s[ident] = now_s
        if spent_s > 0:
            self._spent_s[_part_of(frame)] += spent_s


def _part_of(frame: FrameType | None) -> str:
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(LENT):
            part = _listed(f"{module}:{frame.f_code.co_name}")
            if part is not None:
                return part
        frame = frame.f_back
    return OTHER


def _listed(place: str) -> str | None:
    while place:
        if place in PARTS:
            return PARTS[place]
        place = place[: max(place.rfind("."), place.rfind(":"), 0)]
    return None
