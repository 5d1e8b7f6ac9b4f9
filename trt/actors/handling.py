"""One update, one transaction: what the dialog decided, carried out in the database."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import assert_never

from attrs import field, frozen

from trt.domain import dialog, screens
from trt.domain.copy import Copies
from trt.domain.ids import DraftId, JobId, Shard
from trt.domain.inputs import ButtonTapped, CommandSent, Person, UserEvent
from trt.domain.job import Job
from trt.domain.model_card import Catalogue
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Reply, ShowScreen
from trt.domain.session import Session
from trt.domain.turn import Accepted, Rejected, Situation, StartJob, Turn
from trt.storage import inbox, jobs, ledger, outbox, sessions
from trt.storage.database import Transaction
from trt.storage.inbox import InboxRow, InboxState
from trt.storage.ledger import Reserved
from trt.storage.sessions import UnreadableSession
from trt.telegram.updates import Unsupported, read_event
from trt.telemetry.events import EventName, FieldValue


@frozen(kw_only=True)
class Shop:
    """What is sold, in which words, on which terms."""

    catalogue: Catalogue
    copies: Copies
    welcome_balance_kopecks: int
    active_jobs_max: int


@frozen(kw_only=True)
class Stamp:
    """What the outer edge knew when it began: time, lease and fresh ids."""

    now: datetime
    epoch: int
    shard: Shard
    draft_id: DraftId
    job_id: JobId


@frozen
class Happening:
    """An event to be told after the commit, and only then."""

    name: EventName
    fields: Mapping[str, FieldValue]


@frozen
class AlreadyHandled:
    """The inbox row was finished before; nothing was done."""


@frozen(kw_only=True)
class Handled:
    """It is committed: the replies are in the outbox and the jobs have their rows."""

    happenings: tuple[Happening, ...] = ()
    started_jobs: tuple[JobId, ...] = ()


def handle(tx: Transaction, row: InboxRow, shop: Shop, stamp: Stamp) -> Handled | AlreadyHandled:
    """Handle one update: session, job, ledger, outbox and inbox row change together or not at all.

    Args:
        tx: A transaction of the active branch, fenced by its lease.
        row: The update as it was committed.
        shop: What is sold.
        stamp: The time, the lease's epoch and the ids to use if new ones are needed.
    """
    if not inbox.is_unfinished(tx, bot_id=row.bot_id, update_id=row.update_id):
        return AlreadyHandled()
    read = read_event(row.payload)
    if isinstance(read, Unsupported):
        _finish(tx, row, Reason.UNSUPPORTED_UPDATE, stamp)
        return Handled(happenings=(_told(EventName.DISPATCH_OK, row, reason_code=Reason.NOOP),))
    person, event = read
    desk = _Desk(tx=tx, row=row, shop=shop, stamp=stamp)
    session = desk.session_of(person)
    turn = dialog.step(session, person, event, desk.situation(person, event))
    desk.carry_out(turn)
    desk.tell_outcome(event, turn)
    sessions.save(tx, turn.session, shard=stamp.shard, epoch=stamp.epoch, now=stamp.now)
    reason = turn.outcome.reason if isinstance(turn.outcome, Rejected) else Reason.SUCCESS
    _finish(tx, row, reason, stamp)
    return Handled(happenings=tuple(desk.happenings), started_jobs=tuple(desk.started_jobs))


@frozen(kw_only=True)
class _Desk:
    """The hands of one handling."""

    tx: Transaction
    row: InboxRow
    shop: Shop
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

    def situation(self, person: Person, event: UserEvent) -> Situation:
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
            past_job=None if named is None else jobs.of_user(self.tx, person.user_id, named),
            fresh_draft_id=self.stamp.draft_id,
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
                case _:
                    assert_never(effect)

    def tell_outcome(self, event: UserEvent, turn: Turn) -> None:
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
        now, row = self.stamp.now, self.row
        job = Job(
            job_id=self.stamp.job_id,
            user_id=session.user_id,
            chat_id=session.chat_id,
            draft_id=order.draft_id,
            model_id=order.model_id,
            params=order.params,
            price_kopecks=order.price_kopecks,
            language=session.language,
            cid=row.cid,
            created_at=now,
            deadline_at=now + timedelta(seconds=order.deadline_s),
            status_message_id=order.status_message_id,
        )
        inserted = jobs.insert(self.tx, job, shard=self.stamp.shard, epoch=self.stamp.epoch)
        assert inserted, "the dialog started a second job from one draft"
        reserved = ledger.reserve(
            self.tx,
            job_id=job.job_id,
            user_id=job.user_id,
            amount_kopecks=job.price_kopecks,
            cid=job.cid,
            epoch=self.stamp.epoch,
            now=now,
        )
        assert isinstance(reserved, Reserved), f"the dialog saw the money, the ledger: {reserved}"
        card = self.shop.catalogue.models[job.model_id]
        copy = self.shop.copies.of(job.language)
        screen = screens.accepted(job, card, copy)
        self._put(
            ShowScreen(
                screen=screen,
                edit_message_id=order.status_message_id,
                slot=status_slot(job.job_id),
            ),
            job_id=job.job_id,
        )
        self.started_jobs.append(job.job_id)
        self._tell(
            EventName.LEDGER_TRANSFER,
            kind="reserve",
            amount_kopecks=job.price_kopecks,
            job_id=job.job_id,
        )
        self._tell(EventName.TASK_CREATED, job_id=job.job_id, model_id=job.model_id)
        self._tell(EventName.UI_RENDER, screen_id=screen.screen_id)

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


def status_slot(job_id: JobId) -> str:
    """Return the outbox slot in which a job's status message lives."""
    return f"job:{job_id}"


def _told(name: EventName, row: InboxRow, **fields: FieldValue) -> Happening:
    return Happening(
        name,
        {"cid": row.cid, "update_id": row.update_id, "user_id": row.user_id, **fields},
    )


def _finish(tx: Transaction, row: InboxRow, reason: Reason, stamp: Stamp) -> None:
    finished = inbox.finish(
        tx,
        bot_id=row.bot_id,
        update_id=row.update_id,
        state=InboxState.DONE,
        reason=reason,
        epoch=stamp.epoch,
        now=stamp.now,
    )
    assert finished, "the row was unfinished when this transaction began"
