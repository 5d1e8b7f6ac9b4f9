"""The steps inside an order's form: answer, attach, look back, change, confirm."""

from collections.abc import Mapping
from typing import Final, assert_never

from attrs import evolve

from trt.domain import callback_data as tap
from trt.domain import form, form_screens, menu_screens, order_steps, pictures
from trt.domain.inputs import FileSent, MediaSent
from trt.domain.model_card import ModelCard, Param, ParamKind, Value
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId
from trt.domain.scene import Scene
from trt.domain.session import Draft
from trt.domain.turn import Accepted, StartJob, Turn

# Messages.


def typed(scene: Scene, draft: Draft, text: str) -> Turn:
    """Take a text message as the answer to the open question, or on a card to the first one."""
    card = scene.situation.catalogue.find(draft.model_id)
    if card is None:
        return order_steps.disabled(scene, "text_answer")
    draft = form.mend(card, draft)
    open_question = form.next_question(card, draft.values)
    param = open_question if draft.asking is None else card.param(draft.asking)
    if param is None:
        words, reason = scene.copy.text("stray.confirm"), Reason.STATE_MISMATCH
        return order_steps.show(scene, "text_answer", card, draft, trouble=words, reason=reason)
    if param.kind is not ParamKind.TEXT:
        is_picture = param.kind is ParamKind.PICTURE
        words = scene.copy.text("stray.picture" if is_picture else "stray.choice")
        reason = Reason.VALIDATION_FAIL
        asking = evolve(draft, asking=param.name)
        return order_steps.show(scene, "text_answer", card, asking, trouble=words, reason=reason)
    return _typed_text(scene, card, draft, param, text)


def _typed_text(scene: Scene, card: ModelCard, draft: Draft, param: Param, text: str) -> Turn:
    answer = form.check_text(param, text)
    label = scene.copy.pick(param.label)
    match answer:
        case form.Answered(value):
            return order_steps.advance(scene, "text_answer", card, _with(draft, param, value))
        case form.TooLong(length=length, length_max=length_max):
            trouble = scene.copy.text(
                "invalid.too_long", label=label, length=length, length_max=length_max
            )
        case form.TooShort(length=length, length_min=length_min):
            trouble = scene.copy.text(
                "invalid.too_short", label=label, length=length, length_min=length_min
            )
        case _:
            assert_never(answer)
    asking = evolve(draft, asking=param.name)
    reason = Reason.VALIDATION_FAIL
    return order_steps.show(scene, "text_answer", card, asking, trouble=trouble, reason=reason)


def pictured(scene: Scene, sent: FileSent | MediaSent) -> Turn | None:
    """Take a picture for the open order, and its caption as the answer to an open text question.

    Returns None for what is not meant as a picture of this order.
    """
    draft = scene.session.draft
    card = None if draft is None else scene.situation.catalogue.find(draft.model_id)
    if draft is None or card is None:
        return None
    param = pictures.param_of(card, draft.asking)
    if param is None:
        return None
    draft, judged = form.mend(card, draft), pictures.check(sent)
    is_elsewhere = scene.session.screen_id not in ScreenId.of_an_order()
    match judged:
        case pictures.Attached() | pictures.TooBig() if is_elsewhere:
            return _aside(scene, draft)
        case pictures.Attached(file_id):
            return _attached(scene, card, _with(draft, param, file_id), sent)
        case pictures.TooBig():
            trouble = scene.copy.text("invalid.picture_too_big")
        case pictures.NoPicture() if draft.asking != param.name:
            return None
        case pictures.NoPicture():
            trouble = scene.copy.text("invalid.no_picture")
        case _:
            assert_never(judged)
    reason = Reason.VALIDATION_FAIL
    return order_steps.show(scene, "picture_answer", card, draft, trouble=trouble, reason=reason)


def _aside(scene: Scene, draft: Draft) -> Turn:
    """Leave a picture alone that follows on a receipt, say: nobody meant to show it to KIE."""
    screen = form_screens.picture_aside(scene.copy, draft.draft_id)
    turn = scene.show("picture_aside", screen, reason=Reason.STATE_MISMATCH)
    return evolve(turn, session=scene.session)


def _attached(scene: Scene, card: ModelCard, draft: Draft, sent: FileSent | MediaSent) -> Turn:
    caption = sent.caption if isinstance(sent, FileSent) else ""
    asked = None if draft.asking is None else card.param(draft.asking)
    if asked is None or asked.kind is ParamKind.PICTURE:
        asked = form.next_question(card, draft.values)
    if caption.strip() and asked is not None and asked.kind is ParamKind.TEXT:
        return _typed_text(scene, card, draft, asked, caption)
    if caption.strip() and asked is None:
        filled, words = evolve(draft, asking=None), scene.copy.text("stray.caption")
        return order_steps.show(scene, "picture_answer", card, filled, trouble=words)
    return order_steps.advance(scene, "picture_answer", card, draft)


def _with(draft: Draft, param: Param, value: Value) -> Draft:
    return evolve(draft, values={**draft.values, param.name: value})


# Buttons.

_HANDLERS: Final[Mapping[type[tap.DraftTap], str]] = {
    tap.SetValue: "set_value_cb",
    tap.EditValue: "edit_value_cb",
    tap.KeepValue: "keep_value_cb",
    tap.UseExample: "example_cb",
    tap.Confirm: "confirm_cb",
    tap.Cancel: "cancel_cb",
    tap.Back: "back_cb",
}


