"""A fault of the registry is named so that it can be mended; one of the prices blocks its model."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from trt.catalog.loader import Stock, load_catalogue, load_stock
from trt.catalog.pricing import Tariff
from trt.catalog.problems import BlockedModel, Problem, RegistryProblems
from trt.catalog.validator import read_card
from trt.domain.model_card import Catalogue, ModelCard

TARIFF = Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2))
REGISTRY = Path(__file__).parents[2] / "registry"
BANANA = REGISTRY / "nano-banana-pro.yaml"
Z_IMAGE = REGISTRY / "z-image.yaml"


def record() -> Any:
    return yaml.safe_load(BANANA.read_text("utf-8"))


def problems(raw: object) -> tuple[Problem, ...]:
    read = read_card("m.yaml", raw, TARIFF)
    assert not isinstance(read, ModelCard)
    return read.problems if isinstance(read, BlockedModel) else read


def spoil(raw: Any, path: str, value: object) -> Any:
    *way, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    at = raw
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return raw


def test_a_good_record_is_a_card() -> None:
    assert isinstance(read_card("m.yaml", record(), TARIFF), ModelCard)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("model_id", "Nano Banana", "model_id"),
        ("model_id", "m" * 59, "model_id"),
        ("title", "x" * 33, "title"),
        ("title", ..., "title"),
        ("category", "music", "category"),
        ("output", "text", "output"),
        ("is_enabled", "yes", "is_enabled"),
        ("about/en", ..., "about.en"),
        ("about/de", "x", "about.de"),
        ("example_prompt/ru", "x" * 501, "example_prompt.ru"),
        ("duration_s", 0, "duration_s"),
        ("deadline_s", 10, "deadline_s"),
        ("deadline_s", True, "deadline_s"),
        ("stranger", 1, "stranger"),
        ("source/url", "http://x", "source.url"),
        ("source/price_date", "yesterday", "source.price_date"),
        ("params", "none", "params"),
        ("params/0", "prompt", "params[0]"),
        ("params/0/kind", "image", "params[0].kind"),
        ("params/0/length_max", 10000, "params[0].length_max"),
        ("params/0/choices", [], "params[0].choices"),
        ("params/0/is_required", False, "params"),
        ("params/1/name", "prompt", "params"),
        ("params/1/name", "x" * 33, "params[1].name"),
        ("params/1/default", "7:1", "params[1].default"),
        ("params/1/choices", [], "params[1].choices"),
        ("params/1/choices/0/value", 11, "params[1].choices"),
        ("params/1/choices/0/value", "16:9", "params[1].choices"),
        ("params/1/choices/0/value", "x" * 42, "params[1].choices[0].value"),
        ("params/1/choices/0/label/ru", "x" * 25, "params[1].choices[0].label.ru"),
        ("params/1/kind", "switch", "params[1].choices"),
        ("params/4/is_list", ..., "params[4].is_list"),
        ("params/4/default", "a-file-id", "params[4].default"),
        ("params/4/choices", [], "params[4].choices"),
        ("prices", ..., "prices"),
        ("prices", [], "prices"),
        ("prices", "cheap", "prices"),
        ("prices/0", "18", "prices[0]"),
        ("prices/0/currency", "RUB", "prices[0].currency"),
        ("prices/0/price_credits", ..., "prices[0].price_credits"),
        ("prices/0/price_credits", 0, "prices[0].price_credits"),
        ("prices/0/price_credits", "cheap", "prices[0].price_credits"),
        ("prices/0/price_credits", 22000, "prices[0].price_credits"),
        ("prices/2/when/resolution", "8K", "prices[2].when.resolution"),
        ("prices/2/when/resolution", "2K", "prices"),
        ("prices/2", ..., "prices"),
        ("prices/2/when", {}, "prices"),
        ("prices/2/when", {"seed": 1}, "prices[2].when"),
        ("prices/2/when", {"prompt": "x"}, "prices[2].when"),
        ("prices/2/when", {"image_input": "x"}, "prices[2].when"),
        ("params/2/default", ..., "prices"),
    ],
)
def test_each_fault_is_found_where_it_is(path: str, value: object, field: str) -> None:
    raw = spoil(record(), path, value)
    found = problems(raw)
    assert field in {each.field for each in found}, [str(each) for each in found]
    is_blocked = isinstance(read_card("m.yaml", raw, TARIFF), BlockedModel)
    assert is_blocked is field.startswith("prices")


def test_a_blocked_model_says_which_and_why() -> None:
    without_4k = read_card("m.yaml", spoil(record(), "prices/2", ...), TARIFF)
    assert isinstance(without_4k, BlockedModel)
    assert without_4k.model_id == "nano-banana-pro"
    assert "this one has 0" in str(without_4k)
    assert "more)" not in str(without_4k)
    raw = spoil(spoil(record(), "prices/0/price_credits", "?"), "prices/1/price_credits", "?")
    assert str(read_card("m.yaml", raw, TARIFF)).endswith("(1 more)")


def test_rows_that_cannot_be_read_are_not_compared_with_the_choices() -> None:
    [problem] = problems(spoil(record(), "prices", "cheap"))
    assert problem.allowed == "a list"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("title", "", "title"),
        ("stranger", 1, "stranger"),
        ("params/0/is_required", False, "params"),
    ],
)
def test_another_fault_beside_an_unreadable_price_is_told_and_does_not_merely_block(
    path: str, value: object, field: str
) -> None:
    raw = spoil(spoil(record(), "prices/0/price_credits", "cheap"), path, value)
    assert isinstance(read_card("m.yaml", raw, TARIFF), tuple)
    assert {each.field for each in problems(raw)} == {"prices[0].price_credits", field}


def test_all_faults_of_a_record_are_told_at_once() -> None:
    raw = spoil(spoil(spoil(record(), "title", ""), "category", 7), "typo", 1)
    assert {"title", "category", "typo"} <= {each.field for each in problems(raw)}


def test_a_problem_says_file_field_value_allowed_and_mend() -> None:
    [problem] = problems(spoil(record(), "category", "music"))
    said = str(problem)
    for word in ("m.yaml", "category", "'music'", "image, video, audio, enhance", "Take one"):
        assert word in said


@pytest.mark.parametrize("raw", [None, [], "text", 7])
def test_a_file_that_is_no_record_is_refused(raw: object) -> None:
    assert problems(raw)


# The folder.


def load(folder: Path) -> Catalogue | RegistryProblems:
    return load_catalogue(folder, TARIFF)


def refused(folder: Path) -> str:
    read = load(folder)
    assert isinstance(read, RegistryProblems)
    return str(read)


def test_plain_words_stay_texts(tmp_path: Path) -> None:
    text = BANANA.read_text("utf-8").replace('"16:9"', "16:9").replace('"2026-10-01"', "2026-10-01")
    (tmp_path / "m.yaml").write_text(text)
    read = load(tmp_path)
    assert isinstance(read, Catalogue), str(read)
    [card] = read.models.values()
    assert "16:9" in [choice.value for choice in card.param("aspect_ratio").choices]


def test_a_broken_file_is_named_and_the_others_are_still_checked(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: [")
    (tmp_path / "b.yaml").write_text(BANANA.read_text("utf-8").replace("image\n", "music\n"))
    said = refused(tmp_path)
    assert "a.yaml" in said
    assert "b.yaml: category" in said


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BANANA.read_text("utf-8") + "title: Other\n")
    assert "stands twice" in refused(tmp_path)


def test_a_model_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(BANANA.read_text("utf-8"))
    assert "b.yaml: model_id" in refused(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert "at least one model" in refused(tmp_path)


# Models without a certain price.


def unpriced(text: str) -> str:
    return text.replace("price_credits:", "price_credits: about")


def test_a_model_without_a_price_is_blocked_and_the_others_are_sold(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(unpriced(BANANA.read_text("utf-8")))
    (tmp_path / "b.yaml").write_text(Z_IMAGE.read_text("utf-8"))
    stock = load_stock(tmp_path, TARIFF)
    assert isinstance(stock, Stock), str(stock)
    assert list(stock.catalogue.models) == ["z-image"]
    assert [model.model_id for model in stock.blocked] == ["nano-banana-pro"]


def test_whoever_looks_at_the_whole_registry_accepts_no_blocked_model(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(unpriced(BANANA.read_text("utf-8")))
    (tmp_path / "b.yaml").write_text(Z_IMAGE.read_text("utf-8"))
    said = refused(tmp_path)
    assert len(said.splitlines()) == 3
    assert "a.yaml: prices[2].price_credits: 'about 24'" in said


def test_a_fault_of_another_kind_refuses_all_and_the_prices_are_told_with_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_text(unpriced(BANANA.read_text("utf-8")))
    (tmp_path / "b.yaml").write_text(Z_IMAGE.read_text("utf-8") + "typo: 1\n")
    stock = load_stock(tmp_path, TARIFF)
    assert isinstance(stock, RegistryProblems)
    assert {each.file for each in stock.problems} == {"a.yaml", "b.yaml"}


def test_a_blocked_model_in_two_files_is_refused(tmp_path: Path) -> None:
    text = BANANA.read_text("utf-8")
    (tmp_path / "a.yaml").write_text(unpriced(text))
    (tmp_path / "b.yaml").write_text(text)
    stock = load_stock(tmp_path, TARIFF)
    assert isinstance(stock, RegistryProblems)
    assert "b.yaml: model_id" in str(stock)


@pytest.mark.parametrize("others", [[], ["is_enabled: false"]])
def test_with_nothing_left_to_sell_all_is_refused(others: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(unpriced(BANANA.read_text("utf-8")))
    for word in others:
        text = Z_IMAGE.read_text("utf-8").replace("is_enabled: true", word)
        (tmp_path / "b.yaml").write_text(text)
    stock = load_stock(tmp_path, TARIFF)
    assert isinstance(stock, RegistryProblems)
    first, *others_said = str(stock).splitlines()
    assert "at least one model that can be sold" in first
    assert all("a.yaml: prices" in line for line in others_said)
    assert others_said
