"""One step of the dialog in the making: who did what where, and how a turn is put together."""

from attrs import evolve, frozen

from trt.domain import menu_screens
from trt.domain.copy import Copy
from trt.domain.ids import MessageId
from trt.domain.inputs import ButtonTapped, Person
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Screen, ShowScreen
from trt.domain.session import Session
from trt.domain.turn import Accepted, Effect, Rejected, Situation, Turn


@frozen(kw_only=True)
class Scene:
    """The givens of one step."""

    session: Session
    person: Person
    situation: Situation
    tapped: ButtonTapped | None
    """The tap, if the event is one."""

    @property
    def copy(self) -> Copy:
        """The texts in the language of the session."""
        return self.situation.words(self.session)

    @property
    def message_id(self) -> MessageId | None:
        """The message that a screen can take the place of."""
        return None if self.tapped is None else self.tapped.message_id

    def with_session(self, session: Session) -> "Scene":
        """Return the same step with a session that has already moved on."""
        return evolve(self, session=session)

    def show(
        self,
        handler: str,
        screen: Screen,
        *,
        toast: str = "",
        reason: Reason | None = None,
        is_new: bool = False,
    ) -> Turn:
        """End the step with a screen.

        Args:
            handler: The step's name in the log.
            screen: What to show.
            toast: Plain words for the answer to the tap.
            reason: Why the event was refused; None if it was done.
            is_new: Whether to spare the tapped message.
        """
        shown = ShowScreen(screen=screen, edit_message_id=None if is_new else self.message_id)
        return Turn(
            session=evolve(self.session, screen_id=screen.screen_id),
            effects=(*self.answer(toast), shown),
            outcome=Accepted(handler) if reason is None else Rejected(reason, handler),
        )

    def stay(self, handler: str, toast: str, reason: Reason) -> Turn:
        """End the step with a toast and everything else as it was; `NOOP` is no refusal."""
        is_noop = reason is Reason.NOOP
        return Turn(
            session=self.session,
            effects=self.answer(toast),
            outcome=Accepted(handler, reason) if is_noop else Rejected(reason, handler),
        )

    def answer(self, toast: str = "") -> tuple[Effect, ...]:
        """Return the one answer that a tap gets, and none for anything else."""
        if self.tapped is None:
            return ()
        return (AnswerCallback(callback_id=self.tapped.callback_id, text=toast),)

    # Places that every kind of step can end at.

    def home(
        self,
        handler: str,
        *lead: str,
        toast: str = "",
        reason: Reason | None = None,
        is_new: bool = False,
    ) -> Turn:
        """End the step at the main menu, the order thrown away."""
        left = self.with_session(evolve(self.session, draft=None))
        menu = menu_screens.main_menu(self.situation.catalogue, self.copy, *lead)
        return left.show(handler, menu, toast=toast, reason=reason, is_new=is_new)

    def outdated(self, handler: str, reason: Reason) -> Turn:
        """Refuse a button of another time: the menu takes its place, an open order stays open."""
        toast = self.copy.plain("toast.outdated")
        if self.session.draft is None:
            return self.home(handler, toast=toast, reason=reason)
        menu = menu_screens.main_menu(self.situation.catalogue, self.copy)
        turn = self.show(handler, menu, toast=toast, reason=reason)
        return evolve(turn, session=self.session)
