"""The log: JSON lines from everybody on one stream, and never a secret in them."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from trt.telemetry import log
from trt.telemetry.redaction import STARS, Redactor

TOKEN = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-_"
KEY = "kie-key-0f1e2d3c"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    log.configure("INFO", stream, [KEY])
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def parsed(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_library_records_come_out_as_the_same_json_lines(lines: io.StringIO) -> None:
    logging.getLogger("hypercorn.error").warning("Running on %s", "http://127.0.0.1:8080")
    [line] = parsed(lines)
    assert line["event"] == "Running on http://127.0.0.1:8080"
    assert line["level"] == "warning"
    assert line["logger"] == "hypercorn.error"
    assert str(line["ts"]).endswith("+00:00")


def test_http_clients_do_not_tell_which_addresses_they_call(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: POST https://api.telegram.org/bot%s/x", TOKEN)
    logging.getLogger("httpcore.http11").debug("send_request_headers")
    assert lines.getvalue() == ""


def test_quieter_levels_are_not_written(lines: io.StringIO) -> None:
    structlog.get_logger().debug("whisper")
    logging.getLogger("quart.app").debug("whisper")
    structlog.get_logger().info("said")
    assert [line["event"] for line in parsed(lines)] == ["said"]


def test_secrets_are_removed_from_fields_and_foreign_objects(lines: io.StringIO) -> None:
    class Leaky:
        @override
        def __repr__(self) -> str:
            return f"<Leaky {KEY}>"

    structlog.get_logger().error(f"said {KEY}", where=Leaky(), deep=[{"k": KEY, TOKEN: 1}])
    logging.getLogger("quart.app").error("said %s to %r", KEY, Leaky())
    text = lines.getvalue()
    assert KEY not in text
    assert TOKEN not in text
    assert text.count(STARS) == 6


PROMPT = "a red fox"


def crash(held: str) -> None:
    raise RuntimeError(f"cannot draw {held}") from KeyError(held)


def log_by_structlog(error: RuntimeError) -> None:
    structlog.get_logger().error("crashed", exc_info=error)


def log_what_is_handled(_: RuntimeError) -> None:
    structlog.get_logger().exception("crashed")


def log_by_library(error: RuntimeError) -> None:
    logging.getLogger("quart.app").error("crashed", exc_info=error)


def log_by_library_what_is_handled(_: RuntimeError) -> None:
    logging.getLogger("quart.app").exception("crashed")  # noqa: LOG004 - the caller handles


@pytest.mark.parametrize(
    "write",
    [log_by_structlog, log_what_is_handled, log_by_library, log_by_library_what_is_handled],
)
def test_an_error_is_logged_with_its_type_and_places_and_never_with_its_text(
    lines: io.StringIO, write: Callable[[RuntimeError], None]
) -> None:
    try:
        crash(PROMPT)
    except RuntimeError as error:
        error.add_note(PROMPT)
        write(error)
    [line] = parsed(lines)
    assert PROMPT not in lines.getvalue()
    shown = str(line["exception"]).splitlines()
    assert shown[0] == "  RuntimeError, most recent call last:"
    assert re.fullmatch(r"    tests/telemetry/test_json_log\.py:\d+ in crash", shown[2])
    assert shown[3] == "  caused by KeyError, most recent call last:"
    assert "exc_info" not in line


def test_an_error_among_the_words_of_a_line_is_named_only(lines: io.StringIO) -> None:
    error = RuntimeError(PROMPT)
    library = logging.getLogger("psycopg.pool")
    library.warning("cannot connect: %s, %r", error, error)
    library.warning("cannot connect: %(why)s", {"why": error})
    library.warning(error)
    structlog.get_logger().warning("cannot connect", why=error, all=[error])
    assert PROMPT not in lines.getvalue()
    assert [line["event"] for line in parsed(lines)] == [
        "cannot connect: RuntimeError, 'RuntimeError'",
        "cannot connect: RuntimeError",
        "RuntimeError",
        "cannot connect",
    ]
    assert (parsed(lines)[-1]["why"], parsed(lines)[-1]["all"]) == (
        "RuntimeError",
        ["RuntimeError"],
    )


def test_no_error_no_places(lines: io.StringIO) -> None:
    structlog.get_logger().error("no error here", exc_info=True)
    structlog.get_logger().error("no error here", exc_info=False)
    logging.getLogger("quart.app").error("no error here", exc_info=True)  # noqa: LOG014 - the point
    assert ["exception" in line for line in parsed(lines)] == [False] * 3


@pytest.mark.parametrize(
    ("said", "written"),
    [
        (f"/bot{TOKEN}/sendMessage", f"/bot{STARS}/sendMessage"),
        (f"/bot{TOKEN.replace(':', '%3A')}/x", f"/bot{STARS}/x"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {STARS}"),
        ("postgresql://trt:p@ss:word@db:5432/trt", f"postgresql://trt:{STARS}@db:5432/trt"),
        ("postgresql://:word@/trt", f"postgresql://:{STARS}@/trt"),
        ("host=db password=word user=trt", f"host=db password={STARS} user=trt"),
        ("https://api.kie.ai/x?a=1:2@3", "https://api.kie.ai/x?a=1:2@3"),
        ("12:30:45 job 1234567:short", "12:30:45 job 1234567:short"),
    ],
)
def test_secret_shapes_are_recognised_and_innocent_ones_kept(said: str, written: str) -> None:
    assert Redactor().redact(said) == written


def test_a_secret_that_begins_another_does_not_leave_its_rest() -> None:
    assert Redactor(["secret", "secret-longer"]).redact("secret-longer secret") == "*** ***"


def test_empty_and_tiny_secrets_do_not_black_out_the_log() -> None:
    assert Redactor(["", "a", "abc"]).redact("a cab abc") == "a cab abc"


@given(before=st.text(), secret=st.text(min_size=4), after=st.text())
def test_no_registered_secret_survives(before: str, secret: str, after: str) -> None:
    if secret not in STARS:
        assert secret not in Redactor([secret]).redact(before + secret + after).replace(STARS, "")
