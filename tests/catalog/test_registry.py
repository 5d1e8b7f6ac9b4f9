"""The registry that ships: it loads, sells at the known prices, sends what the vendor takes."""

from decimal import Decimal
from pathlib import Path

import pytest
from attrs import evolve

from trt.catalog.loader import load_catalogue
from trt.catalog.payload import build_input
from trt.catalog.pricing import Tariff
from trt.domain.ids import ModelId
from trt.domain.model_card import Catalogue, Category, ModelCard, Value

REGISTRY = Path(__file__).parents[2] / "registry"
TARIFF = Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2))


def shipped() -> Catalogue:
    read = load_catalogue(REGISTRY, TARIFF)
    assert isinstance(read, Catalogue), str(read)
    return read


def card(model_id: str) -> ModelCard:
    return shipped().models[ModelId(model_id)]


def test_every_file_is_on_sale_cheapest_first_within_its_shelf() -> None:
    assert list(shipped().models) == ["z-image", "nano-banana-pro", "kling-2.6/text-to-video"]
    assert [c.model_id for c in shipped().shelf(Category.VIDEO)] == ["kling-2.6/text-to-video"]


@pytest.mark.parametrize(
    ("model_id", "values", "price_credits", "kopecks"),
    [
        ("z-image", {}, "0.8", 63),
        ("nano-banana-pro", {"resolution": "1K"}, "18", 1404),
        ("nano-banana-pro", {"resolution": "2K"}, "18", 1404),
        ("nano-banana-pro", {"resolution": "4K"}, "24", 1872),
        ("kling-2.6/text-to-video", {"duration": "5", "sound": False}, "55", 4290),
        ("kling-2.6/text-to-video", {"duration": "10", "sound": False}, "110", 8580),
        ("kling-2.6/text-to-video", {"duration": "5", "sound": True}, "110", 8580),
        ("kling-2.6/text-to-video", {"duration": "10", "sound": True}, "220", 17160),
    ],
)
def test_prices_are_the_vendors_times_the_tariff(
    model_id: str, values: dict[str, Value], price_credits: str, kopecks: int
) -> None:
    row = card(model_id).quote(values)
    assert row.price_credits == Decimal(price_credits)
    assert row.price_kopecks == kopecks


def test_deadlines_by_what_is_made() -> None:
    deadlines = {model_id: c.deadline_s for model_id, c in shipped().models.items()}
    assert deadlines == {"z-image": 300, "nano-banana-pro": 300, "kling-2.6/text-to-video": 1200}


def test_the_payload_has_the_vendors_names_and_types_and_nothing_else() -> None:
    chosen: dict[str, Value] = {
        "prompt": "x",
        "aspect_ratio": "16:9",
        "duration": "5",
        "sound": False,
        "z": 1,
    }
    payload = build_input(card("kling-2.6/text-to-video"), chosen, {})
    assert payload == {"prompt": "x", "aspect_ratio": "16:9", "duration": "5", "sound": False}
    assert payload["sound"] is False
    assert build_input(card("nano-banana-pro"), {"prompt": "x"}, {}) == {
        "prompt": "x",
        "aspect_ratio": "1:1",
        "resolution": "1K",
        "output_format": "png",
    }


def test_a_picture_goes_out_as_the_address_that_kie_gave_it() -> None:
    banana = card("nano-banana-pro")
    chosen: dict[str, Value] = {"prompt": "x", "image_input": "telegrams-file-id"}
    address = "https://files.test/a.jpg"
    assert build_input(banana, chosen, {"image_input": address})["image_input"] == [address]
    alone = evolve(banana, params=tuple(evolve(param, is_list=False) for param in banana.params))
    assert build_input(alone, chosen, {"image_input": address})["image_input"] == address
    with pytest.raises(AssertionError, match="no address"):
        build_input(banana, chosen, {})


@pytest.mark.parametrize("values", [{}, {"prompt": "x", "resolution": "8K"}, {"prompt": " "}])
def test_an_order_that_the_card_does_not_take_is_a_bug(values: dict[str, Value]) -> None:
    with pytest.raises(AssertionError):
        build_input(card("nano-banana-pro"), values, {})


@pytest.mark.parametrize(
    ("rate", "multiplier", "price_credits", "kopecks"),
    [
        ("78", "2.0", "18", 1404),
        ("78.59", "2.0", "18", 1415),
        ("100", "1", "0.02", 1),
        ("100", "1", "0.021", 2),
        ("1", "1", "0.0001", 1),
    ],
)
def test_prices_round_up_to_a_whole_kopeck(
    rate: str, multiplier: str, price_credits: str, kopecks: int
) -> None:
    tariff = Tariff(usd_to_rub=Decimal(rate), multiplier=Decimal(multiplier))
    assert tariff.price_kopecks(Decimal(price_credits)) == kopecks
