"""What a generation model offers, what it asks for and what it costs."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from attrs import field, frozen

from trt.domain.ids import ModelId

Value = str | int | float | bool
"""A parameter's value as the user chose it and as KIE receives it."""

Localised = Mapping[str, str]
"""A text per language code; `ru` is always there."""


class Category(StrEnum):
    """The shelves of the shop, in menu order; each is a `cat:` button."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    ENHANCE = "enhance"


class OutputKind(StrEnum):
    """What comes out, before anyone looked at the bytes."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class ParamKind(StrEnum):
    """How a parameter is asked for."""

    TEXT = "text"
    CHOICE = "choice"
    SWITCH = "switch"
    PICTURE = "picture"
    """Its value is Telegram's file_id until the order goes to KIE."""


@frozen(kw_only=True)
class Choice:
    """One allowed value of a choice, with the words on its button."""

    value: Value
    label: Localised


@frozen(kw_only=True)
class Param:
    """One parameter of a model's order form."""

    name: str
    kind: ParamKind
    is_required: bool
    label: Localised
    hint: Localised = field(factory=dict)
    default: Value | None = None
    choices: tuple[Choice, ...] = ()
    """For a choice, every allowed value; for a switch, True and False with their words."""
    length_min: int = 1
    length_max: int = 4000
    """Characters of a text."""
    is_list: bool = False
    """Whether KIE takes a picture as a list of addresses, not as one address."""


@frozen(kw_only=True)
class PriceRow:
    """The price of one combination of parameters."""

    when: Mapping[str, Value]
    """Parameter values that must all be equal; empty means always."""
    price_credits: Decimal
    """What KIE takes from us."""
    price_kopecks: int
    """What the user pays."""


@frozen(kw_only=True)
class ModelCard:
    """A model as it is sold."""

    model_id: ModelId
    category: Category
    output: OutputKind
    is_enabled: bool
    title: str
    about: Localised
    example_prompt: Localised
    params: tuple[Param, ...]
    """In the order in which they are asked."""
    prices: tuple[PriceRow, ...]
    duration_s: int
    """How long a generation usually takes."""
    deadline_s: int
    """When a job is given up and refunded, counted from the confirmation."""

    @property
    def price_kopecks_min(self) -> int:
        """The "from" price of the card."""
        return min(row.price_kopecks for row in self.prices)

    def param(self, name: str) -> Param:
        """Return the parameter called `name`.

        Raises:
            KeyError: The model has no such parameter.
        """
        for param in self.params:
            if param.name == name:
                return param
        raise KeyError(name)

    def quote(self, values: Mapping[str, Value]) -> PriceRow:
        """Return the one price row that fits a complete set of values.

        The catalogue refuses to load a model where some combination fits none or two rows.
        """
        [row] = [
            row
            for row in self.prices
            if all(values.get(name) == value for name, value in row.when.items())
        ]
        return row


@frozen
class Catalogue:
    """Every model on sale, in menu order."""

    models: Mapping[ModelId, ModelCard]

    def find(self, model_id: str) -> ModelCard | None:
        """Return the card of an enabled model, or None."""
        card = self.models.get(ModelId(model_id))
        return card if card is not None and card.is_enabled else None

    def shelf(self, category: Category) -> tuple[ModelCard, ...]:
        """Return the enabled models of a category."""
        return tuple(c for c in self.models.values() if c.category is category and c.is_enabled)
