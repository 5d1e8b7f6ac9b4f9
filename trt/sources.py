"""Injected sources of time, randomness and ids: the only door to the global clock."""

import random
import secrets
from datetime import UTC, datetime
from typing import Protocol

from typing_extensions import override


class Sources(Protocol):
    """Where the outer edge reads time, chance and fresh ids from; pure code gets the values."""

    def now(self) -> datetime:
        """Return the wall-clock time as an aware UTC datetime."""
        ...

    def random(self) -> random.Random:
        """Return the generator that jitter and sampling draw from."""
        ...

    def token(self, length: int) -> str:
        """Return `length` fresh lowercase hex characters, unguessable in production."""
        ...


class SystemSources(Sources):
    """The real ones: the system clock and the operating system's entropy."""

    def __init__(self) -> None:
        self._random = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not secrets

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def random(self) -> random.Random:
        return self._random

    @override
    def token(self, length: int) -> str:
        return secrets.token_hex((length + 1) // 2)[:length]
