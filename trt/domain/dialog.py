"""The conversation as a pure function: what a user did, and what the bot does about it."""

from typing import assert_never

from attrs import evolve

from trt.domain import callback_data as tap
from trt.domain import menu_screens, order_steps
from trt.domain.copy import language_of
from trt.domain.ids import JobId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileSent,
    MediaSent,
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
    "Rejected",
    "Situation",
    "StartJob",
    "Turn",
    "greet",
    "job_named",
    "step",
]


def job_named(event: UserEvent) -> JobId | None:
    """Return the job that an event is about, for the caller to load into `Situation.past_job`."""
    if not isinstance(event, ButtonTapped):
        return None
    data = tap.parse(event.data)
    return data.job_id if isinstance(data, tap.Repeat) else None


def greet(person: Person) -> Session:
    """Return the first session of somebody new, in the language of their Telegram."""
    return Session(
        user_id=person.user_id,
        chat_id=person.chat_id,
        language=language_of(person.language_code),
    )


def step(session: Session, person: Person, event: UserEvent, situation: Situation) -> Turn:
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
            return order_steps.typed(scene, session.draft, text)
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
        case "help":
            return scene.show("help_cmd", menu_screens.help_page(copy))
        case "balance":
            return _balance(scene, "balance_cmd")
        case "language":
            return scene.show("language_cmd", menu_screens.languages(situation.copy, copy))
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
        case tap.Repeat():
            return order_steps.repeat(scene, situation.past_job)
        case tap.OpenBalance():
            return _balance(scene, "balance_cb")
        case tap.OpenHelp():
            return scene.show("help_cb", menu_screens.help_page(copy))
        case tap.OpenLanguages():
            return scene.show("language_cb", menu_screens.languages(situation.copy, copy))
        case tap.PickLanguage(language):
            return _language(scene, language)
        case tap.Unknown():
            return scene.outdated("unknown_cb", Reason.UNKNOWN_CALLBACK)
        case _:
            return order_steps.draft_tap(scene, data)


def _category(scene: Scene, category: Category) -> Turn:
    left = scene.with_session(evolve(scene.session, draft=None))
    screen = menu_screens.category(scene.situation.catalogue, scene.copy, category)
    return left.show("category_cb", screen)


def _balance(scene: Scene, handler: str) -> Turn:
    situation = scene.situation
    screen = menu_screens.balance(scene.copy, situation.balance_kopecks, situation.reserved_kopecks)
    return scene.show(handler, screen)


def _language(scene: Scene, language: str) -> Turn:
    if language not in scene.situation.copy.by_language:
        return scene.outdated("pick_language_cb", Reason.UNKNOWN_CALLBACK)
    spoken = scene.with_session(evolve(scene.session, language=language))
    return order_steps.resume(spoken, "pick_language_cb")
