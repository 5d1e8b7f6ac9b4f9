"""The money desk: what an update does to money before the dialog speaks about it."""

from datetime import datetime
from typing import Protocol, assert_never

from attrs import frozen

from trt.actors.money_notices import MoneyNotice, notify, spoken_by
from trt.domain import wallet_screens
from trt.domain.copy import Copies
from trt.domain.ids import ChatId, Cid, Shard, UserId
from trt.domain.inputs import (
    PaymentReceived,
    PaymentRefunded,
    Person,
)
from trt.domain.model_card import Catalogue
from trt.domain.money_news import (
    Credited,
    MoneyNews,
    NothingNew,
    WentBack,
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
from trt.storage import outbox, payments, topups
from trt.storage.database import Transaction
from trt.storage.errors import LedgerMismatch
from trt.storage.ledger import AlreadyPosted
from trt.storage.payments import (
    RefundEnded,
    TakenBack,
)
from trt.telemetry.events import EventName, FieldValue


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

    def hear(self, person: Person, event: PaymentReceived | PaymentRefunded) -> MoneyNews:
        """Carry out what is told of a payment of somebody whose account is open."""
        match event:
            case PaymentReceived():
                return self._received(person, event)
            case PaymentRefunded():
                return self._refunded(person, event)
            case _:
                assert_never(event)

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

    def _put(self, chat_id: ChatId, reply: Reply) -> None:
        outbox.put(
            self.tx,
            shard=self.shard,
            chat_id=chat_id,
            reply=reply,
            cid=self.cid,
            job_id=None,
            epoch=self.epoch,
            now=self.now,
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
        if topups.hand_in(tx, topup.order_id, effect.file_id, epoch=epoch, now=now):
            copy = self.copies.of(spoken_by(tx, admin_id))
            shown = wallet_screens.receipt(topup, effect.file_id, copy, is_photo=effect.is_photo)
            self._put(ChatId(admin_id), shown)
