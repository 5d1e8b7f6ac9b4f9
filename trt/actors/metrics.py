"""MetricsActor: counts what happened; /health and /metrics read it."""

from datetime import datetime
from decimal import Decimal

from attrs import define, field

from trt.supervision import ActorStopped, Context, MailboxFull, Ref
from trt.telemetry.events import Event, EventName
from trt.telemetry.metrics import Metrics

BATCH_MAX = 512


@define
class Drift:
    """Jobs for which KIE took other credits than our price list says."""

    jobs: int = 0
    expected: Decimal = Decimal(0)
    consumed: Decimal = Decimal(0)

    def count(self, event: Event) -> None:
        """Add one of them."""
        self.jobs += 1
        self.expected += Decimal(str(event.fields["expected"]))
        self.consumed += Decimal(str(event.fields["consumed"]))


@define
class Totals:
    """The queue's numbers as the runbook names them, and what KIE did to our till."""

    received: int = 0
    processed: int = 0
    refused: int = 0
    """Deliveries that were answered 503: Telegram brings them again, so none is lost."""
    last_refused_at: datetime | None = None
    duplicates: int = 0
    drift: Drift = field(factory=Drift)
    late_results: int = 0
    """Given away after their refund."""

    def count(self, event: Event) -> None:
        """Take one event into account."""
        match event.name:
            case EventName.UPDATE_RECEIVED:
                self.received += 1
            case EventName.UPDATE_DUPLICATE:
                self.duplicates += 1
            case EventName.UPDATE_REFUSED:
                self.refused += 1
                self.last_refused_at = event.at
            case EventName.DISPATCH_OK | EventName.DISPATCH_FAIL | EventName.DISPATCH_REFUSED:
                self.processed += 1
            case EventName.CREDITS_DRIFT:
                self.drift.count(event)
            case EventName.LATE_RESULT:
                self.late_results += 1
            case _:
                pass


class MetricsTap:
    """Hands events to the metrics actor; counts those for which it had no room."""

    def __init__(self, metrics: Ref[Event]) -> None:
        self._metrics = metrics
        self.dropped = 0

    def __call__(self, event: Event, /) -> None:
        try:
            self._metrics.tell_nowait(event)
        except (MailboxFull, ActorStopped):
            self.dropped += 1


class MetricsActor:
    """Receives every event; owns the counters. They outlive its restarts, not the process."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._metrics = Metrics()

    async def run(self, ctx: Context[Event]) -> None:
        """Count until asked to stop."""
        async for batch in ctx.batches(BATCH_MAX):
            for turn in batch:
                self.totals.count(turn.message)
                self._metrics(turn.message)

    def render(self) -> str:
        """Return the Prometheus text of all counters."""
        return self._metrics.render()
