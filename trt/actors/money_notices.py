"""Money notices: a user is told that money came or went, in a message of its own."""

from datetime import datetime

from attrs import frozen

from trt.domain import form, order_steps, wallet_screens
from trt.domain.copy import Copies, Copy, language_of
from trt.domain.ids import ChatId, Cid, UserId
from trt.domain.ledger import account_of
from trt.domain.model_card import Catalogue
from trt.domain.replies import ShowScreen
from trt.domain.session import Draft, Session
from trt.storage import ledger, outbox, sessions
from trt.storage.database import Transaction
from trt.storage.transfers import lock

_MORE_TO_SPEND = frozenset({"paid.text", "paid.credited", "paid.refund_refused"})
"""The news after which an order that lacked money may go on."""


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
    catalogue: Catalogue | None,
    *,
    cid: Cid,
    epoch: int,
    now: datetime,
) -> None:
    """Tell a user in the transaction in which it happens; an order that lacked the money goes on.

    Args:
        tx: The transaction.
        notice: What happened to whom.
        copies: The words.
        catalogue: What is sold; None where nobody knows, so that a button leads to the order.
        cid: What it is about.
        epoch: The lease's; zero for an operator's command.
        now: The wall-clock time.
    """
    user_id = notice.user_id
    own = lock(tx, account_of(user_id))
    assert own is not None, f"the account of user {user_id} was never opened"
    session = sessions.load(tx, user_id)
    draft = session.draft if isinstance(session, Session) else None
    copy = copies.of(spoken_by(tx, user_id))
    balance_kopecks = ledger.balance(tx, user_id).available_kopecks
    for reply in _messages(notice, copy, balance_kopecks, draft, catalogue):
        outbox.put(
            tx,
            shard=own.shard,
            chat_id=ChatId(user_id),  # a private chat has the id of its user
            reply=reply,
            cid=cid,
            job_id=None,
            epoch=epoch,
            now=now,
        )


def _messages(
    notice: MoneyNotice,
    copy: Copy,
    balance_kopecks: int,
    draft: Draft | None,
    catalogue: Catalogue | None,
) -> tuple[ShowScreen, ...]:
    text, amount_kopecks = notice.text, notice.amount_kopecks
    card = None if draft is None or catalogue is None else catalogue.find(draft.model_id)
    if draft is not None and card is not None and text in _MORE_TO_SPEND:
        order = form.mend(card, draft)
        lacked = form.missing_kopecks(card, order.values, balance_kopecks - amount_kopecks)
        lacks = form.missing_kopecks(card, order.values, balance_kopecks)
        if order.asking is None and lacked and not lacks:
            words = wallet_screens.money_words(copy, text, amount_kopecks, balance_kopecks)
            return order_steps.go_on(card, order, copy, words, balance_kopecks)
    screen = wallet_screens.money_notice(
        copy, text, amount_kopecks, balance_kopecks, None if draft is None else draft.draft_id
    )
    return (ShowScreen(screen=screen),)


def spoken_by(tx: Transaction, user_id: UserId) -> str:
    """Return a user's language."""
    session = sessions.load(tx, user_id)
    return session.language if isinstance(session, Session) else language_of("")
