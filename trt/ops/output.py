"""How a command answers: a page for people, or JSON for machines."""

import sys
from typing import Any

import msgspec


def answer(page: str, figures: Any, *, is_json: bool) -> None:
    """Write one of the two to stdout.

    Args:
        page: What people read.
        figures: The same as values that msgspec can encode.
        is_json: Whether a machine asks.
    """
    sys.stdout.write(as_json(figures) if is_json else page)


def as_json(figures: Any) -> str:
    """Return values as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n"


def complain(text: str) -> None:
    """Write what is wrong, and the mend, to stderr."""
    sys.stderr.write(f"{text}\n")
