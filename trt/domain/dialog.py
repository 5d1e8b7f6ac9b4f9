"""The conversation as a pure function: what a user did, and what the bot does about it."""

from typing import assert_never

from attrs import evolve

from trt.domain import callback_data as tap
from trt.domain import form_steps, job_steps, menu_screens, order_steps, privacy_steps, wallet_steps
from trt.domain.copy import language_of
from trt.domain.ids import JobId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileSent,
    MediaSent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    TextSent,
    UserEvent,
)
from trt.domain.model_card import Category
from trt.domain.reasons import Reason
from trt.domain.scene import Scene
from trt.domain.session import Session
from trt.domain.turn import Accepted, Effect, Rejected, Situation, StartJob, Turn

__all__ = [
    "Accepted",
    "Effect",
    "Event",
    "Rejected",
    "Situation",
    "StartJob",
    "Turn",
    "greet",
    "job_named",
    "step",
    "wants_jobs",
    "wants_statement",
]


Event = UserEvent | PaymentReceived | PaymentRefunded
"""What the dialog answers."""


def job_named(event: Event) -> JobId | None:
    """Return the job that an event is about, for the caller to load into `Situation.past_job`."""
    if not isinstance(event, ButtonTapped):
        return None
    data = tap.parse(event.data)
    return data.job_id if isinstance(data, tap.Repeat | tap.TakeBack | tap.GetResult) else None


def wants_jobs(event: Event) -> bool:
    """Return whether the answer hangs on the jobs, for the caller to load `Situation.own_jobs`."""
    match event:
        case ButtonTapped(data=data):
            return isinstance(tap.parse(data), tap.OpenJobs | tap.TakeBack | tap.Forget)
        case CommandSent(command=command):
            return command.lower() == "jobs"
        case _:
            return False


def greet(person: Person) -> Session:
    """Return the first session of somebody new, in the language of their Telegram."""
    return Session(
        user_id=person.user_id,
        chat_id=person.chat_id,
        language=language_of(person.language_code),
    )


def wants_statement(event: Event) -> bool:
    """Return whether the answer is the wallet, for the caller to load `Situation.statement`."""
    match event:
        case ButtonTapped(data=data):
            return isinstance(tap.parse(data), tap.OpenBalance)
        case CommandSent(command=command):
            return command.lower() == "balance"
        case _:
            return False


def step(session: Session, person: Person, event: Event, situation: Situation) -> Turn:
    """Decide everything about one event.

    Args:
        session: What is remembered of the conversation.
        person: Who did it.
        event: What they did.
        situation: The world around, read before; `past_job` as `job_named` asks.

    Returns:
        The new session, the effects in order (a tap's one answer first) and the outcome. Nothing
        a user can send raises.
    """
    tapped = event if isinstance(event, ButtonTapped) else None
    scene = Scene(session=session, person=person, situation=situation, tapped=tapped)
    match event:
        case ButtonTapped(data=data):
            return _tap(scene, tap.parse(data))
        case CommandSent(command=command):
            return _command(scene, command)
        case TextSent(text=text):
            if session.draft is None:
                words = scene.copy.text("stray.text")
                return scene.home("stray_text", words, reason=Reason.STATE_MISMATCH)
            return form_steps.typed(scene, session.draft, text)
        case PaymentReceived() | PaymentRefunded():
            return wallet_steps.news(scene)
        case FileSent() if (taken := wallet_steps.receipt(scene, event)) is not None:
            return taken
        case MediaSent() | FileSent() if (taken := form_steps.pictured(scene, event)) is not None:
            return taken
        case MediaSent() | FileSent():
            words = scene.copy.text("stray.media")
            return order_steps.resume(scene, "media", words, Reason.UNSUPPORTED_UPDATE)
        case _:
            assert_never(event)


def _command(scene: Scene, command: str) -> Turn:
    copy, situation = scene.copy, scene.situation
    match command.lower():
        case "start":
            name = scene.person.first_name.strip() or copy.plain("start.nameless")
            return scene.home("start_cmd", copy.text("start.greeting", name=name))
        case "menu":
            return scene.home("menu_cmd")
        case "cancel":
            key = "cancel.nothing" if scene.session.draft is None else "cancel.done"
            return scene.home("cancel_cmd", copy.text(key))
        case "jobs":
            return job_steps.own_jobs(scene, "jobs_cmd")
        case "help":
            return scene.show("help_cmd", menu_screens.help_page(copy))
        case "privacy":
            return privacy_steps.notice(scene)
        case "language":
            return scene.show("language_cmd", menu_screens.languages(situation.copy, copy))
        case _ if (told := wallet_steps.commanded(scene, command.lower())) is not None:
            return told
        case _:
            words = copy.text("stray.command")
            reason = Reason.UNSUPPORTED_UPDATE
            return order_steps.resume(scene, "unknown_cmd", words, reason)


def _tap(scene: Scene, data: tap.Tap) -> Turn:  # noqa: C901 - one case per kind of button
    copy, situation = scene.copy, scene.situation
    match data:
        case tap.MainMenu(is_new):
            return scene.home("main_menu_cb", is_new=is_new)
        case tap.OpenCategory(category):
            return _category(scene, category)
        case tap.OpenModel(model_id):
            return order_steps.open_model(scene, model_id)
        case tap.BeginOrder(model_id):
            return order_steps.begin(scene, model_id)
        case tap.Repeat() | tap.OpenJobs() | tap.TakeBack() | tap.GetResult():
            return job_steps.tapped(scene, data)
        case tap.OpenBalance() | tap.OpenTopUp() | tap.PickPackage() | tap.DecideReceipt():
            return wallet_steps.tapped(scene, data)
        case tap.OpenHelp():
            return scene.show("help_cb", menu_screens.help_page(copy))
        case tap.OpenLanguages():
            return scene.show("language_cb", menu_screens.languages(situation.copy, copy))
        case tap.PickLanguage(language):
            return _language(scene, language)
        case tap.Forget(is_confirmed):
            return privacy_steps.forget(scene, is_confirmed=is_confirmed)
        case tap.Unknown():
            return scene.outdated("unknown_cb", Reason.UNKNOWN_CALLBACK)
        case _:
            return form_steps.draft_tap(scene, data)


def _category(scene: Scene, category: Category) -> Turn:
    left = scene.with_session(evolve(scene.session, draft=None))
    screen = menu_screens.category(scene.situation.catalogue, scene.copy, category)
    return left.show("category_cb", screen)


def _language(scene: Scene, language: str) -> Turn:
    if language not in scene.situation.copy.by_language:
        return scene.outdated("pick_language_cb", Reason.UNKNOWN_CALLBACK)
    spoken = scene.with_session(evolve(scene.session, language=language))
    return order_steps.resume(spoken, "pick_language_cb")
