"""A chosen order as the vendor's `input` object."""

from collections.abc import Mapping

from trt.domain import form
from trt.domain.model_card import ModelCard, Param, ParamKind, Value

Wire = Value | list[str]
"""A value as KIE receives it."""


def build_input(
    card: ModelCard, values: Mapping[str, Value], addresses: Mapping[str, str]
) -> dict[str, Wire]:
    """Return createTask's `input`: wire names, wire types, defaults filled in, nothing else.

    The registry names parameters as the vendor does and types their values as the vendor does
    (Kling's duration is the string "5", its sound a boolean), so nothing is converted here.

    Args:
        card: The model.
        values: What the user chose; values that the card does not know are left out.
        addresses: Where KIE's file service keeps the pictures among them, by parameter.

    Raises:
        AssertionError: A required parameter has no value, a value is not one of the card's, or a
            picture has no address.
    """
    payload = form.complete(card, values)
    for param in card.params:
        assert param.name in payload or not param.is_required, f"{param.name} has no value"
        assert param.name not in payload or form.is_good(param, payload[param.name]), (
            f"{param.name} is not a value of {card.model_id}"
        )
        is_picture = param.kind is ParamKind.PICTURE and param.name in payload
        assert param.name in addresses or not is_picture, f"{param.name} has no address"
    return {name: _wire(card.param(name), value, addresses) for name, value in payload.items()}


def _wire(param: Param, value: Value, addresses: Mapping[str, str]) -> Wire:
    if param.kind is not ParamKind.PICTURE:
        return value
    return [addresses[param.name]] if param.is_list else addresses[param.name]
