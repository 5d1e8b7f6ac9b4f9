"""A chosen order as the vendor's `input` object."""

from collections.abc import Mapping

from trt.domain import form
from trt.domain.model_card import ModelCard, Value


def build_input(card: ModelCard, values: Mapping[str, Value]) -> dict[str, Value]:
    """Return createTask's `input`: wire names, wire types, defaults filled in, nothing else.

    The registry names parameters as the vendor does and types their values as the vendor does
    (Kling's duration is the string "5", its sound a boolean), so nothing is converted here.

    Args:
        card: The model.
        values: What the user chose; values that the card does not know are left out.

    Raises:
        AssertionError: A required parameter has no value, or a value is not one of the card's.
    """
    payload = form.complete(card, values)
    for param in card.params:
        assert param.name in payload or not param.is_required, f"{param.name} has no value"
        assert param.name not in payload or form.is_good(param, payload[param.name]), (
            f"{param.name} is not a value of {card.model_id}"
        )
    return payload
