"""Every place that names an event gives it only fields that the catalogue knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import trt
from trt.telemetry.events import CATALOGUE, CONTEXT, EventName

HOUSE = Path(trt.__file__).parent


def uses(tree: ast.AST) -> Iterator[tuple[ast.Call, EventName, set[str]]]:
    """Yield calls that take an event's name, with the fields that are written out in them."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        for name in (arg for arg in call.args if isinstance(arg, ast.Attribute)):
            if isinstance(name.value, ast.Name) and name.value.id == "EventName":
                fields = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
                for mapping in (arg for arg in call.args if isinstance(arg, ast.Dict)):
                    keys = (key for key in mapping.keys if isinstance(key, ast.Constant))
                    fields |= {str(key.value) for key in keys}
                yield call, EventName[name.attr], fields


def test_no_event_is_given_a_field_that_the_catalogue_does_not_know() -> None:
    strange = []
    for path in sorted(HOUSE.rglob("*.py")):
        for call, name, fields in uses(ast.parse(path.read_text(encoding="utf-8"))):
            kind = CATALOGUE[name]
            if unknown := sorted(fields - kind.required - kind.optional - CONTEXT):
                strange.append(f"{path.relative_to(HOUSE)}:{call.lineno} {name}: {unknown}")
    assert strange == []


def test_the_check_sees_keywords_and_written_out_fields() -> None:
    tree = ast.parse("emit(EventName.APP_STARTED, cid=c); f(j, EventName.UI_RENDER, {'a': 1, **b})")
    assert [(name, fields) for _, name, fields in uses(tree)] == [
        (EventName.APP_STARTED, {"cid"}),
        (EventName.UI_RENDER, {"a"}),
    ]
