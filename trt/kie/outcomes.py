"""How a call to KIE can end, as values to be matched."""

from decimal import Decimal

from attrs import field, frozen

from trt.domain.ids import TaskId
from trt.domain.job import Phase
from trt.domain.reasons import Reason


@frozen(kw_only=True)
class Created:
    """KIE has the order."""

    task_id: TaskId


@frozen(kw_only=True)
class Refused:
    """KIE did not take the order and charges nothing; the same order would be refused again."""

    reason: Reason
    """`KIE_REFUSED` for the order, `KIE_ACCOUNT` when our own account is the trouble."""
    code: int
    detail: str
    """KIE's words, for the operator only."""


@frozen(kw_only=True)
class Busy:
    """KIE surely did not take the order and may take it later: limits, maintenance, an outage."""

    retry_after_s: float | None = None
    detail: str = ""


@frozen(kw_only=True)
class OutcomeUnknown:
    """KIE may have taken the order: never send it again, wait for its callback."""

    why: str


CreateOutcome = Created | Refused | Busy | OutcomeUnknown


@frozen(kw_only=True)
class Working:
    """The task is not finished."""

    phase: Phase


@frozen(kw_only=True)
class Succeeded:
    """The task is finished; without URLs there is nothing to deliver."""

    urls: tuple[str, ...]
    credits_consumed: Decimal | None = None


@frozen(kw_only=True)
class Failed:
    """The task ended without a result and KIE charged nothing."""

    code: str
    detail: str
    """KIE's words, for the operator only."""


@frozen
class NotFound:
    """KIE knows no such task; in the first minute it may not know it yet."""


TaskRecord = Working | Succeeded | Failed | NotFound


@frozen(kw_only=True)
class ResultFile:
    """What a task made."""

    name: str
    content_type: str
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen(kw_only=True)
class RefusedResult:
    """This address will never give a file that we would deliver."""

    why: str


FetchOutcome = ResultFile | RefusedResult
