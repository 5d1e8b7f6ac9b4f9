"""The money desk: what an update does to money before the dialog speaks about it."""

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Protocol, assert_never

from attrs import frozen

from trt.actors.money_notices import MoneyNotice, notify, spoken_by
from trt.domain import callback_data as tap
from trt.domain import wallet_screens
from trt.domain.copy import Copies
from trt.domain.ids import ChatId, Cid, Shard, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    PaymentReceived,
    PaymentRefunded,
    Person,
    UserEvent,
)
from trt.domain.ledger import account_of
from trt.domain.model_card import Catalogue
from trt.domain.money_news import (
    AdminReport,
    Credited,
    ListedPayment,
    MoneyNews,
    NothingNew,
    PaymentList,
    WentBack,
    by_hand,
)
from trt.domain.payments import (
    STARS_CURRENCY,
    Payment,
    PaymentKey,
    TopUp,
    TopUpState,
    star_payment,
)
from trt.domain.replies import Reply
from trt.domain.till import Till
from trt.domain.turn import Announce, HandIn
from trt.domain.wallet_steps import ADMIN_COMMANDS
from trt.storage import admin_actions, outbox, payments, topups
from trt.storage.admin_actions import ActionKind, DoneBefore, Mandate, PaidByHand, UnknownUser
from trt.storage.database import Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted
from trt.storage.payments import (
    NotRefundable,
    RefundEnded,
    RefundHeld,
    TakenBack,
    UnknownPayment,
)
from trt.storage.transfers import lock
from trt.telemetry.events import EventName, FieldValue

KOPECKS_MAX = 100_000_000
LISTED_MAX = 10
_WHOM = re.compile(r"([1-9][0-9]{0,15})\s+([0-9.,]{1,12})\s+(\S.{1,300})", re.DOTALL)
_WHICH = re.compile(r"(\S{1,200})\s+(\S.{1,300})", re.DOTALL)


class Tell(Protocol):
    """Notes an event, to be told once the transaction is committed."""

    def __call__(self, name: EventName, **fields: FieldValue) -> None: ...


