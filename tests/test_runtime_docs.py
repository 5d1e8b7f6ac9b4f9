"""The runtime's pages: the examples print what they say, and the tests that are named exist."""

import ast
import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.supervision.stage import deterministic, play_once
from trt import supervision
from trt.supervision.bedtime import SWEEPS_PER_IDLE_TIME
from trt.supervision.cell import CANCELLED_GRACE_S
from trt.supervision.child import ACTOR_GRACE_S
from trt.supervision.handler import ON_STOP_MIN_S

ROOT = Path(__file__).parent.parent
GUIDE, SEMANTICS, COMING_FROM = (
    ROOT / "docs" / f"{name}.md" for name in ("runtime", "runtime-semantics", "runtime-coming-from")
)
PAGES = (GUIDE, SEMANTICS, COMING_FROM)
SEEDS = range(8)
FIRST_EXAMPLE_LINES_MAX = 20
# What a program does on the page, and a test does for it, with a virtual clock.
RUN = "\ntrio.run(main)\n"

FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Between two cells; one in a cell is escaped.
BAR = re.compile(r"(?<!\\)\|")
NAMED_TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


@frozen
class Example:
    """A Python block of the guide, and the text block after it."""

    code: str
    printed: str
    line: int

    @property
    def has_story(self) -> bool:
        return "async def main(" in self.code


def examples() -> list[Example]:
    page = GUIDE.read_text("utf-8")
    blocks = list(FENCED.finditer(page))
    found: list[Example] = []
    for n, block in enumerate(blocks):
        language, text = block.groups()
        if language == "python":
            after = blocks[n + 1].groups() if n + 1 < len(blocks) else ("", "")
            printed = after[1] if after[0] == "text" else ""
            found.append(Example(text, printed, page[: block.start()].count("\n") + 1))
    return found


def play_examples(seed: int) -> Iterator[tuple[Example, str]]:
    """Run the blocks one after the other in one namespace; yield each with what it printed."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    for example in examples():
        printed = io.StringIO()
        code = compile(example.code.removesuffix(RUN), f"{GUIDE.name}:{example.line}", "exec")
        with redirect_stdout(printed):
            exec(code, namespace)
            if example.has_story:
                play_once(namespace["main"], seed)
        yield example, printed.getvalue()


def test_the_first_example_is_short_and_complete_and_prints_what_the_page_says() -> None:
    first = examples()[0]
    lines = [line for line in first.code.splitlines() if line.strip()]
    assert len(lines) <= FIRST_EXAMPLE_LINES_MAX
    assert first.code.endswith(RUN)
    with deterministic():
        played, printed = next(play_examples(seed=0))
    assert played == first
    assert printed == first.printed
    assert "\n2\n" in printed


@pytest.mark.parametrize("seed", SEEDS)
def test_every_example_prints_what_the_page_says(seed: int) -> None:
    with deterministic():
        played = list(play_examples(seed))
    assert len(played) > 10
    for example, printed in played:
        assert printed == example.printed, f"{GUIDE.name}:{example.line}"
        assert bool(example.printed) == example.has_story, f"{GUIDE.name}:{example.line}"


def test_every_public_name_is_in_the_guide() -> None:
    spoken = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`\n]+`", GUIDE.read_text("utf-8")))))
    assert sorted(set(supervision.__all__) - spoken) == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_every_test_that_the_pages_name_exists(page: Path) -> None:
    named = set(NAMED_TEST.findall(page.read_text("utf-8")))
    assert named or page is GUIDE
    for file, test in sorted(named):
        assert test in names_in(ROOT / file), f"{page.name} names {file}::{test}"


def names_in(file: Path) -> set[str]:
    if not file.exists():
        return set()
    body = ast.parse(file.read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@frozen
class Row:
    """One row of a table, by the names of its columns."""

    cells: dict[str, str]
    line: int


def rows(page: Path) -> list[Row]:
    """Return the rows of all tables of a page."""
    found: list[Row] = []
    columns: list[str] = []
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        cells = [cell.strip() for cell in BAR.split(line.strip("|"))]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
        elif set(line) - set("|-"):
            assert len(cells) == len(columns), f"{page.name}:{number}"
            found.append(Row(dict(zip(columns, cells, strict=True)), number))
    return found


def test_every_feature_is_had_with_a_test_or_missing_with_a_reason() -> None:
    features = [row for row in rows(COMING_FROM) if "ours" in row.cells]
    assert len(features) >= 30
    for row in features:
        where = f"{COMING_FROM.name}:{row.line}"
        assert all(row.cells.values()), f"{where}: an empty cell"
        verdict, _, rest = row.cells["ours"].partition(" ")
        assert verdict in {"have:", "partly:", "no:"}, where
        if verdict == "no:":
            assert len(rest) > len("because"), f"{where}: no reason"
        else:
            assert NAMED_TEST.search(rest), f"{where}: no test"


def test_every_line_of_the_semantics_has_a_test() -> None:
    lines = [row for row in rows(SEMANTICS) if "test" in row.cells]
    assert len(lines) == len(rows(SEMANTICS)) > 50
    for row in lines:
        assert NAMED_TEST.search(row.cells["test"]), f"{SEMANTICS.name}:{row.line}"


def test_what_the_guide_calls_undelivered_hands_the_message_back() -> None:
    (said,) = re.findall(r"^\| `Undelivered`: (.*?); and", GUIDE.read_text("utf-8"), re.MULTILINE)
    names = re.findall(r"`(\w+)`", said)
    assert len(names) == 6
    for name in names:
        assert issubclass(getattr(supervision, name), supervision.Undelivered)
    assert not issubclass(supervision.AskTimedOut, supervision.Undelivered)


def test_the_times_on_the_pages_are_those_of_the_code() -> None:
    assert (ACTOR_GRACE_S, CANCELLED_GRACE_S, ON_STOP_MIN_S) == (5.0, 1.0, 0.5)
    assert SWEEPS_PER_IDLE_TIME == 4