def draft_tap(scene: Scene, data: tap.DraftTap) -> Turn:
    """Carry out a button of a form, if it is a button of the open one."""
    handler = _HANDLERS[type(data)]
    draft = scene.session.draft
    last_draft_id = scene.session.last_draft_id
    if data.draft_id is not None and data.draft_id == last_draft_id:
        is_again = isinstance(data, tap.Confirm)
        reason = Reason.NOOP if is_again else Reason.STATE_MISMATCH
        return scene.stay(handler, scene.copy.plain("toast.already_running"), reason)
    if isinstance(data, tap.Back) and data.draft_id is None and draft is None:
        return scene.home(handler)
    if draft is None or data.draft_id not in {None, draft.draft_id}:
        return scene.outdated(handler, Reason.STATE_MISMATCH)
    if isinstance(data, tap.Cancel):
        words = scene.copy.plain("toast.cancelled")
        return scene.home(handler, scene.copy.text("cancel.done"), toast=words)
    card = scene.situation.catalogue.find(draft.model_id)
    if card is None:
        return order_steps.disabled(scene, handler)
    return _form_tap(scene, handler, card, form.mend(card, draft), data)


def _form_tap(
    scene: Scene, handler: str, card: ModelCard, draft: Draft, data: tap.DraftTap
) -> Turn:
    match data:
        case tap.SetValue(_, name, token):
            return _set(scene, handler, card, draft, name=name, token=token)
        case tap.EditValue(_, name):
            if name not in {param.name for param in card.params}:
                return _outdated(scene, handler, card, draft)
            return order_steps.show(scene, handler, card, evolve(draft, asking=name))
        case tap.KeepValue():
            return order_steps.advance(scene, handler, card, draft)
        case tap.UseExample():
            param = form_screens.example_param(card)
            if param is None:
                return _outdated(scene, handler, card, draft)
            example = scene.copy.pick(card.example_prompt)
            return order_steps.advance(scene, handler, card, _with(draft, param, example))
        case tap.Back():
            return _back(scene, handler, card, draft)
        case tap.Confirm(_, price_kopecks):
            return _confirm(scene, handler, card, draft, shown_kopecks=price_kopecks)
        case tap.Cancel():
            raise AssertionError("a cancel needs no card")
        case _:
            assert_never(data)


def _set(
    scene: Scene, handler: str, card: ModelCard, draft: Draft, *, name: str, token: str
) -> Turn:
    param = next((p for p in card.params if p.name == name), None)
    if param is None:
        return _outdated(scene, handler, card, draft)
    if not token and not param.is_required:
        rest = {key: value for key, value in draft.values.items() if key != name}
        return order_steps.advance(scene, handler, card, evolve(draft, values=rest))
    choice = form.choice_by_token(param, token)
    if choice is None:
        return _outdated(scene, handler, card, draft)
    return order_steps.advance(scene, handler, card, _with(draft, param, choice.value))


def _outdated(scene: Scene, handler: str, card: ModelCard, draft: Draft) -> Turn:
    """Refuse a button of the open order that no longer fits it, and show the order as it is."""
    toast, reason = scene.copy.plain("toast.outdated"), Reason.STATE_MISMATCH
    return order_steps.show(scene, handler, card, draft, toast=toast, reason=reason)


def _back(scene: Scene, handler: str, card: ModelCard, draft: Draft) -> Turn:
    """Go one step back: confirmation → questions → card → shelf."""
    is_card = draft.asking is None and form.next_question(card, draft.values) is not None
    if is_card:
        left = scene.with_session(evolve(scene.session, draft=None))
        shelf = menu_screens.category(scene.situation.catalogue, scene.copy, card.category)
        return left.show(handler, shelf)
    if draft.asking is not None and not card.param(draft.asking).is_required:
        return order_steps.advance(scene, handler, card, draft)
    before = form.question_before(card, draft.asking)
    if before is None:
        return order_steps.show(scene, handler, card, evolve(draft, values={}, asking=None))
    return order_steps.show(scene, handler, card, evolve(draft, asking=before.name))


# The order is given.


def _confirm(
    scene: Scene, handler: str, card: ModelCard, draft: Draft, *, shown_kopecks: int | None
) -> Turn:
    copy, situation = scene.copy, scene.situation
    if draft.asking is not None or form.next_question(card, draft.values) is not None:
        return _outdated(scene, handler, card, draft)
    price_kopecks = form.price_kopecks(card, draft.values)
    if shown_kopecks not in {None, price_kopecks}:
        toast, reason = copy.plain("toast.price_changed"), Reason.STATE_MISMATCH
        return order_steps.show(scene, handler, card, draft, toast=toast, reason=reason)
    if situation.active_jobs >= situation.active_jobs_max:
        toast = copy.plural("toast.too_many_jobs", situation.active_jobs)
        return scene.stay(handler, toast, Reason.RATE_LIMIT)
    if price_kopecks > situation.balance_kopecks:
        missing = copy.money(price_kopecks - situation.balance_kopecks)
        screen = form_screens.insufficient(
            price_kopecks, situation.balance_kopecks, copy, draft.draft_id
        )
        toast, reason = (
            copy.plain("toast.insufficient", missing=missing),
            Reason.BALANCE_INSUFFICIENT,
        )
        return scene.show(handler, screen, toast=toast, reason=reason)
    return _start(scene, handler, card, draft, price_kopecks)


def _start(scene: Scene, handler: str, card: ModelCard, draft: Draft, price_kopecks: int) -> Turn:
    start = StartJob(
        draft_id=draft.draft_id,
        model_id=card.model_id,
        params=form.complete(card, draft.values),
        price_kopecks=price_kopecks,
        deadline_s=card.deadline_s,
        status_message_id=scene.message_id,
    )
    session = evolve(
        scene.session,
        draft=None,
        last_draft_id=draft.draft_id,
        screen_id=ScreenId.PROCESSING,
    )
    effects = (*scene.answer(scene.copy.plain("toast.started")), start)
    return Turn(session=session, effects=effects, outcome=Accepted(handler))
