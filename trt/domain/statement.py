"""A statement: what moved a user's money, one line for each cause, with how it stands now."""

from datetime import datetime
from enum import StrEnum

from attrs import frozen

from trt.domain.ids import ModelId


class LineState(StrEnum):
    """How a movement stands."""

    DONE = "done"
    HELD = "held"
    """It can still come back."""
    UNDONE = "undone"
    """It came back: nothing was paid."""


@frozen(kw_only=True)
class StatementLine:
    """One cause of movement on a user's account."""

    at: datetime
    code: str
    state: LineState
    amount_kopecks: int
    """What it does to the money that can be spent, as it stands now."""
    model_id: ModelId | None
    """Of the job that was paid."""
