"""Counts events for Prometheus: the names of all metrics, and labels that stay few."""

from collections.abc import Mapping

from attrs import frozen
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from trt.telemetry.events import Event, EventName

LABEL_VALUES_MAX = 64
"""Different values that one label of one metric may take; all later ones are `other`."""


@frozen
class Counted:
    """A counter that goes up with an event: its name, its labels from fields, its step."""

    name: str
    about: str
    labels: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()
    """Labels whose value is known from the event's name."""
    amount: str | None = None
    """The field that holds the step; 1 without one."""


@frozen
class Timed:
    """A histogram of an event's `duration_s`."""

    name: str
    about: str
    labels: tuple[str, ...] = ()


def _actor(outcome: str) -> tuple[Counted, ...]:
    fixed = (("outcome", outcome),)
    return (Counted("trt_actor_events", "Trouble in the tree of actors", (), fixed),)


def _message(outcome: str) -> tuple[Counted, ...]:
    fixed = (("outcome", outcome),)
    return (Counted("trt_messages", "Messages by how they ended", ("kind",), fixed),)


COUNTED: Mapping[EventName, tuple[Counted, ...]] = {
    EventName.UPDATE_RECEIVED: (
        Counted("trt_updates_received", "Updates taken into the inbox", ("kind",)),
    ),
    EventName.UPDATE_DUPLICATE: (Counted("trt_updates_duplicate", "Updates delivered again"),),
    EventName.UPDATE_REFUSED: (
        Counted("trt_updates_refused", "Updates that Telegram keeps", ("reason_code",)),
    ),
    EventName.PASSIVE_REJECT: (
        Counted("trt_passive_rejects", "Updates answered while not active", ("kind",)),
    ),
    EventName.CALLBACK_REJECTED: (
        Counted("trt_callbacks_rejected", "Taps refused", ("reason_code",)),
    ),
    EventName.DISPATCH_OK: (
        Counted("trt_dispatches", "Updates handled", (), (("outcome", "ok"),)),
    ),
    EventName.DISPATCH_REFUSED: (
        Counted("trt_dispatches", "Updates handled", (), (("outcome", "refused"),)),
    ),
    EventName.DISPATCH_FAIL: (
        Counted("trt_dispatches", "Updates handled", (), (("outcome", "fail"),)),
    ),
    EventName.TASK_CREATED: (Counted("trt_jobs_created", "Generations ordered", ("model_id",)),),
    EventName.TASK_COMPLETED: (
        Counted("trt_jobs_completed", "Generations by how they ended", ("outcome", "reason_code")),
    ),
    EventName.KIE_SUBMIT: (Counted("trt_kie_submits", "createTask calls", ("outcome",)),),
    EventName.KIE_UPLOAD: (Counted("trt_kie_uploads", "Orders' pictures", ("outcome",)),),
    EventName.KIE_POLL: (Counted("trt_kie_polls", "recordInfo calls", ("outcome",)),),
    EventName.KIE_CALLBACK: (Counted("trt_kie_callbacks", "Callbacks taken from KIE"),),
    EventName.KIE_CALLBACK_REFUSED: (
        Counted("trt_kie_callbacks_refused", "Callbacks refused", ("reason",)),
    ),
    EventName.KIE_BREAKER: (
        Counted("trt_kie_breaker_changes", "Orders held back or let through", ("state",)),
    ),
    EventName.CREDITS_DRIFT: (
        Counted("trt_kie_credits_drift", "Jobs that cost us other credits", ("model_id",)),
    ),
    EventName.LATE_RESULT: (Counted("trt_late_results", "Results given away", ("reason_code",)),),
    EventName.OPERATOR_ALARM: (
        Counted("trt_operator_alarms", "What only the operator can mend", ("reason_code",)),
    ),
    EventName.LEDGER_TRANSFER: (
        Counted("trt_ledger_transfers", "Transfers in the ledger", ("kind",)),
        Counted("trt_ledger_kopecks", "Money moved", ("kind",), amount="amount_kopecks"),
    ),
    EventName.MESSAGE_SENT: _message("sent"),
    EventName.MESSAGE_DELAYED: _message("delayed"),
    EventName.MESSAGE_FAILED: _message("failed"),
    EventName.MESSAGE_UNKNOWN: _message("unknown"),
    EventName.LOCK_ACQUIRED: (Counted("trt_lock_acquired", "Times that this instance led"),),
    EventName.LOCK_LOST: (Counted("trt_lock_lost", "Times that the lease was lost", ("reason",)),),
    EventName.ACTOR_CRASHED: _actor("crashed"),
    EventName.ACTOR_RESTARTING: _actor("restarting"),
    EventName.ACTOR_GAVE_UP: _actor("gave_up"),
    EventName.ACTOR_DID_NOT_STOP: _actor("did_not_stop"),
    EventName.DEAD_LETTER: _actor("dead_letter"),
    EventName.WEBHOOK_FAILED: (Counted("trt_webhook_failures", "setWebhook that failed"),),
    EventName.AUTH_REFUSED: (Counted("trt_auth_refused", "Wrong secrets shown to us", ("where",)),),
}

TIMED: Mapping[EventName, Timed] = {
    EventName.DISPATCH_OK: Timed("trt_dispatch_seconds", "From the inbox to the commit"),
    EventName.ANSWER_CALLBACK_QUERY: Timed("trt_callback_answer_seconds", "Tap to answer"),
    EventName.TASK_COMPLETED: Timed("trt_job_seconds", "Order to end", ("outcome",)),
    EventName.KIE_SUBMIT: Timed("trt_kie_submit_seconds", "createTask calls"),
    EventName.MESSAGE_SENT: Timed("trt_message_seconds", "Messages on their way", ("kind",)),
}

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180, 600, 1800)


class Metrics:
    """A tap that counts, and the registry that others may add their gauges to."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._seen: dict[tuple[str, str], set[str]] = {}
        for counted in (counted for specs in COUNTED.values() for counted in specs):
            if counted.name not in self._counters:
                labels = (*counted.labels, *(label for label, _ in counted.fixed))
                self._counters[counted.name] = Counter(
                    counted.name, counted.about, labels, registry=self.registry
                )
        for timed in TIMED.values():
            self._histograms[timed.name] = Histogram(
                timed.name, timed.about, timed.labels, registry=self.registry, buckets=BUCKETS_S
            )

    def __call__(self, event: Event, /) -> None:
        """Count one event."""
        for counted in COUNTED.get(event.name, ()):
            step = event.fields[counted.amount] if counted.amount else 1
            assert isinstance(step, int | float), f"{counted.amount} is not a number"
            labels = self._labels(counted.name, counted.labels, event) | dict(counted.fixed)
            counter = self._counters[counted.name]
            (counter.labels(**labels) if labels else counter).inc(abs(step))
        timed = TIMED.get(event.name)
        duration_s = event.fields.get("duration_s")
        if timed is not None and isinstance(duration_s, int | float):
            labels = self._labels(timed.name, timed.labels, event)
            histogram = self._histograms[timed.name]
            (histogram.labels(**labels) if labels else histogram).observe(duration_s)

    def render(self) -> str:
        """Return everything counted so far in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def _labels(self, metric: str, names: tuple[str, ...], event: Event) -> dict[str, str]:
        return {name: self._label(metric, name, event) for name in names}

    def _label(self, metric: str, name: str, event: Event) -> str:
        value = event.fields.get(name)
        text = "none" if value is None else str(value)
        seen = self._seen.setdefault((metric, name), set())
        if text not in seen and len(seen) >= LABEL_VALUES_MAX:
            return "other"
        seen.add(text)
        return text
