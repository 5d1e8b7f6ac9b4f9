"""Log set-up: one JSON line per event, ours and every library's, on one stream, redacted."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

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
        structlog.processors.format_exc_info,
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
