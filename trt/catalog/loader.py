"""The registry's files as raw records, and the whole catalogue from them."""

import re
from importlib.resources.abc import Traversable
from typing import Any, Final

import yaml
from typing_extensions import override

from trt.catalog.pricing import Tariff
from trt.catalog.problems import Problem, RegistryProblems
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


def load_catalogue(folder: Traversable, tariff: Tariff) -> Catalogue | RegistryProblems:
    """Read every `*.yaml` of a folder into a catalogue in menu order.

    Args:
        folder: A `pathlib.Path` or a package's resource folder.
        tariff: What turns the vendor's credits into our kopecks.

    Returns:
        The models by category and, within it, by price; or everything that is wrong with the
        registry.

    Raises:
        OSError: The folder or a file cannot be read.
    """
    files = sorted((f for f in folder.iterdir() if f.name.endswith(_SUFFIX)), key=lambda f: f.name)
    problems: list[Problem] = []
    cards: dict[ModelId, ModelCard] = {}
    for file in files:
        card = _read(file, tariff)
        if isinstance(card, tuple):
            problems.extend(card)
        elif card.model_id in cards:
            allowed, mend = "each model in one file", "Remove one of the two files."
            problems.append(_problem(file.name, "model_id", card.model_id, allowed, mend))
        else:
            cards[card.model_id] = card
    if not files:
        allowed, mend = "at least one model", "Point to the folder with the model files."
        problems.append(_problem(folder.name, "", [], allowed, mend))
    if problems:
        return RegistryProblems(tuple(problems))
    return Catalogue({card.model_id: card for card in sorted(cards.values(), key=_place)})


def _read(file: Traversable, tariff: Tariff) -> ModelCard | tuple[Problem, ...]:
    try:
        raw = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return (_problem(file.name, "", str(error), "a YAML file in UTF-8", _YAML_MEND),)
    return read_card(file.name, raw, tariff)


def _problem(file: str, field: str, value: object, allowed: str, mend: str) -> Problem:
    return Problem(file=file, field=field, value=value, allowed=allowed, mend=mend)


def _place(card: ModelCard) -> tuple[int, int, str]:
    return list(Category).index(card.category), card.price_kopecks_min, card.title
