"""The update desk: the hands of one handling, with which a decision becomes rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from attrs import field, frozen

from trt.actors.admin_desk import AdminDesk
from trt.actors.happening import Happening
from trt.actors.money_desk import MoneyDesk
from trt.actors.money_notices import spoken_by
from trt.catalog.problems import BlockedModel
from trt.domain import dialog, wallet_screens
from trt.domain.copy import Copies
from trt.domain.ids import DraftId, JobId, Shard, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileSent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    UserEvent,
)
from trt.domain.job import Job
from trt.domain.job_screens import OwnJob
from trt.domain.model_card import Catalogue
from trt.domain.money_news import AdminReport, MoneyNews, PaymentList
from trt.domain.payments import OrderId
from trt.domain.replies import AnswerCallback, Reply, SendInvoice, SendResult, ShowScreen
from trt.domain.session import Session
from trt.domain.till import Till
from trt.domain.turn import (
    Accepted,
    Announce,
    EndJob,
    Erase,
    HandIn,
    Rejected,
    Situation,
    StartJob,
    Turn,
)
from trt.domain.wallet_screens import STATEMENT_LINES_MAX
from trt.storage import erasure, inbox, jobs, ledger, outbox, sessions
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow
from trt.storage.sessions import UnreadableSession
from trt.storage.statement import statement
from trt.telemetry.events import EventName, FieldValue


@frozen(kw_only=True)
class Shop:
    """What is sold, in which words, on which terms."""

    catalogue: Catalogue
    blocked: Sequence[BlockedModel]
    """Of the registry, and not sold."""
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


@frozen(kw_only=True)
class UpdateDesk:
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
                self.tell(EventName.SESSION_RESET)
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
            self.tell(EventName.LEDGER_TRANSFER, kind="welcome", amount_kopecks=amount)
        return dialog.greet(person)

    @property
    def money(self) -> MoneyDesk:
        """What moves money before the dialog speaks."""
        return MoneyDesk(
            tx=self.tx,
            till=self.shop.till,
            copies=self.shop.copies,
            catalogue=self.shop.catalogue,
            shard=self.stamp.shard,
            epoch=self.stamp.epoch,
            now=self.stamp.now,
            cid=self.row.cid,
            tell=self.tell,
        )

    def hear(self, person: Person, event: dialog.Event) -> MoneyNews | None:
        """Carry out what an event means for money; None when it means nothing."""
        match event:
            case PaymentReceived() | PaymentRefunded():
                return self.money.hear(person, event)
            case _ if self.shop.till.is_admin(person.user_id):
                return AdminDesk(money=self.money, row=self.row).hear(event)
            case _:
                return None

    def obey(self, person: Person, event: UserEvent) -> None:
        """Do what the admin asked for in another shard, and say there how it ended."""
        news = self.hear(person, event)
        if isinstance(news, AdminReport | PaymentList):  # else it is the admin's no more
            copy = self.shop.copies.of(spoken_by(self.tx, person.user_id))
            self._put(ShowScreen(screen=wallet_screens.admin_answer(news, copy)))
        self.tell(EventName.DISPATCH_OK, handler=inbox.SENT_ON)

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
                    self.tell(EventName.UI_RENDER, screen_id=screen.screen_id)
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
                case Erase():
                    self._erase()
                case _:
                    assert_never(effect)

    def tell_outcome(self, event: dialog.Event, turn: Turn) -> None:
        """Say how the tap, command or text was taken."""
        handler = turn.outcome.handler
        match event:
            case ButtonTapped(callback_id=callback_id):
                self.tell(EventName.CALLBACK_ROUTED, callback_id=callback_id, handler=handler)
                match turn.outcome:
                    case Accepted():
                        self.tell(EventName.CALLBACK_ACCEPTED, callback_id=callback_id)
                    case Rejected(reason=reason):
                        self.tell(
                            EventName.CALLBACK_REJECTED,
                            callback_id=callback_id,
                            reason_code=reason,
                        )
            case CommandSent(command=command):
                self.tell(EventName.COMMAND_RECEIVED, command=command[:32], handler=handler)
            case _:
                pass
        self.tell(EventName.DISPATCH_OK, handler=handler)

    def tell(self, name: EventName, **fields: FieldValue) -> None:
        """Note an event about this update, to be told once the transaction is committed."""
        self.happenings.append(told(name, self.row, **fields))

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

    def _erase(self) -> None:
        row = self.row
        erasure.erase(
            self.tx,
            user_id=row.user_id,
            chat_id=row.chat_id,
            bot_id=row.bot_id,
            update_id=row.update_id,
            shard=self.stamp.shard,
            epoch=self.stamp.epoch,
        )

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


def told(name: EventName, row: InboxRow, **fields: FieldValue) -> Happening:
    """Return an event about an update."""
    return Happening(
        name,
        {"cid": row.cid, "update_id": row.update_id, "user_id": row.user_id, **fields},
    )
