"""One update, one transaction: what the dialog decided, carried out in the database."""

from datetime import datetime, timedelta
from typing import Protocol, assert_never

from attrs import field, frozen

from trt.actors.happening import Happening
from trt.actors.money_desk import MoneyDesk
from trt.actors.unhandled import TAP_AGE_S_MAX, Desk, age_s, event_of, turn_away
from trt.domain import dialog
from trt.domain.copy import Copies
from trt.domain.ids import DraftId, JobId, Shard, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileSent,
    MediaSent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    PreCheckout,
    TextSent,
)
from trt.domain.job import Job
from trt.domain.job_screens import OwnJob
from trt.domain.model_card import Catalogue
from trt.domain.money_news import MoneyNews
from trt.domain.payments import OrderId
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Reply, SendInvoice, SendResult, ShowScreen
from trt.domain.session import Session
from trt.domain.till import Till
from trt.domain.turn import (
    Accepted,
    Announce,
    EndJob,
    HandIn,
    Rejected,
    Situation,
    StartJob,
    Turn,
)
from trt.domain.wallet_screens import STATEMENT_LINES_MAX
from trt.storage import inbox, jobs, ledger, outbox, sessions
from trt.storage.database import Refusal, Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.storage.sessions import UnreadableSession
from trt.storage.statement import statement
from trt.telegram.payments import read_payment
from trt.telegram.updates import PAYMENT_KINDS, Unsupported, read_event
from trt.telemetry.events import EventName, FieldValue

ATTEMPTS_MAX = 5
"""Takeovers that one update may survive unhandled before it is refused as the likely cause."""
MESSAGE_AGE_S_MAX = 24 * 3600.0
"""As long as Telegram itself would keep a message for us: after that nobody waits for an answer."""


@frozen(kw_only=True)
class Shop:
    """What is sold, in which words, on which terms."""

    catalogue: Catalogue
    copies: Copies
    welcome_balance_kopecks: int
    active_jobs_max: int
    till: Till


@frozen(kw_only=True)
class Stamp:
    """What the outer edge knew when it began: time, lease and fresh ids."""

    now: datetime
    epoch: int
    shard: Shard
    draft_id: DraftId
    job_id: JobId
    order_id: OrderId


class JobBooks(Protocol):
    """Who keeps the rows of jobs, their money and their words."""

    def started(self, tx: Transaction, job: Job, now: datetime) -> tuple[Happening, ...]:
        """Begin a job whose price the user has."""
        ...

    def taken_back(self, tx: Transaction, job: Job, now: datetime) -> tuple[Happening, ...]:
        """End a job that KIE does not have, because the user wants it no more."""
        ...

    def own_jobs(self, tx: Transaction, user_id: UserId) -> tuple[OwnJob, ...]:
        """Return what a user sees of the own jobs, newest first."""
        ...


@frozen
class AlreadyEnded(Refusal):
    """The inbox row had ended; nothing was done."""


@frozen
class EarlierFirst(Refusal):
    """An earlier update of the same user has not ended; nothing was done."""

    row: InboxRow


@frozen(kw_only=True)
class Handled:
    """It is committed: the replies are in the outbox and the jobs have their rows."""

    happenings: tuple[Happening, ...] = ()
    started_jobs: tuple[JobId, ...] = ()


def handle(
    tx: Transaction, row: InboxRow, shop: Shop, books: JobBooks, stamp: Stamp
) -> Handled | AlreadyEnded | EarlierFirst:
    """Handle one update: session, job, ledger, outbox and inbox row change together or not at all.

    Args:
        tx: A transaction of the active branch, fenced by its lease.
        row: The update as it was committed.
        shop: What is sold.
        books: Who starts and ends jobs.
        stamp: The time, the lease's epoch and the ids to use if new ones are needed.
    """
    oldest = inbox.oldest_unfinished(tx, bot_id=row.bot_id, user_id=row.user_id)
    if oldest is None or oldest.update_id > row.update_id:
        return AlreadyEnded()
    if oldest.update_id < row.update_id:
        return EarlierFirst(oldest)
    row = oldest  # the same, as it stands: its attempts may have grown since it was read
    read = _read(row)
    why_not = _why_not(row, read, stamp.now)
    if why_not is not None:
        return _turn_away(tx, row, why_not, shop, stamp)
    if isinstance(read, Unsupported):
        happenings = (_told(EventName.DISPATCH_OK, row, reason_code=Reason.NOOP),)
        is_ours = _finish(tx, row, Reason.UNSUPPORTED_UPDATE, stamp)
        return Handled(happenings=happenings) if is_ours else AlreadyEnded()
    person, event = read
    desk = _Desk(tx=tx, row=row, shop=shop, books=books, stamp=stamp)
    session = desk.session_of(person)
    news = desk.money.hear(person, event, f"update:{row.bot_id}:{row.update_id}")
    turn = dialog.step(session, person, event, desk.situation(person, event, news))
    desk.carry_out(turn)
    desk.tell_outcome(event, turn)
    sessions.save(tx, turn.session, shard=stamp.shard, epoch=stamp.epoch, now=stamp.now)
    reason = turn.outcome.reason if isinstance(turn.outcome, Rejected) else Reason.SUCCESS
    if not _finish(tx, row, reason, stamp):
        return AlreadyEnded()  # a passive instance closed it meanwhile: all of this is undone
    return Handled(happenings=tuple(desk.happenings), started_jobs=tuple(desk.started_jobs))


