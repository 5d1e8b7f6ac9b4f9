"""Reads one record of a registry file field by field and writes down everything that is wrong."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, TypeVar

from trt.catalog.problems import Problem

LANGUAGES: Final = ("ru", "en")

E = TypeVar("E", bound=StrEnum)


class Fields:
    """A record under inspection.

    Every reader notes a problem and returns a harmless stand-in, so that one pass finds all.
    """

    def __init__(self, file: str, path: str, raw: object, problems: list[Problem]) -> None:
        self._file = file
        self._path = path
        self._problems = problems
        self._raw: Mapping[Any, object] = raw if isinstance(raw, dict) else {}
        self._read: set[str] = set()
        if not isinstance(raw, dict):
            self.note("", raw, "a mapping of fields", "Write `field: value` lines.")

    def note(self, name: str, value: object, allowed: str, mend: str) -> None:
        """Write down one problem of the field `name`, or of the record where it is empty."""
        field = ".".join(part for part in (self._path, name) if part)
        problem = Problem(file=self._file, field=field, value=value, allowed=allowed, mend=mend)
        self._problems.append(problem)

    def has(self, name: str) -> bool:
        """Say whether the field is there."""
        return name in self._raw

    def get(self, name: str) -> object:
        """Return the field as it stands, None where it is missing."""
        self._read.add(name)
        return self._raw.get(name)

    def text(self, name: str, length_max: int, pattern: str = r"(?s).*\S.*") -> str:
        """Return a text of 1 to `length_max` characters that fits the pattern."""
        value = self.get(name)
        if isinstance(value, str) and 1 <= len(value) <= length_max:
            if re.fullmatch(pattern, value):
                return value
            self.note(name, value, f"a text like {pattern}", "Correct the spelling.")
        else:
            mend = "Shorten it, or put it in quotes if it is a text."
            self.note(name, value, f"a text of 1 to {length_max} characters", mend)
        return "?"

    def integer(self, name: str, at_least: int, at_most: int, default: int | None = None) -> int:
        """Return a whole number within bounds; `default` stands in where the field is missing."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= at_most:
            return value
        allowed = f"a whole number from {at_least} to {at_most}"
        self.note(name, value, allowed, "Write a number within the bounds.")
        return at_least

    def decimal(self, name: str, above: int, at_most: int) -> Decimal:
        """Return an exact number greater than `above`."""
        value = self.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                number = Decimal(str(value))
            except InvalidOperation:
                number = Decimal("NaN")
            if number.is_finite() and above < number <= at_most:
                return number
        allowed = f"a number above {above} and up to {at_most}"
        self.note(name, value, allowed, "Write it as the vendor's price list has it.")
        return Decimal(1)

    def flag(self, name: str) -> bool:
        """Return a yes or no."""
        value = self.get(name)
        if isinstance(value, bool):
            return value
        self.note(name, value, "true or false", "Write true or false, without quotes.")
        return False

    def one_of(self, name: str, kinds: type[E]) -> E:
        """Return a member of an enumeration by its value."""
        value = self.get(name)
        for kind in kinds:
            if kind.value == value:
                return kind
        allowed = ", ".join(kind.value for kind in kinds)
        self.note(name, value, allowed, "Take one of the allowed words.")
        return next(iter(kinds))

    def localised(self, name: str, length_max: int, *, is_optional: bool = False) -> dict[str, str]:
        """Return a text in every language."""
        if is_optional and not self.has(name):
            return {}
        texts = self.record(name)
        found = {language: texts.text(language, length_max) for language in LANGUAGES}
        texts.close()
        return found

    def record(self, name: str) -> "Fields":
        """Return a nested record."""
        path = ".".join(part for part in (self._path, name) if part)
        return Fields(self._file, path, self.get(name), self._problems)

    def records(self, name: str) -> list["Fields"]:
        """Return a list of nested records; a missing field is an empty list."""
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.note(name, value, "a list", "Begin each entry with a dash.")
            return []
        path = ".".join(part for part in (self._path, name) if part)
        return [
            Fields(self._file, f"{path}[{at}]", raw, self._problems) for at, raw in enumerate(value)
        ]

    def close(self) -> None:
        """Refuse every field that nobody read."""
        for name, value in self._raw.items():
            if name not in self._read:
                mend = "Remove the field, or correct its name."
                self.note(str(name), value, ", ".join(sorted(self._read)), mend)
