"""Where an error happened is told in few lines, and what it says in none."""

from typing import Any

import pytest
import trio

from trt.supervision import trace_lines
from trt.supervision.trace import FRAMES_FIRST, FRAMES_LAST, LINES_MAX

HERE = "tests/supervision/test_trace.py"
SAID = "what it says"


def fails(error: Exception) -> None:
    raise error


def caught(error: Exception) -> Exception:
    """Return `error` with frames."""
    try:
        fails(error)
    except Exception as raised:  # noqa: BLE001 - whatever was asked for
        return raised
    raise AssertionError


def without_numbers(lines: list[str]) -> list[str]:
    """Leave the line numbers out."""
    return [
        f"{file.rpartition(':')[0]}{sep}{rest}" if sep else file
        for line in lines
        for file, sep, rest in [line.partition(" in ")]
    ]


def chained() -> None:
    try:
        try:
            fails(KeyError(SAID))
        except KeyError:
            fails(ValueError(SAID))
    except ValueError as error:
        raise RuntimeError(SAID) from error


def test_an_error_is_told_with_its_frames_and_with_what_led_to_it() -> None:
    with pytest.raises(RuntimeError) as raised:
        chained()
    raised.value.add_note(SAID)
    lines = trace_lines(raised.value)
    assert without_numbers(lines) == [
        "  RuntimeError, most recent call last:",
        f"    {HERE} in test_an_error_is_told_with_its_frames_and_with_what_led_to_it",
        f"    {HERE} in chained",
        "  caused by ValueError, most recent call last:",
        f"    {HERE} in chained",
        f"    {HERE} in fails",
        "  while handling KeyError, most recent call last:",
        f"    {HERE} in chained",
        f"    {HERE} in fails",
    ]


def test_what_is_raised_from_none_stands_alone() -> None:
    def hides() -> None:
        try:
            fails(KeyError())
        except KeyError:
            raise ValueError from None

    with pytest.raises(ValueError, match=r"^$") as hidden:
        hides()
    assert trace_lines(hidden.value)[0] == "  ValueError, most recent call last:"
    assert len(trace_lines(hidden.value)) == 3


async def test_each_error_of_a_group_is_told_with_its_own_frames() -> None:
    async def child(error: Exception) -> None:
        fails(error)

    lines: list[str] = []
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, KeyError(SAID))
            nursery.start_soon(child, ValueError(SAID))
    except* (KeyError, ValueError) as group:
        lines = trace_lines(group)
    assert lines[0] == "  ExceptionGroup, most recent call last:"
    for kind in ("KeyError", "ValueError"):
        at = lines.index(f"    with {kind}, most recent call last:")
        assert f"      {HERE}:" in lines[at + 1]
        assert lines[at + 1].endswith(".child")
        assert lines[at + 2].endswith(" in fails")
    assert any(line.startswith("    trio/_core/_run.py:") for line in lines)
    assert not any(SAID in line for line in lines)


def test_an_endless_recursion_keeps_its_beginning_and_its_end() -> None:
    def deeper(n: int) -> None:
        if n == 0:
            fails(ValueError())
        deeper(n - 1)

    with pytest.raises(ValueError, match=r"^$") as raised:
        deeper(500)
    lines = trace_lines(raised.value)
    assert len(lines) == 1 + FRAMES_FIRST + 1 + FRAMES_LAST
    assert lines[1 + FRAMES_FIRST] == f"    … {503 - FRAMES_FIRST - FRAMES_LAST} more"
    assert lines[-1].endswith(" in fails")


def test_lines_are_bounded_however_much_there_is_to_tell() -> None:
    error: BaseException = ValueError()
    for _ in range(2000):
        outer = RuntimeError()
        outer.__cause__ = error
        error = outer
    wide = ExceptionGroup("", [caught(ValueError()) for _ in range(1000)])
    for much in (error, wide):
        lines = trace_lines(much)
        assert len(lines) == LINES_MAX
        assert lines[-1] == "  … and more"


def test_errors_that_caused_each_other_are_told_once() -> None:
    egg, hen = ValueError(), KeyError()
    egg.__cause__, hen.__cause__ = hen, egg
    assert trace_lines(egg) == [
        "  ValueError, most recent call last:",
        "  caused by KeyError, most recent call last:",
        "  caused by ValueError, most recent call last:",
    ]


def test_a_file_is_named_as_its_module_is_imported() -> None:
    namespace: dict[str, Any] = {"__name__": "house.room"}
    for path in ("/srv/lib/house/room.py", "/srv/lib/house/room/__init__.py", "<made>"):
        code = compile("def fail():\n    raise ValueError\n", path, "exec")
        exec(code, namespace)
        with pytest.raises(ValueError, match=r"^$") as raised:
            namespace["fail"]()
        shown = trace_lines(raised.value)[-1]
        assert shown == f"    {path.removeprefix('/srv/lib/')}:2 in fail"
