"""The steps of one order: begin, show where it stands, go on."""

from attrs import evolve

from trt.domain import form, form_screens
from trt.domain.copy import Copy
from trt.domain.ids import ModelId
from trt.domain.job import Job
from trt.domain.model_card import ModelCard
from trt.domain.reasons import Reason
from trt.domain.replies import Screen, ShowScreen
from trt.domain.scene import Scene
from trt.domain.session import Draft
from trt.domain.turn import Effect, Turn

# Ways into an order.


def open_model(scene: Scene, model_id: ModelId) -> Turn:
    """Show a model's card and remember it, so that the next text can be its first answer."""
    card = scene.situation.catalogue.find(model_id)
    if card is None:
        return disabled(scene, "model_cb")
    draft = Draft(draft_id=scene.situation.fresh_draft_id, model_id=card.model_id)
    return show(scene, "model_cb", card, draft)


def begin(scene: Scene, model_id: ModelId) -> Turn:
    """Ask the first question of a new order."""
    card = scene.situation.catalogue.find(model_id)
    if card is None:
        return disabled(scene, "begin_cb")
    draft = Draft(draft_id=scene.situation.fresh_draft_id, model_id=card.model_id)
    return advance(scene, "begin_cb", card, draft)


def repeat(scene: Scene, past_job: Job | None) -> Turn:
    """Offer the order of a past job again, below everything else."""
    if past_job is None:
        toast = scene.copy.plain("toast.no_past_job")
        return scene.home("repeat_cb", toast=toast, reason=Reason.STATE_MISMATCH, is_new=True)
    card = scene.situation.catalogue.find(past_job.model_id)
    if card is None:
        return disabled(scene, "repeat_cb", is_new=True)
    draft = Draft(
        draft_id=scene.situation.fresh_draft_id,
        model_id=card.model_id,
        values=past_job.params,
    )
    return advance(scene, "repeat_cb", card, form.mend(card, draft), is_new=True)


def disabled(scene: Scene, handler: str, *, is_new: bool = False) -> Turn:
    """Say that a model is not on sale, and show what is."""
    return scene.home(
        handler,
        scene.copy.text("model.disabled"),
        toast=scene.copy.plain("toast.disabled"),
        reason=Reason.MODEL_DISABLED,
        is_new=is_new,
    )


# Where an order stands.


def advance(
    scene: Scene, handler: str, card: ModelCard, draft: Draft, *, is_new: bool = False
) -> Turn:
    """Go to the first open question, or to the confirmation."""
    question = form.next_question(card, draft.values)
    draft = evolve(draft, asking=None if question is None else question.name)
    return show(scene, handler, card, draft, is_new=is_new)


def show(  # noqa: PLR0913 - three of them are keywords of scene.show
    scene: Scene,
    handler: str,
    card: ModelCard,
    draft: Draft,
    *,
    trouble: str = "",
    toast: str = "",
    reason: Reason | None = None,
    is_new: bool = False,
) -> Turn:
    """Show the order where it stands.

    A form lives in one message: shown in a new one, it gets a new id, and the buttons of the old
    one are taken away. So no message can show one price and confirm another.

    Args:
        scene: The step.
        handler: Its name in the log.
        card: What is ordered.
        draft: The order as it stands after the step.
        trouble: A paragraph of HTML: why we are still here.
        toast: The answer to the tap.
        reason: The refusal's reason, if it is one.
        is_new: Whether it is shown below everything else, whatever was tapped.
    """
    left: tuple[Effect, ...] = ()
    if is_new or scene.message_id is None:
        left = _left_behind(scene)
        draft = evolve(draft, draft_id=scene.situation.fresh_draft_id, message_id=None)
    else:
        draft = evolve(draft, message_id=scene.message_id)
    screen = _screen(scene, card, draft, trouble)
    moved = scene.with_session(evolve(scene.session, draft=draft))
    turn = moved.show(handler, screen, toast=toast, reason=reason, is_new=is_new)
    return evolve(turn, effects=(*turn.effects[:-1], *left, turn.effects[-1]))


def _screen(scene: Scene, card: ModelCard, draft: Draft, trouble: str = "") -> Screen:
    if draft.asking is not None:
        return form_screens.question(card, draft, scene.copy, trouble)
    if form.next_question(card, draft.values) is not None:
        screen = form_screens.card(card, scene.copy)
        return evolve(screen, text=_joined(trouble, screen.text))
    balance_kopecks = scene.situation.balance_kopecks
    screen = form_screens.confirmation(card, draft, scene.copy, balance_kopecks)
    return evolve(screen, text=_joined(trouble, screen.text))


def _left_behind(scene: Scene) -> tuple[Effect, ...]:
    """Take the buttons off the message that showed the order until now, if we know it."""
    draft = scene.session.draft
    card = None if draft is None else scene.situation.catalogue.find(draft.model_id)
    if draft is None or card is None or draft.message_id is None:
        return ()
    bare = evolve(_screen(scene, card, form.mend(card, draft)), keyboard=())
    return (ShowScreen(screen=bare, edit_message_id=draft.message_id),)


def _joined(*paragraphs: str) -> str:
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def resume(scene: Scene, handler: str, trouble: str = "", reason: Reason | None = None) -> Turn:
    """Show the open order again where it stands; home if there is none.

    Args:
        scene: The step.
        handler: Its name in the log.
        trouble: A paragraph of HTML: why we are still here.
        reason: The refusal's reason, if it is one.
    """
    draft = scene.session.draft
    if draft is None:
        return scene.home(handler, trouble, reason=reason) if trouble else scene.home(handler)
    card = scene.situation.catalogue.find(draft.model_id)
    if card is None:
        return disabled(scene, handler)
    return show(scene, handler, card, form.mend(card, draft), trouble=trouble, reason=reason)


def go_on(
    card: ModelCard, draft: Draft, copy: Copy, words: str, balance_kopecks: int
) -> tuple[ShowScreen, ...]:
    """Show a complete order again though its user did nothing: it moves to a message of its own.

    Args:
        card: What it orders.
        draft: The order, without open questions.
        copy: The words.
        words: A paragraph of HTML: why it goes on.
        balance_kopecks: What can be spent.
    """
    screen = form_screens.confirmation(card, draft, copy, balance_kopecks)
    here = ShowScreen(screen=evolve(screen, text=_joined(words, screen.text)))
    if draft.message_id is None:
        return (here,)
    bare = evolve(screen, keyboard=())
    return ShowScreen(screen=bare, edit_message_id=draft.message_id), here
