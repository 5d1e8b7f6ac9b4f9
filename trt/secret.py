"""A string that does not show itself."""

from attrs import field, frozen
from typing_extensions import override


@frozen(repr=False, eq=False)
class Secret:
    """A secret whose repr, str and format are stars; only `reveal()` gives it away.

    Comparison is left out on purpose: secrets are compared with `hmac.compare_digest`.
    """

    _value: str = field()

    def reveal(self) -> str:
        """Return the secret itself, for the one line that sends or compares it."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(***)"
