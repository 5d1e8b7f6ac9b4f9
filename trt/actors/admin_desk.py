"""The admin desk: what the admin asks for, done in the shard of the user whose money it is."""

from typing import assert_never

from attrs import frozen

from trt.actors.bells import inbox_topic
from trt.actors.money_desk import MoneyDesk
from trt.domain.admin_orders import Adjust, GiveBack, ListPayments, MoneyOrder, read_order
from trt.domain.callback_data import DecideReceipt
from trt.domain.ids import UserId
from trt.domain.inputs import UserEvent
from trt.domain.ledger import account_of
from trt.domain.money_news import AdminReport, ListedPayment, PaymentList, by_hand
from trt.domain.payments import PaymentKey, Source
from trt.storage import admin_actions, inbox, payments, topups
from trt.storage.admin_actions import ActionKind, DoneBefore, Mandate, PaidByHand, UnknownUser
from trt.storage.inbox import InboxRow
from trt.storage.ledger import AlreadyPosted, InsufficientFunds, Posted
from trt.storage.payments import NotRefundable, RefundHeld, UnknownPayment
from trt.storage.transfers import lock, shard_of_account
from trt.telemetry.events import EventName

LISTED_MAX = 10


@frozen
class SentOn:
    """Another shard has it now, and answers."""


@frozen(kw_only=True)
class AdminDesk:
    """Carries out one update of the admin's, or sends it on: no transaction touches two shards."""

    money: MoneyDesk
    row: InboxRow

    def hear(self, event: UserEvent) -> AdminReport | PaymentList | None:
        """Do what the admin asks for; None when it is no order."""
        order = read_order(event)
        if order is None or isinstance(order, AdminReport):
            return order
        if isinstance(order, ListPayments):
            return self._list(order.user_id)
        tx, user_id = self.money.tx, self._whose(order)
        shard = None if user_id is None else shard_of_account(tx, account_of(user_id))
        if user_id is None or shard is None or shard == self.money.shard:
            return self._do(order)
        inbox.send_on(tx, self.row, user_id, shard, now=self.money.now)
        tx.notify(inbox_topic(shard))
        self._tell(_kind(order), SentOn(), 0)
        return AdminReport(key="admin.sent_on")

    def _whose(self, order: MoneyOrder) -> UserId | None:
        """Return whose money it is about; None when there is no such payment."""
        tx = self.money.tx
        match order:
            case Adjust(user_id=user_id):
                return user_id
            case GiveBack(external_id=external_id):
                keys = (PaymentKey(source, external_id) for source in Source)
                paid = next((row for key in keys if (row := payments.find(tx, key))), None)
                return None if paid is None else paid.payment.user_id
            case DecideReceipt(order_id=order_id):
                found = topups.find(tx, order_id)
                return None if found is None else found.topup.user_id
            case _:
                assert_never(order)

    def _list(self, user_id: UserId) -> PaymentList:
        rows = payments.of_user(self.money.tx, user_id, LISTED_MAX)
        return PaymentList(
            [ListedPayment(payment=row.payment, state=row.state, at=row.created_at) for row in rows]
        )

    def _do(self, order: MoneyOrder) -> AdminReport:
        match order:
            case Adjust():
                return self._adjust(order)
            case GiveBack():
                return self._give_back(order)
            case DecideReceipt():
                return self._decide(order)
            case _:
                assert_never(order)

    def _mandate(self, reason: str) -> Mandate:
        money = self.money
        return Mandate(
            action_id=f"update:{self.row.bot_id}:{inbox.sent_as(self.row.update_id)}",
            admin=f"telegram:{money.till.admin_id}",
            reason=reason,
            cid=money.cid,
            epoch=money.epoch,
            now=money.now,
        )

    def _adjust(self, order: Adjust) -> AdminReport:
        user_id, kopecks, is_credit = order.user_id, order.amount_kopecks, order.is_credit
        adjust = admin_actions.credit if is_credit else admin_actions.debit
        done = adjust(self.money.tx, self._mandate(order.reason), user_id, kopecks)
        self._tell(_kind(order), done, kopecks)
        match done:
            case Posted(balance=balance):
                self.money.notify(
                    user_id, "paid.credited" if is_credit else "paid.debited", kopecks
                )
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

    def _give_back(self, order: GiveBack) -> AdminReport:
        money, external_id = self.money, order.external_id
        done = admin_actions.refund(money.tx, self._mandate(order.reason), external_id)
        self._tell(_kind(order), done, 0)
        match done:
            case RefundHeld(payment=payment):
                kopecks = payment.amount_kopecks
                money.tell(EventName.REFUND_ASKED, amount_kopecks=kopecks, external_id=external_id)
                money.notify(payment.user_id, "paid.refund_begun", kopecks)
                return AdminReport(
                    key="admin.refund_begun",
                    values={"user": payment.user_id},
                    kopecks={"amount": kopecks},
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

    def _decide(self, order: DecideReceipt) -> AdminReport:
        money, is_approved = self.money, order.is_approved
        found = topups.find(money.tx, order.order_id)
        if found is None:
            return AdminReport(key="admin.unknown_payment")
        topup = found.topup
        lock(money.tx, account_of(topup.user_id))
        if not topups.decide(
            money.tx, topup.order_id, is_approved=is_approved, epoch=money.epoch, now=money.now
        ):
            return AdminReport(key="admin.decided_before", values={"state": found.state})
        kopecks, mandate = topup.amount_kopecks, self._mandate(f"receipt {topup.order_id}")
        admin_actions.note(money.tx, mandate, _kind(order), topup.user_id, kopecks, topup.order_id)
        self._tell(_kind(order), found, kopecks)
        if is_approved:
            money.credit(topup.payment, found_by="admin")
        money.notify(topup.user_id, "paid.text" if is_approved else "paid.rejected", kopecks)
        return AdminReport(
            key="admin.approved" if is_approved else "admin.rejected",
            values={"user": topup.user_id},
            kopecks={"amount": kopecks},
        )

    def _tell(self, kind: ActionKind, outcome: object, amount_kopecks: int) -> None:
        self.money.tell(
            EventName.ADMIN_ACTION,
            kind=kind,
            outcome=type(outcome).__name__,
            amount_kopecks=amount_kopecks,
        )


def _kind(order: MoneyOrder) -> ActionKind:
    match order:
        case Adjust(is_credit=is_credit):
            return ActionKind.CREDIT if is_credit else ActionKind.DEBIT
        case GiveBack():
            return ActionKind.REFUND
        case DecideReceipt(is_approved=is_approved):
            return ActionKind.APPROVE if is_approved else ActionKind.REJECT
        case _:
            assert_never(order)
