"""How money moves at Telegram: payments in Stars, refunds, and what comes from outside."""

from typing import Any

import trio

from trt.sandbox.telegram_chat import CheckoutEnded, FakeChat, FakeMessage, WalletChanged
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_stars import STARS, Checkout, CheckoutState, FakeInvoice, StarRow
from trt.sandbox.telegram_wire import JSON, user_wire
from trt.sandbox.telegram_world import TOO_OLD, TelegramWorld


class Till:
    """Takes payments and gives them back; tells the bot as Telegram does."""

    def __init__(self, world: TelegramWorld) -> None:
        self._world = world
        self._stars = world.stars

    # A payment

    def begin(self, chat: FakeChat, invoice: FakeInvoice, *, is_update_lost: bool) -> Checkout:
        """Ask the bot whether a payment may go on."""
        query_id = str(self._world.sources.random().getrandbits(62))
        content = {
            "id": query_id,
            "from": user_wire(chat.person),
            "currency": invoice.currency,
            "total_amount": invoice.price_stars,
            "invoice_payload": invoice.payload,
        }
        update = self._world.post("pre_checkout_query", f"checkout:{chat.chat_id}", content)
        checkout = Checkout(
            query_id=query_id,
            user_id=chat.chat_id,
            invoice=invoice,
            update_id=update.update_id,
            asked_at=trio.current_time(),
            is_update_lost=is_update_lost,
        )
        self._stars.checkouts[query_id] = checkout
        return checkout

    def answer(self, query_id: str, *, refusal: str | None) -> None:
        """Hear what the bot has to say about a payment; agreed, it happens at once.

        Raises:
            Refused: there is no such question, it was answered, or it is too late.
        """
        checkout = self._stars.checkouts.get(query_id)
        if checkout is None or self.state(checkout) is not CheckoutState.WAITING:
            raise Refused(400, TOO_OLD)
        if refusal is not None:
            checkout.refusal = refusal
            self._end(checkout, CheckoutState.DECLINED)
        elif self._stars.wallet(checkout.user_id) < checkout.invoice.price_stars:
            self._end(checkout, CheckoutState.BROKE)
        else:
            self._take(checkout)
            self._end(checkout, CheckoutState.PAID)

    def state(self, checkout: Checkout) -> CheckoutState:
        """Return how far a payment came; the clock ends one that the bot does not answer."""
        waited_s = trio.current_time() - checkout.asked_at
        is_late = waited_s > self._world.limits.pre_checkout_answer_s
        if checkout.state is CheckoutState.WAITING and is_late:
            self._end(checkout, CheckoutState.TIMED_OUT)
        return checkout.state

    def give_up(self, checkout: Checkout) -> None:
        """Let the person close the payment before the bot answered."""
        if self.state(checkout) is CheckoutState.WAITING:
            self._end(checkout, CheckoutState.GIVEN_UP)

    def pay_out_of_the_blue(
        self, chat: FakeChat, invoice: FakeInvoice, charge_id: str | None = None
    ) -> int:
        """Post a successful_payment that no pre-checkout announced; return its update_id."""
        charge_id = charge_id or self._new_charge_id()
        if invoice.currency == STARS:
            self._record(charge_id, invoice.price_stars, self._payer(chat, invoice), incoming=True)
        return self._tell(chat, "successful_payment", _payment(invoice, charge_id))

    def paid_before(self, chat: FakeChat, invoice: FakeInvoice) -> str:
        """Put a payment of another time into the bot's account; return its charge id."""
        charge_id = self._new_charge_id()
        self._record(charge_id, invoice.price_stars, self._payer(chat, invoice), incoming=True)
        return charge_id

    def _take(self, checkout: Checkout) -> None:
        chat, invoice = self._world.chats[checkout.user_id], checkout.invoice
        charge_id = self._new_charge_id()
        self._fill_wallet(checkout.user_id, -invoice.price_stars)
        self._record(charge_id, invoice.price_stars, self._payer(chat, invoice), incoming=True)
        checkout.charge_id = charge_id
        # Who pays may be written to, also without a /start.
        chat.is_started = True
        payment = _payment(invoice, charge_id)
        if checkout.is_update_lost:
            self._show(chat, "successful_payment", payment)
        else:
            checkout.payment_update_id = self._tell(chat, "successful_payment", payment)

    def _end(self, checkout: Checkout, state: CheckoutState) -> None:
        checkout.state = state
        self._world.changes.publish(CheckoutEnded(checkout=checkout))

    # Money that goes back

    def refund(self, user_id: int, charge_id: str) -> None:
        """Give a payment back as refundStarPayment does.

        Raises:
            Refused: no such payment of this user, given back before, or spent: the balance is
                too low.
        """
        if not charge_id:
            raise Refused(400, "Bad Request: CHARGE_ID_EMPTY")
        if user_id not in self._world.chats:
            raise Refused(400, "Bad Request: USER_ID_INVALID")
        payment = self._payment_to_return(charge_id, user_id)
        if self._stars.balance < payment.stars:
            raise Refused(400, "Bad Request: BALANCE_TOO_LOW")
        self._return(payment)

    def refund_from_outside(self, charge_id: str) -> int:
        """Let Telegram give a payment back to its payer; return the update_id that tells of it."""
        return self._return(self._payment_to_return(charge_id))

    def charge_back(self, charge_id: str) -> None:
        """Debit a payment that the payer's bank took back: nobody is told, no Star comes back."""
        payment = self._payment_to_return(charge_id)
        self._record(charge_id, payment.stars, payment.partner, incoming=False)

    def debit(self, stars: int) -> str:
        """Debit Stars for a reason that Telegram does not tell; return the line's id."""
        charge_id = self._new_charge_id()
        self._record(charge_id, stars, {"type": "other"}, incoming=False)
        return charge_id

    def _payment_to_return(self, charge_id: str, user_id: int | None = None) -> StarRow:
        lines = self._stars.lines_of(charge_id)
        if not lines or not lines[0].is_incoming:
            raise Refused(400, "Bad Request: CHARGE_ID_INVALID")
        if user_id is not None and lines[0].partner["user"]["id"] != user_id:
            raise Refused(400, "Bad Request: CHARGE_ID_INVALID")
        if len(lines) > 1:
            raise Refused(400, "Bad Request: CHARGE_ALREADY_REFUNDED")
        return lines[0]

    def _return(self, payment: StarRow) -> int:
        user_id = payment.partner["user"]["id"]
        self._record(payment.charge_id, payment.stars, payment.partner, incoming=False)
        self._fill_wallet(user_id, payment.stars)
        content = {
            "currency": STARS,
            "total_amount": payment.stars,
            "invoice_payload": payment.partner["invoice_payload"],
            "telegram_payment_charge_id": payment.charge_id,
        }
        return self._tell(self._world.chats[user_id], "refunded_payment", content)

    # What all of it is made of

    def _new_charge_id(self) -> str:
        return f"stx{self._world.sources.token(32)}"

    def _payer(self, chat: FakeChat, invoice: FakeInvoice) -> JSON:
        return {
            "type": "user",
            "transaction_type": "invoice_payment",
            "user": user_wire(chat.person),
            "invoice_payload": invoice.payload,
        }

    def _record(self, charge_id: str, stars: int, partner: Any, *, incoming: bool) -> None:
        self._stars.rows.append(
            StarRow(
                charge_id=charge_id,
                stars=stars,
                at=self._world.sources.now(),
                is_incoming=incoming,
                partner=partner,
            )
        )

    def _fill_wallet(self, user_id: int, stars: int) -> None:
        self._stars.set_wallet(user_id, self._stars.wallet(user_id) + stars)
        change = WalletChanged(user_id=user_id, stars=self._stars.wallet(user_id))
        self._world.changes.publish(change)

    def _tell(self, chat: FakeChat, kind: str, content: JSON) -> int:
        message = self._show(chat, kind, content)
        wire = self._world.wire(message)
        return self._world.post("message", f"chat:{chat.chat_id}", wire).update_id

    def _show(self, chat: FakeChat, kind: str, content: JSON) -> FakeMessage:
        message = FakeMessage(
            message_id=chat.next_message_id(),
            chat_id=chat.chat_id,
            # A refund is the bot's own doing, and its message too.
            is_from_bot=kind == "refunded_payment",
            kind=kind,
            sent_at=self._world.sources.now(),
            service=content,
        )
        return self._world.add(chat, message)


def _payment(invoice: FakeInvoice, charge_id: str) -> JSON:
    return {
        "currency": invoice.currency,
        "total_amount": invoice.price_stars,
        "invoice_payload": invoice.payload,
        "telegram_payment_charge_id": charge_id,
        "provider_payment_charge_id": "",
    }
