"""What the dialog needs to know for one step, and what it answers with."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from trt.domain.copy import Copies, Copy
from trt.domain.ids import DraftId, MessageId, ModelId
from trt.domain.inputs import FileId
from trt.domain.job import Job
from trt.domain.job_screens import OwnJob
from trt.domain.model_card import Catalogue, Value
from trt.domain.money_news import MoneyNews
from trt.domain.payments import OrderId, TopUp
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, SendInvoice, SendResult, ShowScreen
from trt.domain.session import Session
from trt.domain.statement import StatementLine
from trt.domain.till import Till


@frozen(kw_only=True)
class Situation:
    """The world around one step, read before it."""

    catalogue: Catalogue
    copy: Copies
    balance_kopecks: int
    """What the user can spend; the reserve is already taken off."""
    reserved_kopecks: int
    """Held for the running jobs."""
    active_jobs: int
    active_jobs_max: int
    past_job: Job | None = None
    """The job that the event names (`dialog.job_named`), if it is this user's."""
    is_result_on_its_way: bool = False
    """Whether a result of that job waits to be sent."""
    own_jobs: Sequence[OwnJob] = ()
    """Newest first, all that have not ended among them; only for who asks (`dialog.wants_jobs`)."""
    fresh_draft_id: DraftId
    """A new id, for when the step begins a draft or moves it to a new message."""
    now: datetime
    till: Till
    statement: Sequence[StatementLine] = ()
    """What moved the user's money last; only for the wallet."""
    open_topup: TopUp | None = None
    """The transfer by hand that the user announced last, while its receipt is awaited."""
    fresh_order_id: OrderId
    """A new id, for when the step begins a payment."""
    money_news: MoneyNews | None = None
    """What the ledger did about this event, before the dialog speaks."""

    def words(self, session: Session) -> Copy:
        """Return the texts in the session's language."""
        return self.copy.of(session.language)


@frozen(kw_only=True)
class StartJob:
    """Reserve the money and start the generation, once per draft."""

    draft_id: DraftId
    model_id: ModelId
    params: Mapping[str, Value]
    """Complete: the defaults are filled in."""
    price_kopecks: int
    deadline_s: int
    status_message_id: MessageId | None
    """The message with the tapped confirmation: progress is shown in its place."""


@frozen(kw_only=True)
class Announce:
    """Note that the user is about to transfer money by hand."""

    topup: TopUp


@frozen(kw_only=True)
class HandIn:
    """Give the receipt of a transfer to the admin, once per announcement."""

    topup: TopUp
    file_id: FileId
    is_photo: bool


@frozen
class EndJob:
    """Cancel an order that the vendor does not have yet: the money goes back."""

    job: Job


@frozen
class Erase:
    """Erase what the user told us; money and its records stay."""


Effect = (
    ShowScreen
    | AnswerCallback
    | StartJob
    | EndJob
    | SendResult
    | SendInvoice
    | Announce
    | HandIn
    | Erase
)


@frozen
class Accepted:
    """The event was understood and done; `handler` is the name that the log calls it by."""

    handler: str
    reason: Reason = Reason.SUCCESS
    """`SUCCESS`, or `NOOP` when there was nothing left to do."""


@frozen
class Rejected:
    """The event was refused, and the user told so."""

    reason: Reason
    handler: str


@frozen(kw_only=True)
class Turn:
    """One step of the dialog: what to remember and what to do, in order."""

    session: Session
    effects: tuple[Effect, ...]
    """For a tap the first one is its one `AnswerCallback`."""
    outcome: Accepted | Rejected
