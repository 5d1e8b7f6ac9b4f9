"""Reason codes: why something was refused or failed, in the operator's words."""

from enum import StrEnum


class Reason(StrEnum):
    """One vocabulary for logs, rows and metrics (names of the seeds kept where they had one)."""

    SUCCESS = "SUCCESS"
    NOOP = "NOOP"
    PASSIVE_REJECT = "PASSIVE_REJECT"
    UNKNOWN_CALLBACK = "UNKNOWN_CALLBACK"
    STATE_MISMATCH = "STATE_MISMATCH"
    VALIDATION_FAIL = "VALIDATION_FAIL"
    BALANCE_INSUFFICIENT = "BALANCE_INSUFFICIENT"
    MODEL_DISABLED = "MODEL_DISABLED"
    PRICING_BLOCKED = "PRICING_BLOCKED"
    """A model has not exactly one price for each order, so it is not sold."""
    RATE_LIMIT = "RATE_LIMIT"
    UNSUPPORTED_UPDATE = "UNSUPPORTED_UPDATE"
    STALE_UPDATE = "STALE_UPDATE"
    """It came to be handled so late that carrying it out would surprise its sender."""
    MAILBOX_FULL = "MAILBOX_FULL"
    HANDLER_CRASHED = "HANDLER_CRASHED"
    DB_ERROR = "DB_ERROR"
    DOWNSTREAM_TIMEOUT = "DOWNSTREAM_TIMEOUT"
    """Something that we wait for took longer than a tap may wait."""

    KIE_REFUSED = "KIE_REFUSED"
    """KIE did not take the order: bad or missing parameters."""
    KIE_POLICY = "KIE_POLICY"
    """KIE did not like what the prompt or the file is about; other words may help."""
    KIE_MODEL_GONE = "KIE_MODEL_GONE"
    """KIE paused, renamed or removed the model. The operator should take it off the shelf."""
    KIE_ACCOUNT = "KIE_ACCOUNT"
    """Our own account at KIE is the trouble: key, permissions, limits. The operator must act."""
    KIE_NO_CREDITS = "KIE_NO_CREDITS"
    """Our account at KIE has run out of credits. The operator must top it up."""
    KIE_UNAVAILABLE = "KIE_UNAVAILABLE"
    """KIE is down or in maintenance and stayed so until the job's deadline."""
    KIE_FAILED = "KIE_FAILED"
    """KIE took the order and reported that the generation failed."""
    KIE_NO_RESULT = "KIE_NO_RESULT"
    """KIE reported success without anything that could be delivered."""
    SUBMIT_UNKNOWN = "SUBMIT_UNKNOWN"
    """Nobody could say whether KIE took the order, and no callback told us in time."""
    DEADLINE = "DEADLINE"
    """The job did not finish within its model's deadline."""
    DELIVERY_FAILED = "DELIVERY_FAILED"
    """The result was ready and Telegram would not take it, or the user blocked the bot."""
    USER_CANCELLED = "USER_CANCELLED"
    """The user took the order back before KIE had heard of it."""
    JOB_CRASHED = "JOB_CRASHED"
    """Our own code kept crashing on this job until its restart budget ran out."""


ALARMS = frozenset(
    {Reason.KIE_ACCOUNT, Reason.KIE_NO_CREDITS, Reason.KIE_MODEL_GONE, Reason.JOB_CRASHED}
)
"""Reasons that go on until the operator does something, so the operator is told at once."""
