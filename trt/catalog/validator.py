"""Turns a raw record of the registry into a model card, or into every problem found in it."""

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from trt.catalog.consistency import check_card
from trt.catalog.fields import Fields
from trt.catalog.pricing import Tariff
from trt.catalog.problems import BlockedModel, Problem
from trt.domain.ids import ModelId
from trt.domain.model_card import (
    Category,
    Choice,
    ModelCard,
    OutputKind,
    Param,
    ParamKind,
    PriceRow,
    Value,
)

TITLE_MAX: Final = 32
"""It shares a button with a price."""
LABEL_MAX: Final = 32
CHOICE_LABEL_MAX: Final = 24
ABOUT_MAX: Final = 800
HINT_MAX: Final = 400
EXAMPLE_MAX: Final = 500
MESSAGE_MAX: Final = 4096
"""Bot API, sendMessage: what a user can type in one message."""
CREDITS_MAX: Final = 1200
"""Six dollars: above it a price is a misread list rather than a price.

The vendor's cheapest, half a credit, is above it when it is read 2500 times too high."""
DEADLINE_S_MAX: Final = 7200


def read_card(
    file: str, raw: object, tariff: Tariff
) -> ModelCard | BlockedModel | tuple[Problem, ...]:
    """Check one model's record and price it.

    Args:
        file: Its name, for the problems.
        raw: What the YAML file says.
        tariff: What turns the vendor's credits into our kopecks.

    Returns:
        The card; or the model without one when only its prices are wrong; or everything that is
        wrong with the record.
    """
    problems: list[Problem] = []
    fields = Fields(file, "", raw, problems)
    duration_s = fields.integer("duration_s", 1, DEADLINE_S_MAX)
    card = ModelCard(
        model_id=ModelId(fields.text("model_id", 58, r"[a-z0-9][a-z0-9._/-]*")),
        title=fields.text("title", TITLE_MAX),
        category=fields.one_of("category", Category),
        output=fields.one_of("output", OutputKind),
        is_enabled=fields.flag("is_enabled"),
        about=fields.localised("about", ABOUT_MAX),
        example_prompt=fields.localised("example_prompt", EXAMPLE_MAX),
        params=tuple(_param(each) for each in fields.records("params")),
        prices=tuple(_price_row(each, tariff) for each in fields.records("prices")),
        duration_s=duration_s,
        deadline_s=fields.integer("deadline_s", duration_s, DEADLINE_S_MAX),
    )
    _source(fields.record("source"))
    fields.close()
    if _are_about_prices(problems):
        check_card(card, fields, are_prices_read=not problems)
    if not problems:
        return card
    if _are_about_prices(problems):
        return BlockedModel(model_id=card.model_id, problems=tuple(problems))
    return tuple(problems)


def _are_about_prices(problems: Sequence[Problem]) -> bool:
    return all(problem.is_about_prices for problem in problems)


def _source(fields: Fields) -> None:
    fields.text("url", 200, r"https://\S+")
    for name in ("schema_date", "price_date"):
        fields.text(name, 10, r"20\d\d-[01]\d-[0-3]\d")
    fields.close()


def _param(fields: Fields) -> Param:
    kind = fields.one_of("kind", ParamKind)
    param = Param(
        name=fields.text("name", 32, r"[a-z][a-z0-9_]*"),
        kind=kind,
        is_required=fields.flag("is_required"),
        label=fields.localised("label", LABEL_MAX),
        hint=fields.localised("hint", HINT_MAX, is_optional=True),
        default=_value(fields, "default") if fields.has("default") else None,
    )
    if kind is ParamKind.TEXT:
        length_min = fields.integer("length_min", 1, MESSAGE_MAX, 1)
        length_max = fields.integer("length_max", length_min, MESSAGE_MAX)
        param = evolve(param, length_min=length_min, length_max=length_max)
    elif kind is ParamKind.PICTURE:
        param = evolve(param, is_list=fields.flag("is_list"))
    else:
        param = evolve(param, choices=tuple(_choice(each) for each in fields.records("choices")))
    fields.close()
    return param


def _choice(fields: Fields) -> Choice:
    value = _value(fields, "value")
    choice = Choice(value=value, label=fields.localised("label", CHOICE_LABEL_MAX))
    fields.close()
    return choice


def _price_row(fields: Fields, tariff: Tariff) -> PriceRow:
    when = fields.record("when")
    raw = fields.get("when")
    names = [str(name) for name in raw] if isinstance(raw, dict) else []
    price_credits = fields.decimal("price_credits", 0, CREDITS_MAX)
    row = PriceRow(
        when={name: _value(when, name) for name in names},
        price_credits=price_credits,
        price_kopecks=tariff.price_kopecks(price_credits),
    )
    fields.close()
    return row


def _value(fields: Fields, name: str) -> Value:
    value = fields.get(name)
    if isinstance(value, str | int | float):
        return value
    fields.note(name, value, "a text, a number, true or false", "Write the vendor's value.")
    return "?"
