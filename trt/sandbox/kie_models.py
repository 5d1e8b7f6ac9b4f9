"""The three models the pretended KIE knows: what they take and what they cost."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from trt.sandbox.kie_envelope import Declined


@frozen(kw_only=True)
class Parameter:
    """One field of a model's input, as the vendor's schema of 2026-08-19 has it."""

    name: str
    type: type
    is_required: bool = False
    options: tuple[str, ...] = ()
    length_max: int | None = None


@frozen(kw_only=True)
class FakeModel:
    """A model on the market."""

    model_id: str
    is_video: bool
    parameters: tuple[Parameter, ...]
    prices: Mapping[tuple[str, ...], float] = field(repr=False)
    """Credits by the values of `priced_by`, all as text (vendor's catalogue of 2026-10-01)."""
    priced_by: tuple[tuple[str, str], ...] = ()
    """Name and default of the parameters that the price depends on."""

    def credits(self, given: Mapping[str, Any]) -> float:
        """Return what one task with this input costs."""
        key = tuple(str(given.get(name, default)) for name, default in self.priced_by)
        return self.prices[key]


_TALL_AND_WIDE = ("1:1", "4:3", "3:4", "16:9", "9:16")
_RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "auto")

MODELS: Mapping[str, FakeModel] = {
    model.model_id: model
    for model in (
        FakeModel(
            model_id="z-image",
            is_video=False,
            parameters=(
                Parameter(name="prompt", type=str, is_required=True, length_max=1_000),
                Parameter(name="aspect_ratio", type=str, is_required=True, options=_TALL_AND_WIDE),
                Parameter(name="nsfw_checker", type=bool),
            ),
            prices={(): 0.8},
        ),
        FakeModel(
            model_id="nano-banana-pro",
            is_video=False,
            parameters=(
                Parameter(name="prompt", type=str, is_required=True, length_max=10_000),
                Parameter(name="aspect_ratio", type=str, options=_RATIOS),
                Parameter(name="image_input", type=list, length_max=8),
                Parameter(name="output_format", type=str, options=("png", "jpg")),
                Parameter(name="resolution", type=str, options=("1K", "2K", "4K")),
            ),
            priced_by=(("resolution", "1K"),),
            prices={("1K",): 18.0, ("2K",): 18.0, ("4K",): 24.0},
        ),
        FakeModel(
            model_id="kling-2.6/text-to-video",
            is_video=True,
            parameters=(
                Parameter(name="prompt", type=str, is_required=True, length_max=1_000),
                Parameter(
                    name="aspect_ratio", type=str, is_required=True, options=("1:1", "16:9", "9:16")
                ),
                Parameter(name="duration", type=str, is_required=True, options=("5", "10")),
                Parameter(name="sound", type=bool, is_required=True),
            ),
            priced_by=(("duration", "5"), ("sound", "False")),
            prices={
                ("5", "False"): 55.0,
                ("10", "False"): 110.0,
                ("5", "True"): 110.0,
                ("10", "True"): 220.0,
            },
        ),
    )
}


def checked_model(model_id: object, given: object) -> FakeModel:
    """Return the model if it is known and would take this input; unknown fields are let through.

    Raises:
        Declined: with the codes and, where they were observed, the words of the real server.
    """
    if not isinstance(model_id, str) or not model_id or not isinstance(given, dict):
        raise Declined(500, "This field is required")
    model = MODELS.get(model_id)
    if model is None:
        raise Declined(
            422,
            "The model name you specified is not supported. Please verify your input and use one"
            " of the supported models provided by KIE.",
        )
    for parameter in model.parameters:
        _check(parameter, given.get(parameter.name))
    return model


def _check(parameter: Parameter, value: object) -> None:
    if value is None or value == "":
        if parameter.is_required:
            raise Declined(500, f"{parameter.name} is required")
        return
    if not isinstance(value, parameter.type):
        raise Declined(422, f"{parameter.name} must be a {parameter.type.__name__}")
    if parameter.options and value not in parameter.options:
        raise Declined(422, f"{parameter.name} is not within the range of allowed options")
    if (
        parameter.length_max is not None
        and isinstance(value, (str, list))
        and len(value) > parameter.length_max
    ):
        raise Declined(422, f"{parameter.name} exceeds the maximum of {parameter.length_max}")
