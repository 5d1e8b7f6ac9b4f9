"""How a call to KIE can end, as values to be matched."""

from decimal import Decimal
from typing import ClassVar

from attrs import field, frozen

from trt.domain.ids import TaskId
from trt.domain.job import Phase
from trt.domain.reasons import Reason
from trt.kie.errors import Trouble


@frozen(kw_only=True)
class Created:
    """KIE has the order."""

    may_be_charged: ClassVar[bool] = True
    may_be_repeated: ClassVar[bool] = False

    task_id: TaskId


@frozen(kw_only=True)
class Refused:
    """KIE did not take the order and charges nothing; the same order would be refused again."""

    may_be_charged: ClassVar[bool] = False
    may_be_repeated: ClassVar[bool] = False

    reason: Reason
    """`KIE_REFUSED`, `KIE_POLICY`, `KIE_MODEL_GONE` or `KIE_FAILED` for the order; `KIE_ACCOUNT`
    or `KIE_NO_CREDITS` when our own account is the trouble."""
    code: int
    detail: str
    """KIE's words, for the operator only."""


@frozen(kw_only=True)
class Busy:
    """KIE surely did not take the order and may take it later: limits, maintenance, an outage."""

    may_be_charged: ClassVar[bool] = False
    may_be_repeated: ClassVar[bool] = True

    trouble: Trouble = Trouble.OUTAGE
    retry_after_s: float | None = None
    detail: str = ""


@frozen(kw_only=True)
class OutcomeUnknown:
    """KIE may have taken the order: never send it again, wait for its callback."""

    may_be_charged: ClassVar[bool] = True
    may_be_repeated: ClassVar[bool] = False

    why: str


CreateOutcome = Created | Refused | Busy | OutcomeUnknown


@frozen(kw_only=True)
class Working:
    """The task is not finished."""

    phase: Phase
    unknown_state: str = ""
    """KIE's word for its state if it is none that we know; the task is waited for all the same."""


@frozen(kw_only=True)
class Succeeded:
    """The task is finished; without URLs there is nothing to deliver."""

    urls: tuple[str, ...]
    credits_consumed: Decimal | None = None
    """What KIE took for it, in credits of 0.005 USD; None where KIE does not say."""


@frozen(kw_only=True)
class Failed:
    """The task ended without a result."""

    code: str
    detail: str
    """KIE's words, for the operator only."""
    reason: Reason = Reason.KIE_FAILED
    """`KIE_POLICY` if other words in the prompt would help."""
    credits_consumed: Decimal | None = None
    """0 at a KIE that keeps its word; anything else is the operator's matter."""


@frozen
class NotFound:
    """KIE knows no such task; in the first minute it may not know it yet."""


TaskRecord = Working | Succeeded | Failed | NotFound


@frozen(kw_only=True)
class Uploaded:
    """KIE has the file and gives it to its models for 24 hours."""

    url: str


@frozen(kw_only=True)
class UploadRefused:
    """KIE does not take this file, or our account may not upload."""

    reason: Reason
    code: int
    detail: str
    """KIE's words, for the operator only."""


UploadOutcome = Uploaded | UploadRefused


@frozen(kw_only=True)
class DownloadLink:
    """Another address of a result, good for twenty minutes."""

    url: str


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
    is_too_big: bool = False
    """There is a file, of more bytes than were asked for."""


FetchOutcome = ResultFile | RefusedResult
LinkOutcome = DownloadLink | RefusedResult
