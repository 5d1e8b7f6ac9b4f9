"""Log set-up: one JSON line per event, ours and every library's, on one stream, redacted.

An error is logged with its type and its places in the code, never with its text, which may quote a
prompt or a secret.
"""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from trt.supervision import trace_lines
from trt.telemetry.redaction import Redactor

EventDict = MutableMapping[str, Any]

QUIET_LOGGERS = ("httpx", "httpcore", "hpack", "h11")
"""They would write every address at INFO, and Telegram's addresses hold the token."""


def configure(
    level: str = "INFO", stream: TextIO = sys.stderr, secrets: Iterable[str] = ()
) -> None:
    """Send structlog's and the standard library's records to `stream` as redacted JSON lines.

    Calling it again replaces the set-up.

    Args:
        level: The quietest level that is written: DEBUG, INFO, WARNING or ERROR.
        stream: Where the lines go.
        secrets: Exact values that never appear in a line, on top of what is recognised by shape.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    ending: list[Processor] = [
        _show_places,
        Redactor(secrets),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(_name_errors)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                _add_time_of_record,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _add_time_of_record(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    record: logging.LogRecord = event_dict["_record"]
    event_dict["ts"] = datetime.fromtimestamp(record.created, UTC).isoformat()
    return event_dict


def _show_places(_logger: object, _method: str, event_dict: EventDict) -> EventDict:
    """Put the places of an error where the error was."""
    match event_dict.pop("exc_info", None):
        case BaseException() as error:
            pass
        case (_, error, _):
            pass
        case given:
            error = sys.exception() if given else None
    if error is not None:
        event_dict["exception"] = "\n".join(trace_lines(error))
    return event_dict


def _name_errors(record: logging.LogRecord) -> bool:
    """Let libraries name the errors that they write into their words, instead of quoting them."""
    record.msg = _named(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(map(_named, record.args))
    elif record.args is not None:
        record.args = {key: _named(value) for key, value in record.args.items()}
    return True


def _named(value: object) -> Any:
    return type(value).__name__ if isinstance(value, BaseException) else value