def _read(row: InboxRow) -> tuple[Person, dialog.Event] | Unsupported:
    """Read what an update means; a pre-checkout is not answered by a conversation."""
    if row.kind not in PAYMENT_KINDS:
        return read_event(row.payload)
    read = read_payment(row.payload)
    if isinstance(read, Unsupported) or isinstance(read[1], PreCheckout):
        return Unsupported(row.kind)
    return read[0], read[1]


def _why_not(
    row: InboxRow, read: "tuple[Person, dialog.Event] | Unsupported", now: datetime
) -> Reason | None:
    """Return why an update must not be carried out; None for most."""
    if row.attempts > ATTEMPTS_MAX:
        return Reason.HANDLER_CRASHED
    if isinstance(read, Unsupported):
        return None
    event = read[1]
    match event:
        case ButtonTapped():
            age_s_max = TAP_AGE_S_MAX
        case CommandSent() | TextSent() | MediaSent() | FileSent():
            age_s_max = MESSAGE_AGE_S_MAX
        case PaymentReceived() | PaymentRefunded():
            return None  # money is never too late
        case _:
            assert_never(event)
    return Reason.STALE_UPDATE if age_s(row, now) > age_s_max else None


def _turn_away(
    tx: Transaction, row: InboxRow, reason: Reason, shop: Shop, stamp: Stamp
) -> Handled | AlreadyEnded:
    desk = Desk(copies=shop.copies, shard=stamp.shard, epoch=stamp.epoch)
    if not turn_away(tx, row, reason, desk, stamp.now):
        return AlreadyEnded()
    return Handled(happenings=(_told(event_of(reason), row, reason_code=reason),))


