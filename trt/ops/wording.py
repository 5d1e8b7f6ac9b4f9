"""How numbers, times and tables look on an operator's terminal."""

from collections.abc import Sequence
from datetime import datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TENTHS_BELOW_S = 10
_STEPS = 1024
_KOPECKS = 100


def duration(seconds: float) -> str:
    """Say how long: `0.3 s`, `42 s`, `3 min 4 s`, `2 d 5 h`."""
    if abs(seconds) < _TENTHS_BELOW_S:
        return f"{seconds:.1f} s"
    sign = "-" if seconds < 0 else ""
    left = round(abs(seconds))
    for at, (unit, size) in enumerate(_UNITS[:-1]):
        if left >= size:
            smaller, smaller_size = _UNITS[at + 1]
            return f"{sign}{left // size} {unit} {left % size // smaller_size} {smaller}"
    return f"{sign}{left} s"


def moment(at: datetime) -> str:
    """Say when, in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def precise_moment(at: datetime) -> str:
    """Say when, in UTC to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def rubles(kopecks: int) -> str:
    """Say how much money."""
    return f"{kopecks / _KOPECKS:.2f} RUB"


def size(amount_bytes: float) -> str:
    """Say how much room."""
    for unit in ("bytes", "KiB", "MiB"):
        if amount_bytes < _STEPS:
            return f"{amount_bytes:.0f} {unit}"
        amount_bytes /= _STEPS
    return f"{amount_bytes:.1f} GiB"


def count(number: int, noun: str) -> str:
    """Say how many: `1 update`, `3 updates`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def table(rows: Sequence[Sequence[str]], *, indent: int = 0) -> str:
    """Return lines in which the columns stand under each other; the last may be of any length."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "".join(f"{' ' * indent}{line}\n" for line in lines)
