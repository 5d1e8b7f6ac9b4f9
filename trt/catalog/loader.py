"""The registry's files as raw records, and the whole catalogue from them."""

import re
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from typing import Any, Final

import yaml
from attrs import frozen
from typing_extensions import override

from trt.catalog.pricing import Tariff
from trt.catalog.problems import BlockedModel, Problem, RegistryProblems
from trt.catalog.validator import read_card
from trt.domain.ids import ModelId
from trt.domain.model_card import Catalogue, Category, ModelCard

_SUFFIX: Final = ".yaml"
_YAML_MEND: Final = "Correct the YAML; a text with a colon wants quotes."


# Which unquoted words are not texts, with their first characters (YAML 1.2, core schema).
_PLAIN: Final = (
    ("null", r"(null|~|)\Z", ["n", "~", ""]),
    ("bool", r"(true|false)\Z", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)\Z", list("-0123456789")),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+\Z", list("-0123456789")),
)


class _Loader(yaml.SafeLoader):
    """The plain values of YAML 1.2: `16:9`, `on` and dates stay texts; a doubled key is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own protocol

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = next((key for at, key in enumerate(keys) if key in keys[:at]), None)
        if doubled is not None:
            problem = f"the key {doubled!r} stands twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep=deep)


for _kind, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)


@frozen(kw_only=True)
class Stock:
    """What can be sold from a registry, and what cannot."""

    catalogue: Catalogue
    blocked: tuple[BlockedModel, ...]
    """In the order of their files."""


def load_catalogue(folder: Traversable, tariff: Tariff) -> Catalogue | RegistryProblems:
    """Read a registry as `load_stock` does, and accept no blocked model: every fault is told."""
    stock = load_stock(folder, tariff)
    if isinstance(stock, RegistryProblems):
        return stock
    return RegistryProblems(_of(stock.blocked)) if stock.blocked else stock.catalogue


def load_stock(folder: Traversable, tariff: Tariff) -> Stock | RegistryProblems:
    """Read every `*.yaml` of a folder into a catalogue in menu order.

    A model whose prices are not exactly one for each order is blocked, and the others are sold.

    Args:
        folder: A `pathlib.Path` or a package's resource folder.
        tariff: What turns the vendor's credits into our kopecks.

    Returns:
        The models by category and, within it, by price, and those that are blocked; or everything
        that is wrong with a registry that cannot be sold from.

    Raises:
        OSError: The folder or a file cannot be read.
    """
    files = sorted((f for f in folder.iterdir() if f.name.endswith(_SUFFIX)), key=lambda f: f.name)
    problems: list[Problem] = []
    models: dict[ModelId, ModelCard | BlockedModel] = {}
    for file in files:
        model = _read(file, tariff)
        if isinstance(model, tuple):
            problems.extend(model)
        elif model.model_id in models:
            allowed, mend = "each model in one file", "Remove one of the two files."
            problems.append(_problem(file.name, "model_id", model.model_id, allowed, mend))
        else:
            models[model.model_id] = model
    cards = [model for model in models.values() if isinstance(model, ModelCard)]
    blocked = tuple(model for model in models.values() if isinstance(model, BlockedModel))
    if not files:
        allowed, mend = "at least one model", "Point to the folder with the model files."
        problems.append(_problem(folder.name, "", [], allowed, mend))
    elif blocked and not problems and not any(card.is_enabled for card in cards):
        allowed, mend = "at least one model that can be sold", "Mend the prices named below."
        problems.append(_problem(folder.name, "", [], allowed, mend))
    if problems:
        return RegistryProblems((*problems, *_of(blocked)))
    by_place = {card.model_id: card for card in sorted(cards, key=_place)}
    return Stock(catalogue=Catalogue(by_place), blocked=blocked)


def _of(blocked: Iterable[BlockedModel]) -> tuple[Problem, ...]:
    return tuple(problem for model in blocked for problem in model.problems)


def _read(file: Traversable, tariff: Tariff) -> ModelCard | BlockedModel | tuple[Problem, ...]:
    try:
        raw = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return (_problem(file.name, "", str(error), "a YAML file in UTF-8", _YAML_MEND),)
    return read_card(file.name, raw, tariff)


def _problem(file: str, field: str, value: object, allowed: str, mend: str) -> Problem:
    return Problem(file=file, field=field, value=value, allowed=allowed, mend=mend)


def _place(card: ModelCard) -> tuple[int, int, str]:
    return list(Category).index(card.category), card.price_kopecks_min, card.title
