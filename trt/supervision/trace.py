"""`trace_lines`: where an error happened and what led to it, without a word of what it says."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import PurePath
from traceback import walk_tb
from types import FrameType

LINES_MAX = 60
FRAMES_FIRST = 4
FRAMES_LAST = 20


def trace_lines(error: BaseException, lines_max: int = LINES_MAX) -> list[str]:
    """Return the types and places of `error`, of what caused it and of the errors in its groups.

    Texts and notes of errors are left out, for they may quote a message or a secret. A file is
    named as its module is imported, so no line tells where the program is installed.

    Args:
        error: What was raised; it need not have been.
        lines_max: How many lines to return at most; the last one says so if there are more.

    Returns:
        Indented lines, `error` first, the frames of each error in the order of the calls.
    """
    lines = list(islice(_told(error, "  ", "", set()), lines_max + 1))
    if len(lines) > lines_max:
        lines[lines_max - 1 :] = ["  … and more"]
    return lines


def _told(error: BaseException, indent: str, link: str, told: set[int]) -> Iterator[str]:
    """Yield at least a line for each error, so that the bound on lines bounds the depth too."""
    places = [_place(frame, line) for frame, line in walk_tb(error.__traceback__)]
    yield f"{indent}{link}{type(error).__name__}, most recent call last:"
    if id(error) in told:
        return
    told.add(id(error))
    yield from (f"{indent}  {place}" for place in _ends_of(places))
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _told(part, f"{indent}  ", "with ", told)
    if error.__cause__ is not None:
        yield from _told(error.__cause__, indent, "caused by ", told)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _told(error.__context__, indent, "while handling ", told)


def _ends_of(places: Sequence[str]) -> Sequence[str]:
    """Leave out the middle of an endless recursion."""
    left_out = len(places) - FRAMES_FIRST - FRAMES_LAST
    if left_out <= 1:
        return places
    return [*places[:FRAMES_FIRST], f"… {left_out} more", *places[-FRAMES_LAST:]]


def _place(frame: FrameType, line: int) -> str:
    path = PurePath(frame.f_code.co_filename)
    module = str(frame.f_globals.get("__name__", ""))
    parts_count = module.count(".") + 1 + (path.name == "__init__.py")
    return f"{'/'.join(path.parts[-parts_count:])}:{line} in {frame.f_code.co_qualname}"