@frozen(kw_only=True)
class _Desk:
    """The hands of one handling."""

    tx: Transaction
    row: InboxRow
    shop: Shop
    books: JobBooks
    stamp: Stamp
    happenings: list[Happening] = field(factory=list)
    started_jobs: list[JobId] = field(factory=list)

    def session_of(self, person: Person) -> Session:
        """Read the conversation; one that cannot be read begins anew, the money is elsewhere."""
        found = sessions.load(self.tx, person.user_id)
        match found:
            case Session():
                return found
            case UnreadableSession():
                self._tell(EventName.SESSION_RESET)
                return dialog.greet(person)
            case None:
                return self.welcome(person)
            case _:
                assert_never(found)

    def welcome(self, person: Person) -> Session:
        """Open the account of somebody new, with the welcome balance if there is one."""
        ledger.open_account(self.tx, person.user_id, shard=self.stamp.shard)
        amount = self.shop.welcome_balance_kopecks
        if amount > 0:
            ledger.grant(
                self.tx,
                user_id=person.user_id,
                amount_kopecks=amount,
                purpose="welcome",
                cid=self.row.cid,
                epoch=self.stamp.epoch,
                now=self.stamp.now,
            )
            self._tell(EventName.LEDGER_TRANSFER, kind="welcome", amount_kopecks=amount)
        return dialog.greet(person)

    @property
    def money(self) -> MoneyDesk:
        """What moves money before the dialog speaks."""
        return MoneyDesk(
            tx=self.tx,
            till=self.shop.till,
            copies=self.shop.copies,
            shard=self.stamp.shard,
            epoch=self.stamp.epoch,
            now=self.stamp.now,
            cid=self.row.cid,
            tell=self._tell,
        )

    def situation(self, person: Person, event: dialog.Event, news: MoneyNews | None) -> Situation:
        """Gather what the dialog may look at."""
        balance = ledger.balance(self.tx, person.user_id)
        named = dialog.job_named(event)
        return Situation(
            catalogue=self.shop.catalogue,
            copy=self.shop.copies,
            balance_kopecks=balance.available_kopecks,
            reserved_kopecks=balance.reserved_kopecks,
            active_jobs=jobs.active_count(self.tx, person.user_id),
            active_jobs_max=self.shop.active_jobs_max,
            past_job=None if named is None else jobs.kept_of_user(self.tx, person.user_id, named),
            is_result_on_its_way=named is not None
            and outbox.results_of(self.tx, named).pending > 0,
            own_jobs=self.books.own_jobs(self.tx, person.user_id)
            if dialog.wants_jobs(event)
            else (),
            fresh_draft_id=self.stamp.draft_id,
            now=self.stamp.now,
            till=self.shop.till,
            statement=(
                statement(self.tx, person.user_id, STATEMENT_LINES_MAX)
                if dialog.wants_statement(event)
                else ()
            ),
            open_topup=(
                self.money.open_topup(person.user_id) if isinstance(event, FileSent) else None
            ),
            fresh_order_id=self.stamp.order_id,
            money_news=news,
        )

    def carry_out(self, turn: Turn) -> None:
        """Turn every effect into rows."""
        for effect in turn.effects:
            match effect:
                case ShowScreen(screen=screen):
                    self._put(effect)
                    self._tell(EventName.UI_RENDER, screen_id=screen.screen_id)
                case AnswerCallback():
                    self._put(effect)
                case StartJob():
                    self._start_job(effect, turn.session)
                case EndJob(job):
                    self.happenings.extend(self.books.taken_back(self.tx, job, self.stamp.now))
                case SendResult():
                    self._put(effect, job_id=effect.job_id)
                case SendInvoice():
                    self._put(effect)
                case Announce() | HandIn():
                    self.money.carry_out(effect)
                case _:
                    assert_never(effect)

    def tell_outcome(self, event: dialog.Event, turn: Turn) -> None:
        """Say how the tap, command or text was taken."""
        handler = turn.outcome.handler
        match event:
            case ButtonTapped(callback_id=callback_id):
                self._tell(EventName.CALLBACK_ROUTED, callback_id=callback_id, handler=handler)
                match turn.outcome:
                    case Accepted():
                        self._tell(EventName.CALLBACK_ACCEPTED, callback_id=callback_id)
                    case Rejected(reason=reason):
                        self._tell(
                            EventName.CALLBACK_REJECTED,
                            callback_id=callback_id,
                            reason_code=reason,
                        )
            case CommandSent(command=command):
                self._tell(EventName.COMMAND_RECEIVED, command=command[:32], handler=handler)
            case _:
                pass
        self._tell(EventName.DISPATCH_OK, handler=handler)

    def _start_job(self, order: StartJob, session: Session) -> None:
        now = self.stamp.now
        card = self.shop.catalogue.models[order.model_id]
        job = Job(
            job_id=self.stamp.job_id,
            user_id=session.user_id,
            chat_id=session.chat_id,
            draft_id=order.draft_id,
            model_id=order.model_id,
            params=order.params,
            price_kopecks=order.price_kopecks,
            language=session.language,
            cid=self.row.cid,
            created_at=now,
            deadline_at=now + timedelta(seconds=order.deadline_s),
            status_message_id=order.status_message_id,
            credits_expected=card.quote(order.params).price_credits,
        )
        self.happenings.extend(self.books.started(self.tx, job, now))
        self.started_jobs.append(job.job_id)

    def _put(self, reply: Reply, job_id: JobId | None = None) -> None:
        outbox.put(
            self.tx,
            shard=self.stamp.shard,
            chat_id=self.row.chat_id,
            reply=reply,
            cid=self.row.cid,
            job_id=job_id,
            epoch=self.stamp.epoch,
            now=self.stamp.now,
        )

    def _tell(self, name: EventName, **fields: FieldValue) -> None:
        self.happenings.append(_told(name, self.row, **fields))


def _told(name: EventName, row: InboxRow, **fields: FieldValue) -> Happening:
    return Happening(
        name,
        {"cid": row.cid, "update_id": row.update_id, "user_id": row.user_id, **fields},
    )


def _finish(tx: Transaction, row: InboxRow, reason: Reason, stamp: Stamp) -> bool:
    return inbox.finish(
        tx,
        bot_id=row.bot_id,
        update_id=row.update_id,
        state=InboxState.DONE,
        reason=reason,
        epoch=stamp.epoch,
        now=stamp.now,
    )