@frozen(kw_only=True)
class MoneyDesk:
    """Writes what moves users' money and tells those whom it concerns, in one transaction."""

    tx: Transaction
    till: Till
    copies: Copies
    catalogue: Catalogue
    shard: Shard
    epoch: int
    now: datetime
    cid: Cid
    tell: Tell

    # What Telegram says.

    def hear(
        self, person: Person, event: UserEvent | PaymentReceived | PaymentRefunded, action_id: str
    ) -> MoneyNews | None:
        """Carry out what an event means for money; None when it means nothing.

        Args:
            person: Who did it; their account is open.
            event: What they did.
            action_id: Names this update among all actions of the admin's.
        """
        match event:
            case PaymentReceived():
                return self._received(person, event)
            case PaymentRefunded():
                return self._refunded(person, event)
            case CommandSent(command=command) if self.till.is_admin(person.user_id):
                if command.lower() in ADMIN_COMMANDS:
                    return self._obey(command.lower(), event.argument, action_id)
            case ButtonTapped(data=data) if self.till.is_admin(person.user_id):
                decision = tap.parse(data)
                if isinstance(decision, tap.DecideReceipt):
                    return self._decide(decision, action_id)
            case _:
                pass
        return None

    def _received(self, person: Person, event: PaymentReceived) -> MoneyNews:
        payment = self._payment(person.user_id, event)
        if payment is None:
            return NothingNew()
        if self.credit(payment, found_by="update"):
            return Credited(amount_kopecks=payment.amount_kopecks)
        return NothingNew()

    def _refunded(self, person: Person, event: PaymentRefunded) -> MoneyNews:
        payment = self._payment(person.user_id, event)
        gone = None if payment is None else self.take_back(payment, found_by="update")
        return NothingNew() if gone is None else WentBack(amount_kopecks=gone.amount_kopecks)

    def _payment(self, user_id: UserId, event: PaymentReceived | PaymentRefunded) -> Payment | None:
        charge_id = event.telegram_payment_charge_id
        if event.currency != STARS_CURRENCY or event.total_stars <= 0 or not charge_id:
            detail = f"{event.total_stars} {event.currency[:8]}"
            self.tell(EventName.PAYMENT_ODD, detail=detail, external_id=charge_id)
            return None
        stars = self.till.stars
        return star_payment(
            charge_id, user_id, event.total_stars, event.payload, stars.seal, stars.rate
        )

    # What anybody here does, whoever found it out.

    def credit(self, payment: Payment, *, found_by: str) -> bool:
        """Credit a payment; False when it was credited before."""
        key = payment.key
        try:
            posted = payments.credit(
                self.tx, payment, shard=self.shard, cid=self.cid, epoch=self.epoch, now=self.now
            )
        except LedgerMismatch as mismatch:
            self.tell(EventName.PAYMENT_ODD, detail=str(mismatch), external_id=key.external_id)
            return False
        if isinstance(posted, AlreadyPosted):
            self.tell(EventName.PAYMENT_DUPLICATE, source=key.source, external_id=key.external_id)
            return False
        self.tell(
            EventName.PAYMENT_CREDITED,
            source=key.source,
            external_id=key.external_id,
            amount_kopecks=payment.amount_kopecks,
            stars=payment.stars,
            found_by=found_by,
        )
        return True

    def take_back(self, payment: Payment, *, found_by: str) -> Payment | None:
        """Learn that a payment went back; None when that was known."""
        try:
            gone = payments.take_back(
                self.tx, payment, shard=self.shard, cid=self.cid, epoch=self.epoch, now=self.now
            )
        except LedgerMismatch as mismatch:
            number = payment.key.external_id
            self.tell(EventName.PAYMENT_ODD, detail=str(mismatch), external_id=number)
            return None
        match gone:
            case None:
                return None
            case RefundEnded(payment=known):
                self._refund_ended(known, "refunded", "")
            case TakenBack(payment=known, covered_kopecks=covered_kopecks):
                self.tell(
                    EventName.PAYMENT_TAKEN_BACK,
                    source=known.key.source,
                    external_id=known.key.external_id,
                    amount_kopecks=known.amount_kopecks,
                    covered_kopecks=covered_kopecks,
                    found_by=found_by,
                )
            case _:
                assert_never(gone)
        return known

    def end_refund(self, key: PaymentKey, *, is_done: bool, detail: str = "") -> None:
        """Note how a refund that we asked for ended; nothing happens if it was known."""
        ended = payments.end_refund(
            self.tx, key, is_done=is_done, cid=self.cid, epoch=self.epoch, now=self.now
        )
        if ended is None:
            return
        self._refund_ended(ended.payment, "refunded" if is_done else "refused", detail)
        text = "paid.went_back" if is_done else "paid.refund_refused"
        self.notify(ended.payment.user_id, text, ended.payment.amount_kopecks)

    def _refund_ended(self, payment: Payment, outcome: str, detail: str) -> None:
        self.tell(
            EventName.REFUND_ENDED,
            outcome=outcome,
            amount_kopecks=payment.amount_kopecks,
            external_id=payment.key.external_id,
            detail=detail,
        )

    def notify(self, user_id: UserId, text: str, amount_kopecks: int) -> None:
        """Tell a user that money came or went, in a message of its own."""
        notify(
            self.tx,
            MoneyNotice(user_id=user_id, text=text, amount_kopecks=amount_kopecks),
            self.copies,
            self.catalogue,
            cid=self.cid,
            epoch=self.epoch,
            now=self.now,
        )

    def _put(self, chat_id: ChatId, reply: Reply, shard: Shard) -> None:
        outbox.put(
            self.tx,
            shard=shard,
            chat_id=chat_id,
            reply=reply,
            cid=self.cid,
            job_id=None,
            epoch=self.epoch,
            now=self.now,
        )

    # What the admin says.

    def _obey(self, command: str, argument: str, action_id: str) -> AdminReport | PaymentList:
        if command == "payments":
            return self._list(argument)
        if command == "refund":
            which = _WHICH.fullmatch(argument.strip())
            if which is None:
                return AdminReport(key="admin.usage")
            return self._refund(which[1], self._mandate(action_id, which[2]))
        whom = _WHOM.fullmatch(argument.strip())
        kopecks = None if whom is None else kopecks_of(whom[2])
        if whom is None or kopecks is None:
            return AdminReport(key="admin.usage")
        mandate = self._mandate(action_id, whom[3])
        kind = ActionKind.CREDIT if command == "credit" else ActionKind.DEBIT
        return self._adjust(kind, UserId(int(whom[1])), kopecks, mandate)

    def _mandate(self, action_id: str, reason: str) -> Mandate:
        return Mandate(
            action_id=action_id,
            admin=f"telegram:{self.till.admin_id}",
            reason=reason.strip(),
            cid=self.cid,
            epoch=self.epoch,
            now=self.now,
        )

    def _adjust(
        self, kind: ActionKind, user_id: UserId, kopecks: int, mandate: Mandate
    ) -> AdminReport:
        is_credit = kind is ActionKind.CREDIT
        adjust = admin_actions.credit if is_credit else admin_actions.debit
        done = adjust(self.tx, mandate, user_id, kopecks)
        self._tell_action(kind, done, kopecks)
        match done:
            case Posted(balance=balance):
                self.notify(user_id, "paid.credited" if is_credit else "paid.debited", kopecks)
                return AdminReport(
                    key="admin.credited" if is_credit else "admin.debited",
                    values={"user": user_id},
                    kopecks={"amount": kopecks, "balance": balance.available_kopecks},
                )
            case AlreadyPosted():
                return AdminReport(key="admin.done_before")
            case UnknownUser():
                return AdminReport(key="admin.unknown_user", values={"user": user_id})
            case InsufficientFunds(missing_kopecks=missing_kopecks):
                return AdminReport(key="admin.missing", kopecks={"missing": missing_kopecks})
            case _:
                assert_never(done)

    def _refund(self, charge_id: str, mandate: Mandate) -> AdminReport:
        done = admin_actions.refund(self.tx, mandate, charge_id)
        self._tell_action(ActionKind.REFUND, done, 0)
        match done:
            case RefundHeld(payment=payment):
                self.tell(
                    EventName.REFUND_ASKED,
                    amount_kopecks=payment.amount_kopecks,
                    external_id=charge_id,
                )
                self.notify(payment.user_id, "paid.refund_begun", payment.amount_kopecks)
                return AdminReport(
                    key="admin.refund_begun",
                    values={"user": payment.user_id},
                    kopecks={"amount": payment.amount_kopecks},
                )
            case DoneBefore():
                return AdminReport(key="admin.done_before")
            case UnknownPayment():
                return AdminReport(key="admin.unknown_payment")
            case PaidByHand(payment=payment):
                return by_hand(payment)
            case NotRefundable(state=state):
                return AdminReport(key="admin.not_refundable", values={"state": state})
            case InsufficientFunds(missing_kopecks=missing_kopecks):
                return AdminReport(key="admin.missing", kopecks={"missing": missing_kopecks})
            case _:
                assert_never(done)

    def _decide(self, decision: tap.DecideReceipt, action_id: str) -> AdminReport:
        found = topups.find(self.tx, decision.order_id)
        if found is None:
            return AdminReport(key="admin.unknown_payment")
        topup, is_approved = found.topup, decision.is_approved
        lock(self.tx, account_of(topup.user_id))
        if not topups.decide(
            self.tx, topup.order_id, is_approved=is_approved, epoch=self.epoch, now=self.now
        ):
            return AdminReport(key="admin.decided_before", values={"state": found.state})
        kind = ActionKind.APPROVE if is_approved else ActionKind.REJECT
        mandate = self._mandate(action_id, f"receipt {topup.order_id}")
        admin_actions.note(
            self.tx, mandate, kind, topup.user_id, topup.amount_kopecks, topup.order_id
        )
        self._tell_action(kind, found, topup.amount_kopecks)
        if is_approved:
            self.credit(topup.payment, found_by="admin")
        text = "paid.text" if is_approved else "paid.rejected"
        self.notify(topup.user_id, text, topup.amount_kopecks)
        return AdminReport(
            key="admin.approved" if is_approved else "admin.rejected",
            values={"user": topup.user_id},
            kopecks={"amount": topup.amount_kopecks},
        )

    def _list(self, argument: str) -> AdminReport | PaymentList:
        if not re.fullmatch(r"[1-9][0-9]{0,15}", argument.strip()):
            return AdminReport(key="admin.usage")
        rows = payments.of_user(self.tx, UserId(int(argument)), LISTED_MAX)
        return PaymentList(
            [ListedPayment(payment=row.payment, state=row.state, at=row.created_at) for row in rows]
        )

    def _tell_action(self, kind: ActionKind, outcome: object, amount_kopecks: int) -> None:
        self.tell(
            EventName.ADMIN_ACTION,
            kind=kind,
            outcome=type(outcome).__name__,
            amount_kopecks=amount_kopecks,
        )

    # What the dialog sees and decides.

    def open_topup(self, user_id: UserId) -> TopUp | None:
        """Return the transfer by hand of which a receipt is awaited."""
        if self.till.transfer is None:
            return None
        last = topups.last_of(self.tx, user_id)
        return last.topup if last is not None and last.state is TopUpState.OPEN else None

    def carry_out(self, effect: Announce | HandIn) -> None:
        """Note an announced transfer; give a receipt to the admin, once per announcement."""
        tx, topup, epoch, now = self.tx, effect.topup, self.epoch, self.now
        if isinstance(effect, Announce):
            topups.announce(tx, topup, shard=self.shard, cid=self.cid, epoch=epoch, now=now)
            return
        admin_id = self.till.admin_id
        assert admin_id is not None, "a receipt and nobody to read it"
        own = lock(tx, account_of(admin_id))
        if topups.hand_in(tx, topup.order_id, effect.file_id, epoch=epoch, now=now):
            copy = self.copies.of(spoken_by(tx, admin_id))
            shown = wallet_screens.receipt(topup, effect.file_id, copy, is_photo=effect.is_photo)
            self._put(ChatId(admin_id), shown, own.shard if own else self.shard)


def kopecks_of(rubles: str) -> int | None:
    """Return an amount that somebody typed, in kopecks; None if it is none."""
    try:
        kopecks = Decimal(rubles.replace(",", ".")) * 100
    except InvalidOperation:
        return None
    if kopecks != kopecks.to_integral_value() or not 0 < kopecks <= KOPECKS_MAX:
        return None
    return int(kopecks)
