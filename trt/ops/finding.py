"""What an examination finds: one line each, with the mend."""

from collections.abc import Callable
from enum import StrEnum

from attrs import evolve, frozen


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """It works, and somebody should know."""
    FAIL = "FAIL"
    """Something does not work, or will not soon."""


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at."""

    verdict: Verdict
    check: str
    """Which check it is from, in one or two words."""
    what: str
    mend: str = ""
    """What to do about it; empty when nothing is to be done."""

    def with_words(self, change: Callable[[str], str]) -> "Finding":
        """Return the same with every free word changed, such as by a redactor."""
        return evolve(self, what=change(self.what), mend=change(self.mend))


def ok(check: str, what: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(verdict=Verdict.OK, check=check, what=what)


def warn(check: str, what: str, mend: str) -> Finding:
    """Return a finding that somebody should know of."""
    return Finding(verdict=Verdict.WARN, check=check, what=what, mend=mend)


def fail(check: str, what: str, mend: str) -> Finding:
    """Return a finding that somebody has to act on."""
    return Finding(verdict=Verdict.FAIL, check=check, what=what, mend=mend)
