"""What every test gets: a captured log in which an unclaimed error is a failure."""

import io
import json
from collections.abc import Iterator

import pytest
from attrs import define, field

from trt.telemetry.log import configure
from trt.testing.postgres_server import PostgresServer, open_postgres_server


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
    reports = [str(line["report"]) for line in captured.lines() if "report" in line]
    assert not unclaimed, "\n\n".join([*unclaimed[:3], *reports[:3]])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One real server for all tests that do not break it; the others open their own."""
    with open_postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may break."""
    with open_postgres_server() as server:
        yield server


@pytest.fixture
def own_url(own_server: PostgresServer) -> Iterator[str]:
    """The address of an empty database on it."""
    with own_server.fresh_database() as url:
        yield url
