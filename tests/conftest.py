"""What every test gets: a captured log in which an unclaimed error is a failure."""

import io
import json
from collections.abc import Iterator

import pytest
from attrs import define, field

from trt.telemetry.log import configure


@define
class LogOfTest:
    """The JSON lines of one test; errors that are part of the story are claimed by name."""

    stream: io.StringIO = field(factory=io.StringIO)
    _claimed: set[str] = field(factory=set)

    def claim(self, *events: str) -> None:
        """Say that these ERROR events belong to the story."""
        self._claimed.update(events)

    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def unclaimed(self) -> list[dict[str, object]]:
        return [
            line
            for line in self.lines()
            if line["level"] in {"error", "critical"} and line["event"] not in self._claimed
        ]


@pytest.fixture(autouse=True)
def log() -> Iterator[LogOfTest]:
    captured = LogOfTest()
    configure("DEBUG", captured.stream)
    yield captured
    unclaimed = [f"{line['event']}: {line.get('exception')}" for line in captured.unclaimed()]
    assert not unclaimed, "\n\n".join(unclaimed[:3])
