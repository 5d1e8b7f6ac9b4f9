"""Operating errors of KIE that no caller can turn into an answer to the user."""

from enum import StrEnum


class Trouble(StrEnum):
    """What is the matter when KIE gives no usable answer; a label for logs and metrics."""

    RATE = "rate"
    """We call too often (429: rejected, not queued)."""
    MAINTENANCE = "maintenance"
    """KIE is being worked on (455)."""
    OUTAGE = "outage"
    """KIE or its gateway is broken (5xx)."""
    TIMEOUT = "timeout"
    """Nobody answered in time; what happened behind the silence is unknown."""
    NOT_REACHED = "not_reached"
    """No byte of the call left."""
    CIRCUIT_OPEN = "circuit_open"
    """Not even tried: the last calls all failed."""
    ACCOUNT = "account"
    """Our key, credits or limits: waiting helps nobody, the operator must act."""
    UNREADABLE = "unreadable"
    """An answer that says nothing."""


class KIEUnavailable(Exception):  # noqa: N818 - a state of the world
    """KIE could not be reached or has a bad moment, and nothing was taken: try again later.

    Attributes:
        trouble: What is the matter.
        retry_after_s: Seconds after which a try makes sense, if anybody said so.
    """

    def __init__(
        self, why: str, *, trouble: Trouble = Trouble.OUTAGE, retry_after_s: float | None = None
    ) -> None:
        super().__init__(why)
        self.trouble = trouble
        self.retry_after_s = retry_after_s
