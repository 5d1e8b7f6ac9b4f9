"""Happening: an event that is told after the commit, and only then."""

from collections.abc import Mapping

from attrs import frozen

from trt.telemetry.events import EventName, FieldValue


@frozen
class Happening:
    """What a transaction did, for the log; nothing happened if it was rolled back."""

    name: EventName
    fields: Mapping[str, FieldValue]
