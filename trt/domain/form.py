"""An order form on paper: what is asked next, what is a good answer, what the order costs."""

from collections.abc import Mapping
from typing import Final

from attrs import evolve, frozen

from trt.domain.model_card import Choice, ModelCard, Param, ParamKind, Value
from trt.domain.session import Draft

Values = Mapping[str, Value]

_TRUE: Final = "true"
_FALSE: Final = "false"


@frozen(kw_only=True)
class TooShort:
    """A text with fewer characters than the model takes."""

    length: int
    length_min: int


@frozen(kw_only=True)
class TooLong:
    """A text with more characters than the model takes."""

    length: int
    length_max: int


@frozen
class Answered:
    """A value that the model takes."""

    value: str


def check_text(param: Param, text: str) -> Answered | TooShort | TooLong:
    """Judge a typed answer; the blanks around it do not count.

    Args:
        param: A parameter of kind text.
        text: What the user sent.
    """
    answer = text.strip()
    if len(answer) < max(1, param.length_min):
        return TooShort(length=len(answer), length_min=max(1, param.length_min))
    if len(answer) > param.length_max:
        return TooLong(length=len(answer), length_max=param.length_max)
    return Answered(answer)


def token_of(value: Value) -> str:
    """Write a value as button data; distinct values of one parameter have distinct tokens."""
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    return str(value)


def choice_by_token(param: Param, token: str) -> Choice | None:
    """Return the choice that a button meant, or None if the parameter has no such choice now."""
    return next((c for c in param.choices if token_of(c.value) == token), None)


def choice_of(param: Param, value: Value) -> Choice | None:
    """Return the choice that stands for a value; `True` is not `1` here."""
    return choice_by_token(param, token_of(value))


def is_good(param: Param, value: Value) -> bool:
    """Say whether a value, remembered or repeated, is still one that the model takes."""
    if param.kind is ParamKind.TEXT:
        return isinstance(value, str) and check_text(param, value) == Answered(value)
    if param.kind is ParamKind.PICTURE:
        return isinstance(value, str) and bool(value)
    choice = choice_of(param, value)
    return choice is not None and type(choice.value) is type(value)


def mend(card: ModelCard, draft: Draft) -> Draft:
    """Drop from a remembered draft whatever the card, which may be newer, no longer knows."""
    kept = {
        p.name: draft.values[p.name]
        for p in card.params
        if p.name in draft.values and is_good(p, draft.values[p.name])
    }
    names = {p.name for p in card.params}
    return evolve(draft, values=kept, asking=draft.asking if draft.asking in names else None)


def next_question(card: ModelCard, values: Values) -> Param | None:
    """Return the first required parameter without a value, or None when the order is complete."""
    return next((p for p in card.params if p.is_required and p.name not in values), None)


def question_before(card: ModelCard, name: str | None) -> Param | None:
    """Return the required parameter before `name`; the last one for None; None at the first."""
    before: Param | None = None
    for param in card.params:
        if param.name == name:
            return before
        if param.is_required:
            before = param
    return before


def complete(card: ModelCard, values: Values) -> dict[str, Value]:
    """Return the chosen values and the defaults of the rest, in the card's order."""
    filled: dict[str, Value] = {}
    for param in card.params:
        value = values.get(param.name, param.default)
        if value is not None:
            filled[param.name] = value
    return filled


def price_kopecks(card: ModelCard, values: Values) -> int:
    """Return the exact price of an order whose questions are all answered."""
    return card.quote(complete(card, values)).price_kopecks


def missing_kopecks(card: ModelCard, values: Values, balance_kopecks: int) -> int | None:
    """Return what a balance lacks for an order; None while a question of it is open."""
    if next_question(card, values) is not None:
        return None
    return max(0, price_kopecks(card, values) - balance_kopecks)


@frozen(kw_only=True)
class ChoicePrice:
    """What an order costs with one choice; more than that while something is still open."""

    price_kopecks: int
    is_exact: bool


def choice_price(card: ModelCard, values: Values, param: Param, choice: Choice) -> ChoicePrice:
    """Return what the order would cost with this choice.

    Unanswered required questions stay open, so the price may be only a lower bound.
    """
    optional = {p.name: p.default for p in card.params if not p.is_required}
    known = {**optional, **values, param.name: choice.value}
    prices = {
        row.price_kopecks
        for row in card.prices
        if all(known.get(name, wanted) == wanted for name, wanted in row.when.items())
    }
    return ChoicePrice(price_kopecks=min(prices), is_exact=len(prices) == 1)


def is_priced(card: ModelCard, param: Param) -> bool:
    """Say whether the price depends on this parameter."""
    return any(param.name in row.when for row in card.prices)
