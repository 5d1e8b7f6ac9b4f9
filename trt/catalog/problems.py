"""What is wrong with the registry, said so that the reader can mend it."""

from typing import Final

from attrs import frozen
from typing_extensions import override

from trt.domain.ids import ModelId

_VALUE_SHOWN_MAX: Final = 80


@frozen(kw_only=True)
class Problem:
    """One fault in one file."""

    file: str
    field: str
    """Path of the field, such as `params[1].default`; empty for the file as a whole."""
    value: object
    allowed: str
    mend: str

    @property
    def is_about_prices(self) -> bool:
        """Whether it concerns nothing but what the model costs."""
        return self.field.partition("[")[0] == "prices"

    @override
    def __str__(self) -> str:
        value = repr(self.value)
        shown = value if len(value) <= _VALUE_SHOWN_MAX else value[:_VALUE_SHOWN_MAX] + "…"
        where = f"{self.file}: {self.field}" if self.field else self.file
        return f"{where}: {shown} is not allowed; allowed: {self.allowed}. {self.mend}"


@frozen(kw_only=True)
class BlockedModel:
    """A model that cannot be sold, because its price is not certain; all else about it is right."""

    model_id: ModelId
    problems: tuple[Problem, ...]
    """At least one, and each is about its prices."""

    @override
    def __str__(self) -> str:
        first, *others = self.problems
        return f"{first} ({len(others)} more)" if others else str(first)


@frozen
class RegistryProblems:
    """Everything that is wrong with a registry; there is at least one."""

    problems: tuple[Problem, ...]

    @override
    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
