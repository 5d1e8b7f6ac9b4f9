"""Whether the parts of a model card fit each other, and its buttons fit Telegram."""

from collections.abc import Mapping
from itertools import product
from typing import Final

from trt.catalog.fields import Fields
from trt.domain import callback_data as tap
from trt.domain import form
from trt.domain.form_screens import example_param
from trt.domain.ids import DraftId
from trt.domain.model_card import ModelCard, Param, ParamKind, Value

_DRAFT_ID: Final = DraftId("0" * 8)
_CHOICES_MAX: Final = 40
_COMBINATIONS_MAX: Final = 1000


def check_card(card: ModelCard, fields: Fields, *, are_prices_read: bool) -> None:
    """Note every contradiction inside a card whose fields are good one by one.

    Without `are_prices_read` its prices may be stand-ins, and are left alone.
    """
    _check_form(card, fields)
    for at, param in enumerate(card.params):
        _check_default(param, f"params[{at}]", fields)
        if _has_choices(param):
            _check_choices(param, f"params[{at}]", fields)
    _check_example(card, fields)
    if are_prices_read:
        _check_prices(card, fields)
    _check_size("model_id", card.model_id, tap.OpenModel(card.model_id), fields)


def _has_choices(param: Param) -> bool:
    return param.kind in {ParamKind.CHOICE, ParamKind.SWITCH}


def _check_form(card: ModelCard, fields: Fields) -> None:
    names = [param.name for param in card.params]
    for name in sorted({name for name in names if names.count(name) > 1}):
        fields.note("params", name, "each name once", "Remove one of the two.")
    if not any(param.is_required for param in card.params):
        mend = "Mark the parameter that the user must give with is_required: true."
        fields.note("params", names, "at least one required parameter", mend)


def _check_default(param: Param, path: str, fields: Fields) -> None:
    if param.kind is ParamKind.PICTURE and param.default is not None:
        mend = "Remove the default: only the user has the picture."
        fields.note(f"{path}.default", param.default, "no default", mend)
    elif param.default is not None and not form.is_good(param, param.default):
        allowed = ", ".join(repr(choice.value) for choice in param.choices) or "a fitting text"
        fields.note(f"{path}.default", param.default, allowed, "Take one of the choices.")


def _check_choices(param: Param, path: str, fields: Fields) -> None:
    values = [choice.value for choice in param.choices]
    where = f"{path}.choices"
    if param.kind is ParamKind.SWITCH and sorted(map(repr, values)) != ["False", "True"]:
        fields.note(where, values, "true and false", "A switch has exactly these two.")
    if not 2 <= len(values) <= _CHOICES_MAX:  # noqa: PLR2004 - one choice is no choice
        fields.note(where, len(values), f"2 to {_CHOICES_MAX} choices", "Add or remove some.")
    if len({type(value) for value in values}) > 1:
        fields.note(where, values, "values of one type", "Put all of them in quotes, or none.")
    tokens = [form.token_of(value) for value in values]
    for token in sorted({token for token in tokens if tokens.count(token) > 1}):
        fields.note(where, token, "each value once", "Remove one of the two.")
    for at, token in enumerate(tokens):
        data = tap.SetValue(_DRAFT_ID, param.name, token)
        _check_size(f"{where}[{at}].value", token, data, fields)


def _check_size(name: str, value: object, data: tap.Tap, fields: Fields) -> None:
    size = tap.size_bytes(data)
    if size > tap.BYTES_MAX:
        allowed = f"{size - tap.BYTES_MAX} bytes less: a button carries {tap.BYTES_MAX}"
        fields.note(name, value, allowed, "Shorten the id, the name or the value.")


def _check_example(card: ModelCard, fields: Fields) -> None:
    param = example_param(card)
    if param is None:
        return
    for language, example in card.example_prompt.items():
        if not form.is_good(param, example):
            allowed = f"{param.length_min} to {param.length_max} characters, no blanks around"
            fields.note(f"example_prompt.{language}", example, allowed, "Shorten or trim it.")


def _check_prices(card: ModelCard, fields: Fields) -> None:
    params = {param.name: param for param in card.params}
    if not card.prices:
        fields.note("prices", [], "at least one price", "Add the vendor's price.")
    if not _check_conditions(card, params, fields):
        return
    priced = sorted({name for row in card.prices for name in row.when})
    values = [_possible(params[name]) for name in priced]
    spread = list(product(*values))
    if len(spread) > _COMBINATIONS_MAX:
        allowed = f"at most {_COMBINATIONS_MAX} priced combinations"
        fields.note("prices", len(spread), allowed, "Price by fewer parameters.")
        return
    for combination in spread:
        chosen = dict(zip(priced, combination, strict=True))
        rows = sum(_fits(row.when, chosen) for row in card.prices)
        if rows != 1:
            allowed = f"exactly one price row for each combination, this one has {rows}"
            fields.note("prices", chosen, allowed, "Add the missing row, or narrow `when`.")


def _check_conditions(card: ModelCard, params: dict[str, Param], fields: Fields) -> bool:
    is_sound = True
    for at, row in enumerate(card.prices):
        for name, value in row.when.items():
            param = params.get(name)
            if param is None or not _has_choices(param):
                allowed = ", ".join(n for n, p in params.items() if _has_choices(p))
                mend = "Price by a choice or a switch of this model."
                fields.note(f"prices[{at}].when", name, allowed or "no condition", mend)
                is_sound = False
            elif not form.is_good(param, value):
                allowed = ", ".join(repr(choice.value) for choice in param.choices)
                fields.note(f"prices[{at}].when.{name}", value, allowed, "Take one of them.")
                is_sound = False
    return is_sound


def _possible(param: Param) -> list[Value | None]:
    """Return every value that a complete order can have for a parameter, None for unset."""
    is_always_set = param.is_required or param.default is not None
    unset: list[Value | None] = [] if is_always_set else [None]
    return [*(choice.value for choice in param.choices), *unset]


def _fits(when: Mapping[str, Value], chosen: Mapping[str, Value | None]) -> bool:
    return all(chosen.get(name) == value for name, value in when.items())
