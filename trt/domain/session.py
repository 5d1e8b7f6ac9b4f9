"""The state of one user's conversation."""

from collections.abc import Mapping

from attrs import field, frozen

from trt.domain.ids import ChatId, DraftId, MessageId, ModelId, UserId
from trt.domain.model_card import Value
from trt.domain.replies import ScreenId


@frozen(kw_only=True)
class Draft:
    """An order being filled in."""

    draft_id: DraftId
    model_id: ModelId
    values: Mapping[str, Value] = field(factory=dict)
    """What the user has chosen so far; defaults are filled in only for the confirmation."""
    asking: str | None = None
    """The parameter whose value is awaited, or None on the card and the confirmation."""
    message_id: MessageId | None = None
    """The message that shows it; None for a new one, until somebody taps on it."""


@frozen(kw_only=True)
class Session:
    """What the bot remembers of a conversation between two updates."""

    user_id: UserId
    chat_id: ChatId
    language: str
    """`ru` or `en`."""
    screen_id: ScreenId = ScreenId.MAIN_MENU
    draft: Draft | None = None
    last_draft_id: DraftId | None = None
    """The draft that became a job last: its confirm button answers "already running"."""
