"""What the bot remembers of each conversation."""

from datetime import datetime

import msgspec
from attrs import frozen

from trt.domain.ids import Shard, UserId
from trt.domain.replies import ScreenId
from trt.domain.session import Draft, Session
from trt.storage.database import Transaction
from trt.storage.timestamps import to_unix

_DRAFT = msgspec.json.Decoder(Draft)


@frozen
class UnreadableSession:
    """The row was written by other code, such as a newer release that was rolled back."""


def load(tx: Transaction, user_id: UserId) -> Session | UnreadableSession | None:
    """Return the session of a user, or None for somebody new."""
    row = tx.execute(
        """
        SELECT chat_id, language, screen_id, draft, last_draft_id
        FROM sessions WHERE user_id = :user_id
        """,
        {"user_id": user_id},
    ).first()
    if row is None:
        return None
    chat_id, language, screen_id, draft, last_draft_id = row
    try:
        return Session(
            user_id=user_id,
            chat_id=chat_id,
            language=language,
            screen_id=ScreenId(screen_id),
            draft=None if draft is None else _DRAFT.decode(draft),
            last_draft_id=last_draft_id,
        )
    except (ValueError, msgspec.DecodeError):
        return UnreadableSession()


def save(tx: Transaction, session: Session, *, shard: Shard, epoch: int, now: datetime) -> None:
    """Keep the session in place of the one before."""
    draft = session.draft
    tx.execute(
        """
        INSERT INTO sessions
          (user_id, chat_id, language, screen_id, draft, last_draft_id, shard, epoch, updated_at)
        VALUES
          (:user_id, :chat_id, :language, :screen_id, :draft, :last_draft_id, :shard, :epoch, :now)
        ON CONFLICT (user_id) DO UPDATE SET
          chat_id = excluded.chat_id, language = excluded.language,
          screen_id = excluded.screen_id, draft = excluded.draft,
          last_draft_id = excluded.last_draft_id, shard = excluded.shard,
          epoch = excluded.epoch, updated_at = excluded.updated_at
        """,
        {
            "user_id": session.user_id,
            "chat_id": session.chat_id,
            "language": session.language,
            "screen_id": session.screen_id,
            "draft": None if draft is None else msgspec.json.encode(draft).decode(),
            "last_draft_id": session.last_draft_id,
            "shard": shard,
            "epoch": epoch,
            "now": to_unix(now),
        },
    )
