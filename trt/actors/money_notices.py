"""Money notices: a user is told that money came or went, in a message of its own."""

from datetime import datetime

from attrs import frozen

from trt.domain import wallet_screens
from trt.domain.copy import Copies, language_of
from trt.domain.ids import ChatId, Cid, UserId
from trt.domain.ledger import account_of
from trt.domain.replies import ShowScreen
from trt.domain.session import Session
from trt.storage import ledger, outbox, sessions
from trt.storage.database import Transaction
from trt.storage.transfers import lock


@frozen(kw_only=True)
class MoneyNotice:
    """What a user is told."""

    user_id: UserId
    text: str
    """Which news: a key of `wallet_screens.money_notice`."""
    amount_kopecks: int
    """How much came or went."""


def notify(
    tx: Transaction,
    notice: MoneyNotice,
    copies: Copies,
    *,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> None:
    """Tell a user in the transaction in which it happens.

    Args:
        tx: The transaction.
        notice: What happened to whom.
        copies: The words.
        cid: What it is about.
        epoch: The lease's; zero for an operator's command.
        now: The wall-clock time.
    """
    user_id = notice.user_id
    own = lock(tx, account_of(user_id))
    assert own is not None, f"the account of user {user_id} was never opened"
    session = sessions.load(tx, user_id)
    draft = session.draft if isinstance(session, Session) else None
    screen = wallet_screens.money_notice(
        copies.of(spoken_by(tx, user_id)),
        notice.text,
        notice.amount_kopecks,
        ledger.balance(tx, user_id).available_kopecks,
        None if draft is None else draft.draft_id,
    )
    outbox.put(
        tx,
        shard=own.shard,
        chat_id=ChatId(user_id),  # a private chat has the id of its user
        reply=ShowScreen(screen=screen),
        cid=cid,
        job_id=None,
        epoch=epoch,
        now=now,
    )


def spoken_by(tx: Transaction, user_id: UserId) -> str:
    """Return a user's language."""
    session = sessions.load(tx, user_id)
    return session.language if isinstance(session, Session) else language_of("")
