"""What the dialog needs to know for one step, and what it answers with."""

from collections.abc import Mapping

from attrs import frozen

from trt.domain.copy import Copies, Copy
from trt.domain.ids import DraftId, MessageId, ModelId
from trt.domain.job import Job
from trt.domain.model_card import Catalogue, Value
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, ShowScreen
from trt.domain.session import Session


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
    fresh_draft_id: DraftId
    """A new id, for when the step begins a draft or moves it to a new message."""

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


Effect = ShowScreen | AnswerCallback | StartJob


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
