"""The catalogues of words, read from one TOML file per language."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from trt.domain.copy import LANGUAGE_DEFAULT, Copies, Copy

_SUFFIX: Final = ".toml"


def load_copies(folder: Traversable | None = None) -> Copies:
    """Read every `<language>.toml` of a folder, by default the one that ships with the package.

    Returns:
        The languages, the default one first.

    Raises:
        tomllib.TOMLDecodeError: A file is not TOML.
        ValueError: A value is neither a text nor a table, or the default language is missing.
    """
    source = files("trt.catalog").joinpath("copy") if folder is None else folder
    read = {
        file.name.removesuffix(_SUFFIX): dict(_flat(tomllib.loads(file.read_text("utf-8"))))
        for file in source.iterdir()
        if file.name.endswith(_SUFFIX)
    }
    if LANGUAGE_DEFAULT not in read:
        raise ValueError(f"no {LANGUAGE_DEFAULT}{_SUFFIX} among the words")
    languages = sorted(read, key=lambda language: (language != LANGUAGE_DEFAULT, language))
    return Copies({language: Copy(language, read[language]) for language in languages})


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        match value:
            case str():
                yield prefix + name, value.strip()
            case dict():
                yield from _flat(value, f"{prefix}{name}.")
            case _:
                raise ValueError(f"{prefix}{name} is neither a text nor a table")
