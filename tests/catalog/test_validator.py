"""A registry with a fault does not load, and the fault is named so that it can be mended."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from trt.catalog.loader import load_catalogue
from trt.catalog.pricing import Tariff
from trt.catalog.problems import Problem, RegistryProblems
from trt.catalog.validator import read_card
from trt.domain.model_card import Catalogue, ModelCard

TARIFF = Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2))
BANANA = Path(__file__).parents[2] / "registry" / "nano-banana-pro.yaml"


def record() -> Any:
    return yaml.safe_load(BANANA.read_text("utf-8"))


def problems(raw: object) -> tuple[Problem, ...]:
    read = read_card("m.yaml", raw, TARIFF)
    assert not isinstance(read, ModelCard)
    return read


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
        ("prices", [], "prices"),
        ("prices/0/price_credits", 0, "prices[0].price_credits"),
        ("prices/0/price_credits", "cheap", "prices[0].price_credits"),
        ("prices/0/price_credits", 22000, "prices[0].price_credits"),
        ("prices/2/when/resolution", "8K", "prices[2].when.resolution"),
        ("prices/2/when/resolution", "2K", "prices"),
        ("prices/2", ..., "prices"),
        ("prices/2/when", {}, "prices"),
        ("prices/2/when", {"seed": 1}, "prices[2].when"),
        ("prices/2/when", {"prompt": "x"}, "prices[2].when"),
        ("params/2/default", ..., "prices"),
    ],
)
def test_each_fault_is_found_where_it_is(path: str, value: object, field: str) -> None:
    found = problems(spoil(record(), path, value))
    assert field in {each.field for each in found}, [str(each) for each in found]


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
