"""The one way in which anything says that something happened."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from trt.sources import Sources
from trt.telemetry.events import CATALOGUE, Event, EventName, FieldValue


class Tap(Protocol):
    """Gets every event; is called in the middle of the flow, so it must not block."""

    def __call__(self, event: Event, /) -> None: ...


class EventStream:
    """Checks events against the catalogue, logs them and hands them to the taps."""

    def __init__(self, sources: Sources, taps: Sequence[Tap] = ()) -> None:
        self._sources = sources
        self._taps = tuple(taps)
        self._log = structlog.get_logger("trt")
        self.tap_failures_count = 0
        """How often a tap raised; the flow went on."""

    def emit(
        self, name: EventName, exc: BaseException | None = None, /, **fields: FieldValue
    ) -> None:
        """Say that `name` happened.

        Args:
            name: The event.
            exc: What went wrong, if that is what happened: the log gets its places in the code,
                and the field `error` its class.
            **fields: What the catalogue asks for; ids in clear (the log gets hashes of
                `user_id` and `chat_id`, the taps get the ids).

        Raises:
            AssertionError: A field is missing or unknown: a bug at the place of the call.
        """
        kind = CATALOGUE[name]
        if exc is not None:
            fields.setdefault("error", type(exc).__name__)
        problem = kind.problem(fields)
        assert problem is None, f"{name}: {problem}"
        event = Event(name=name, level=kind.level, at=self._sources.now(), fields=fields)
        self._write(event, exc)
        for tap in self._taps:
            try:
                tap(event)
            except Exception as failure:  # noqa: BLE001 - watching must not break the flow
                self.tap_failures_count += 1
                self._log.error(
                    "TAP_FAILED", ts=event.at.isoformat(), failed_on=name.value, exc_info=failure
                )

    def _write(self, event: Event, exc: BaseException | None) -> None:
        log: FilteringBoundLogger = self._log.bind()
        if not log.is_enabled_for(_NUMBERS[event.level]):
            return
        line = public(event.fields)
        if exc is not None:
            line["exc_info"] = exc
        log.log(_NUMBERS[event.level], event.name.value, ts=event.at.isoformat(), **line)


_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def public(fields: Mapping[str, FieldValue]) -> dict[str, object]:
    """Return `fields` as they may leave the process: a person's ids become hashes."""
    shown: dict[str, object] = {}
    for key, value in fields.items():
        if key in _HASHED and value is not None:
            shown[_HASHED[key]] = id_hash(value)
        elif key not in _HASHED:
            shown[key] = value
    return shown


_HASHED = {"user_id": "user_hash", "chat_id": "chat_hash"}


def id_hash(value: FieldValue) -> str:
    """Return the eight hex characters under which an id is found in the log."""
    return hashlib.sha256(str(value).encode()).hexdigest()[:8]
