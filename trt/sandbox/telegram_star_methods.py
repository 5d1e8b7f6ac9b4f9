"""The Bot API's methods about Telegram Stars."""

from collections.abc import Mapping

from attrs import frozen

from trt.sandbox.telegram_chat import FakeButton
from trt.sandbox.telegram_checks import checked_invoice, checked_keyboard
from trt.sandbox.telegram_outgoing import Arguments, Done, Method, Outgoing
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_stars import StarRow
from trt.sandbox.telegram_till import Till
from trt.sandbox.telegram_wire import JSON, unix
from trt.sandbox.telegram_world import TelegramWorld

TRANSACTIONS_MAX = 100


@frozen
class StarMethods:
    """Invoices, answers to pre-checkouts, refunds and the bot's account."""

    _world: TelegramWorld
    _till: Till
    _outgoing: Outgoing

    @property
    def table(self) -> Mapping[str, Method]:
        """The methods by name."""
        return {
            "sendInvoice": self._send_invoice,
            "createInvoiceLink": self._create_link,
            "answerPreCheckoutQuery": self._answer,
            "refundStarPayment": self._refund,
            "getStarTransactions": self._transactions,
            "getMyStarBalance": self._balance,
        }

    async def _send_invoice(self, arguments: Arguments) -> Done:
        chat = self._outgoing.chat(arguments)
        invoice = checked_invoice(arguments)
        keyboard = checked_keyboard(arguments.get("reply_markup"), is_invoice=True)
        if not keyboard:
            pay = FakeButton(text=f"Заплатить ⭐{invoice.price_stars}", is_pay=True)
            keyboard = ((pay,),)
        return Done(self._outgoing.put(chat, "invoice", invoice=invoice, keyboard=keyboard))

    async def _create_link(self, arguments: Arguments) -> Done:
        invoice = checked_invoice(arguments)
        link = f"https://t.me/${self._world.sources.token(16)}"
        self._world.stars.links[link] = invoice
        return Done(link)

    async def _answer(self, arguments: Arguments) -> Done:
        refusal = None if arguments["ok"] else arguments.get("error_message", "")
        if refusal == "":
            raise Refused(400, "Bad Request: parameter error_message is required")
        self._till.answer(arguments["pre_checkout_query_id"], refusal=refusal)
        return Done(result=True)

    async def _refund(self, arguments: Arguments) -> Done:
        self._till.refund(arguments["user_id"], arguments["telegram_payment_charge_id"])
        return Done(result=True)

    async def _transactions(self, arguments: Arguments) -> Done:
        offset = max(0, arguments.get("offset", 0))
        limit = max(1, min(arguments.get("limit", TRANSACTIONS_MAX), TRANSACTIONS_MAX))
        rows = self._world.stars.rows[offset : offset + limit]
        return Done({"transactions": [_row_wire(row) for row in rows]})

    async def _balance(self, _: Arguments) -> Done:
        return Done({"amount": self._world.stars.balance})


def _row_wire(row: StarRow) -> JSON:
    side = "source" if row.is_incoming else "receiver"
    return {"id": row.charge_id, "amount": row.stars, "date": unix(row.at), side: row.partner}
