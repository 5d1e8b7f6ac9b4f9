"""The order form asks in order, takes only good answers and knows its price."""

from decimal import Decimal
from pathlib import Path

import pytest

from trt.catalog.loader import load_catalogue
from trt.catalog.pricing import Tariff
from trt.domain import form
from trt.domain.ids import DraftId, ModelId
from trt.domain.model_card import Catalogue, ModelCard
from trt.domain.session import Draft

REGISTRY = Path(__file__).parents[2] / "registry"
TARIFF = Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2))


def card(model_id: str) -> ModelCard:
    catalogue = load_catalogue(REGISTRY, TARIFF)
    assert isinstance(catalogue, Catalogue)
    return catalogue.models[ModelId(model_id)]


KLING = card("kling-2.6/text-to-video")
BANANA = card("nano-banana-pro")


def test_questions_come_in_the_cards_order_and_only_the_required() -> None:
    asked = []
    values: dict[str, str | int | float | bool] = {}
    while (param := form.next_question(KLING, values)) is not None:
        asked.append(param.name)
        values[param.name] = "x"
    assert asked == ["prompt", "aspect_ratio", "duration", "sound"]
    assert form.next_question(BANANA, {"prompt": "x"}) is None


def test_looking_back_goes_through_the_required_questions() -> None:
    last = form.question_before(KLING, None)
    assert last is not None
    assert last.name == "sound"
    before = form.question_before(KLING, "sound")
    assert before is not None
    assert before.name == "duration"
    assert form.question_before(KLING, "prompt") is None


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (" a cat \n", form.Answered("a cat")),
        (" \n ", form.TooShort(length=0, length_min=1)),
        ("x" * 1000, form.Answered("x" * 1000)),
        ("x" * 1001, form.TooLong(length=1001, length_max=1000)),
    ],
)
def test_a_text_is_judged_without_its_blanks(text: str, verdict: object) -> None:
    assert form.check_text(KLING.param("prompt"), text) == verdict


def test_defaults_fill_in_and_choices_win() -> None:
    chosen = {"resolution": "4K", "prompt": "x", "stranger": "y"}
    assert form.complete(BANANA, chosen) == {
        "prompt": "x",
        "aspect_ratio": "1:1",
        "resolution": "4K",
        "output_format": "png",
    }


@pytest.mark.parametrize(("resolution", "kopecks"), [("1K", 1404), ("2K", 1404), ("4K", 1872)])
def test_the_worked_example_of_prices(resolution: str, kopecks: int) -> None:
    assert form.price_kopecks(BANANA, {"prompt": "x", "resolution": resolution}) == kopecks


def test_a_choice_shows_its_price_as_a_lower_bound_while_questions_are_open() -> None:
    duration = KLING.param("duration")
    ten = duration.choices[1]
    early = form.choice_price(KLING, {"prompt": "x"}, duration, ten)
    assert early == form.ChoicePrice(price_kopecks=8580, is_exact=False)
    late = form.choice_price(KLING, {"sound": True}, duration, ten)
    assert late == form.ChoicePrice(price_kopecks=17160, is_exact=True)
    assert form.is_priced(KLING, duration)
    assert not form.is_priced(KLING, KLING.param("aspect_ratio"))


def test_a_switch_is_not_a_number_and_a_string_is_not_either() -> None:
    assert form.is_good(KLING.param("sound"), value=True)
    assert not form.is_good(KLING.param("sound"), 1)
    assert form.is_good(KLING.param("duration"), "5")
    assert not form.is_good(KLING.param("duration"), 5)


def test_a_remembered_order_loses_what_the_card_no_longer_knows() -> None:
    draft = Draft(
        draft_id=DraftId("0" * 8),
        model_id=BANANA.model_id,
        values={"prompt": "x", "resolution": "8K", "seed": 7, "aspect_ratio": "16:9"},
        asking="seed",
    )
    mended = form.mend(BANANA, draft)
    assert mended.values == {"prompt": "x", "aspect_ratio": "16:9"}
    assert mended.asking is None
