"""The screens of an order being filled in: card, question, confirmation, not enough money."""

from typing import Final

from trt.domain import callback_data as tap
from trt.domain import form, pictures
from trt.domain.copy import Copy
from trt.domain.ids import DraftId
from trt.domain.menu_screens import button, home_row
from trt.domain.model_card import ModelCard, Param, ParamKind, Value
from trt.domain.replies import Button, Keyboard, Screen, ScreenId
from trt.domain.session import Draft

EXCERPT_MAX: Final = 500
"""UTF-16 units of users' texts on one screen: escaped six times longer, it still fits a message."""
_COLUMNS: Final = ((8, 3), (16, 2))
"""Up to so many characters per label, so many buttons fit side by side on a phone."""


def excerpt(text: str, units_max: int = EXCERPT_MAX) -> str:
    """Return the beginning of a text, at most `units_max` UTF-16 units, which Telegram counts."""
    if _units(text) <= units_max:
        return text
    kept, units = "", 1
    for char in text:
        units += _units(char)
        if units > units_max:
            break
        kept += char
    return kept + "…"


def _units(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def card(model: ModelCard, copy: Copy) -> Screen:
    """Return what a model is for, what it costs, how long it takes and an example."""
    prices = {row.price_kopecks for row in model.prices}
    price_key = "card.price" if len(prices) == 1 else "card.price_from"
    return Screen(
        screen_id=ScreenId.MODEL_CARD,
        text="\n\n".join(
            [
                copy.text("card.title", title=model.title),
                copy.text("card.about", about=copy.pick(model.about)),
                copy.text(price_key, price=copy.money(model.price_kopecks_min))
                + "\n"
                + copy.text("card.duration", duration=copy.duration(model.duration_s)),
                copy.text("card.example", example=copy.pick(model.example_prompt)),
            ]
        ),
        keyboard=(
            (button(copy.plain("button.begin"), tap.BeginOrder(model.model_id)),),
            (
                button(copy.plain("button.back"), tap.OpenCategory(model.category)),
                *home_row(copy),
            ),
        ),
    )


# One question.


def question(model: ModelCard, draft: Draft, copy: Copy, trouble: str = "") -> Screen:
    """Return the question that the draft is waiting on.

    Args:
        model: The card that the draft orders.
        draft: Its `asking` names the parameter.
        copy: The words.
        trouble: A paragraph of HTML above the question: what was wrong with the last answer.
    """
    assert draft.asking is not None
    param = model.param(draft.asking)
    paragraphs = [
        trouble,
        copy.text("question.title", title=model.title, label=copy.pick(param.label)),
        copy.text("question.hint", hint=copy.pick(param.hint)) if param.hint else "",
    ]
    if param.kind is ParamKind.TEXT:
        paragraphs.append(copy.text("question.length", length_max=param.length_max))
        paragraphs.append(_invitation(model, draft, param, copy))
    elif param.kind is ParamKind.PICTURE:
        paragraphs.append(copy.text("question.picture"))
    if param.kind in {ParamKind.TEXT, ParamKind.PICTURE}:
        if param.name in draft.values:
            current = excerpt(_said(param, draft.values[param.name], copy))
            paragraphs.append(copy.text("question.current", value=current))
        answers = _typed_answers(model, draft, param, copy)
    else:
        answers = _choice_answers(model, draft, param, copy)
    return Screen(
        screen_id=ScreenId.PARAMS_FORM,
        text="\n\n".join(paragraph for paragraph in paragraphs if paragraph),
        keyboard=(*answers, _leave_row(draft.draft_id, copy)),
    )


def _leave_row(draft_id: DraftId, copy: Copy) -> tuple[Button, ...]:
    return (
        button(copy.plain("button.back"), tap.Back(draft_id)),
        button(copy.plain("button.cancel"), tap.Cancel(draft_id)),
    )


def _invitation(model: ModelCard, draft: Draft, param: Param, copy: Copy) -> str:
    """Say at the description that a picture may come with it, or is there already."""
    taker = pictures.param_of(model)
    if taker is None or param is not example_param(model):
        return ""
    is_attached = taker.name in draft.values
    return copy.text("question.attached" if is_attached else "question.may_attach")


def _typed_answers(model: ModelCard, draft: Draft, param: Param, copy: Copy) -> Keyboard:
    rows: list[tuple[Button, ...]] = []
    if param.name in draft.values:
        rows.append((button(copy.plain("button.keep"), tap.KeepValue(draft.draft_id)),))
    if not param.is_required:
        nothing = tap.SetValue(draft.draft_id, param.name, "")
        is_picture = param.kind is ParamKind.PICTURE
        words = copy.plain("button.no_picture" if is_picture else "button.unset")
        rows.append((button(words, nothing),))
    elif param is example_param(model):
        rows.append((button(copy.plain("button.example"), tap.UseExample(draft.draft_id)),))
    return tuple(rows)


def example_param(model: ModelCard) -> Param | None:
    """Return the parameter that the model's example is meant for: its first required text."""
    return next((p for p in model.params if p.is_required and p.kind is ParamKind.TEXT), None)


def _choice_answers(model: ModelCard, draft: Draft, param: Param, copy: Copy) -> Keyboard:
    current = draft.values.get(param.name, param.default)
    buttons = [
        button(
            _choice_label(model, draft, param, value=choice.value, copy=copy, current=current),
            tap.SetValue(draft.draft_id, param.name, form.token_of(choice.value)),
        )
        for choice in param.choices
    ]
    longest = max(len(each.text) for each in buttons)
    columns = next((columns for length, columns in _COLUMNS if longest <= length), 1)
    return tuple(tuple(buttons[at : at + columns]) for at in range(0, len(buttons), columns))


def _choice_label(
    model: ModelCard,
    draft: Draft,
    param: Param,
    *,
    value: Value,
    copy: Copy,
    current: Value | None,
) -> str:
    choice = form.choice_of(param, value)
    assert choice is not None
    label = copy.pick(choice.label)
    if form.is_priced(model, param):
        quote = form.choice_price(model, draft.values, param, choice)
        key = "choice.price" if quote.is_exact else "choice.price_from"
        label = copy.plain(key, label=label, price=copy.money(quote.price_kopecks))
    return copy.plain("choice.marked", label=label) if value == current else label


# The whole order.


def confirmation(model: ModelCard, draft: Draft, copy: Copy, balance_kopecks: int) -> Screen:
    """Return the order with every parameter, its exact price and what it leaves on the balance.

    Args:
        model: The card that the draft orders.
        draft: A draft without open questions.
        copy: The words.
        balance_kopecks: What the user can spend.
    """
    values = form.complete(model, draft.values)
    price_kopecks = form.price_kopecks(model, draft.values)
    missing_kopecks = price_kopecks - balance_kopecks
    money = [
        copy.text("confirm.price", price=copy.money(price_kopecks)),
        copy.text("confirm.balance", balance=copy.money(balance_kopecks)),
        copy.text("confirm.missing", missing=copy.money(missing_kopecks))
        if missing_kopecks > 0
        else copy.text("confirm.after", balance=copy.money(-missing_kopecks)),
    ]
    order = [
        copy.text("confirm.model", title=model.title),
        *(_order_line(model, param, values, copy) for param in model.params),
    ]
    return Screen(
        screen_id=ScreenId.CONFIRM,
        text="\n\n".join(
            [
                copy.text("confirm.title"),
                "\n".join(line for line in order if line),
                "\n".join(money),
                copy.text("confirm.duration", duration=copy.duration(model.duration_s)),
                copy.text("confirm.promise"),
            ]
        ),
        keyboard=(
            (button(copy.plain("button.confirm"), tap.Confirm(draft.draft_id, price_kopecks)),),
            *_option_rows(model, draft, copy),
            _leave_row(draft.draft_id, copy),
        ),
    )


def _order_line(model: ModelCard, param: Param, values: dict[str, Value], copy: Copy) -> str:
    if param.name not in values:
        return ""
    texts = sum(p.kind is ParamKind.TEXT for p in model.params)
    said = _said(param, values[param.name], copy)
    return copy.text(
        "confirm.param",
        label=copy.pick(param.label),
        value=excerpt(said, EXCERPT_MAX // max(1, texts)),
    )


def _said(param: Param, value: Value | None, copy: Copy) -> str:
    """Return a value in words."""
    if value is None:
        return copy.plain("choice.none")
    if param.kind is ParamKind.PICTURE:
        return copy.plain("choice.attached")
    choice = form.choice_of(param, value)
    return copy.pick(choice.label) if choice is not None else str(value)


def _option_rows(model: ModelCard, draft: Draft, copy: Copy) -> Keyboard:
    return tuple(
        (
            button(
                copy.plain(
                    "confirm.option",
                    label=copy.pick(param.label),
                    value=excerpt(
                        _said(param, draft.values.get(param.name, param.default), copy), 30
                    ),
                ),
                tap.EditValue(draft.draft_id, param.name),
            ),
        )
        for param in model.params
        if not param.is_required
    )


def insufficient(
    price_kopecks: int, balance_kopecks: int, copy: Copy, draft_id: DraftId | None = None
) -> Screen:
    """Return what the order costs, what there is and what is missing.

    Args:
        price_kopecks: The price of the order.
        balance_kopecks: What the user can spend; less than the price.
        copy: The words.
        draft_id: The order to go back to, if it is still open.
    """
    back = () if draft_id is None else (button(copy.plain("button.back"), tap.KeepValue(draft_id)),)
    return Screen(
        screen_id=ScreenId.INSUFFICIENT,
        text=copy.text(
            "insufficient.text",
            price=copy.money(price_kopecks),
            balance=copy.money(balance_kopecks),
            missing=copy.money(price_kopecks - balance_kopecks),
        ),
        keyboard=(
            (button(copy.plain("button.topup"), tap.OpenTopUp()),),
            (*back, *home_row(copy)),
        ),
    )


def picture_aside(copy: Copy, draft_id: DraftId) -> Screen:
    """Return that a picture came while the user was not looking at the open order."""
    on = button(copy.plain("button.resume"), tap.KeepValue(draft_id))
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text("stray.picture_aside"),
        keyboard=((on,), home_row(copy)),
    )
