"""The house rules that no linter knows: sizes, names, layout, and documents that match the code."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trt.telemetry.events import EventName

ROOT = Path(__file__).parent.parent
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
BANNED_WORDS = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "stuff"}
ENGLISH_ONLY_EXCEPT = {"trt/sandbox", "trt/bench"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", sources("trt", "tests"), ids=name_of)
def test_modules_and_functions_fit_a_head_and_a_screen(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


def test_no_file_or_class_has_a_name_that_says_nothing() -> None:
    for path in sources("trt", "tests"):
        assert not BANNED_WORDS & set(path.stem.split("_")), name_of(path)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert not node.name.endswith(("Manager", "Helper", "Utils")), node.name


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    for path in sources("trt"):
        docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert docstring, f"{name_of(path)} has no docstring"
        assert docstring.splitlines()[0].endswith((".", ":", "`.")), name_of(path)


def test_no_asyncio_anywhere() -> None:
    for path in sources("trt"):
        assert not re.search(r"^\s*(import|from) asyncio", path.read_text("utf-8"), re.MULTILINE), (
            name_of(path)
        )


def test_httpx_is_imported_only_by_the_clients_and_the_roots() -> None:
    allowed = re.compile(
        r"^trt/(telegram/client|kie/client|app|dev)\.py$|^trt/(sandbox|testing|bench)/"
    )
    for path in sources("trt"):
        if re.search(r"^(import|from) httpx", path.read_text("utf-8"), re.MULTILINE):
            assert allowed.match(name_of(path)), name_of(path)


def test_no_leftover_markers_and_no_switched_off_tests() -> None:
    leftovers = re.compile("TO" + "DO|FIX" + "ME|X" + r"XX|Not" + r"ImplementedError|mark\.xfail")
    for path in sources("trt", "tests"):
        found = leftovers.findall(path.read_text("utf-8"))
        assert not found, f"{name_of(path)}: {found[0]}"


def test_the_documents_name_only_files_that_exist() -> None:
    for document in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for named in _named_files(document):
            assert named.exists(), f"{name_of(document)} names {named}"


def _named_files(document: Path) -> Iterator[Path]:
    text = document.read_text("utf-8")
    for named in re.findall(r"`((?:trt|tests|docs|registry|migrations)/[\w./-]+)`", text):
        yield ROOT / named.rstrip("/.")
    for target in re.findall(r"\]\(((?!https?:)[^)#]+)", text):
        yield document.parent / target


def test_the_readme_shows_the_commands_that_the_makefile_has() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = set(
        re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    )
    assert shown <= targets
    assert {"run", "test", "check"} <= shown


def test_the_architecture_page_lists_every_actor_of_the_tree() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    for module in ("tree.py", "active_branch.py", "money_branch.py"):
        text = (ROOT / "trt/actors" / module).read_text("utf-8")
        for name in re.findall(r'Child\(\s*"(\w+)"', text):
            assert f"`{name}`" in page, f"{name} is missing in docs/architecture.md"


def test_every_environment_variable_is_in_the_runbook() -> None:
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    read = re.findall(r'reader\.\w+\(\s*"([A-Z_]+)"', (ROOT / "trt/config.py").read_text("utf-8"))
    assert len(read) > 15
    for name in read:
        assert f"`{name}`" in page, f"{name} is missing in docs/runbook.md"


def test_every_event_is_in_the_runbook() -> None:
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    for event in EventName:
        assert f"`{event}`" in page, f"{event} is missing in docs/runbook.md"


def test_the_locks_have_hashes_and_no_index_address() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "http" not in text.replace("httpx", "").replace("httpcore", "").replace(
            "http2", ""
        ), lock


def test_nothing_that_is_tracked_is_secret_or_made() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    for name in tracked:
        assert not re.search(r"\.(sqlite3|env|pyc|log)$|^artifacts/|^dist/", name), name
