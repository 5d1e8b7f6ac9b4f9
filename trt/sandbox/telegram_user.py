"""A person with the app open, in a private chat with the bot."""

from collections.abc import Callable, Sequence

import trio
from attrs import evolve

from trt.sandbox.telegram_chat import (
    Answer,
    FakeButton,
    FakeChat,
    FakeFile,
    FakeMessage,
    FakePerson,
    Tap,
)
from trt.sandbox.telegram_stars import STARS, Checkout, CheckoutState, FakeInvoice
from trt.sandbox.telegram_till import Till
from trt.sandbox.telegram_wire import chat_wire, unix, user_wire
from trt.sandbox.telegram_world import TelegramWorld

Wanted = str | Callable[[FakeMessage], bool]
_SHOWN_MAX = 5
_MOMENT_S = 0.001
"""At the last moment itself an answer is still in time."""


class NotSeen(Exception):  # noqa: N818
    """What the person waited for, or wanted to press, is not there; says what is."""


class FakeUser:
    """Does what a person can do, and sees what a person can see."""

    def __init__(self, world: TelegramWorld, till: Till, person: FakePerson) -> None:
        self._world = world
        self._till = till
        self.person = person
        self.chat: FakeChat = world.chat(person)

    @property
    def user_id(self) -> int:
        """Also the id of the private chat."""
        return self.person.user_id

    @property
    def messages(self) -> Sequence[FakeMessage]:
        """Everything in the chat, oldest first."""
        return self.chat.messages

    @property
    def last(self) -> FakeMessage:
        """The newest message that the bot wrote.

        Raises:
            NotSeen: the bot has not written.
        """
        for message in reversed(self.messages):
            if message.is_from_bot and message.service is None:
                return message
        raise NotSeen("the bot has not written")

    @property
    def blocked(self) -> bool:
        """Whether the person blocked the bot; setting it tells the bot, as Telegram does."""
        return self.chat.is_blocked

    @blocked.setter
    def blocked(self, value: bool) -> None:
        if value == self.chat.is_blocked:
            return
        self.chat.is_blocked = value
        old, new = ("member", "kicked") if value else ("kicked", "member")
        content = {
            "chat": chat_wire(self.chat),
            "from": user_wire(self.person),
            "date": unix(self._world.sources.now()),
            "old_chat_member": {"user": self._world.bot, "status": old},
            "new_chat_member": {"user": self._world.bot, "status": new, "until_date": 0},
        }
        self._world.post("my_chat_member", f"chat:{self.user_id}", content)

    # What a person does

    def send(self, text: str) -> int:
        """Write to the bot; return the update_id."""
        assert 0 < len(text) <= 4096, "Telegram's app splits longer texts"  # noqa: PLR2004
        return self._send(kind="text", text=text)

    def send_photo(self, data: bytes, caption: str = "") -> int:
        """Send a picture (PNG, JPEG or WebP bytes); return the update_id."""
        file = self._world.files.keep("photo", "photo.jpg", "image/jpeg", data)
        return self._send(kind="photo", text=caption, file=file)

    def send_sticker(self) -> int:
        """Send a sticker; return the update_id."""
        file = self._world.files.keep("sticker", "sticker.webp", "image/webp", b"sticker")
        return self._send(kind="sticker", file=file)

    def send_voice(self) -> int:
        """Send a voice note; return the update_id."""
        file = self._world.files.keep("voice", "voice.ogg", "audio/ogg", b"OggS")
        return self._send(kind="voice", file=file)

    def send_document(
        self,
        data: bytes,
        name: str = "file.bin",
        content_type: str = "application/octet-stream",
        caption: str = "",
    ) -> int:
        """Send a file of any kind; return the update_id."""
        file = self._world.files.keep("document", name, content_type, data)
        return self._send(kind="document", text=caption, file=file)

    def send_video(self, data: bytes, caption: str = "") -> int:
        """Send a clip; return the update_id."""
        file = self._world.files.keep("video", "video.mp4", "video/mp4", data)
        return self._send(kind="video", text=caption, file=file)

    def tap(self, button: str, message: FakeMessage | None = None) -> Tap:
        """Press the button with this text or callback data.

        Args:
            button: what stands on it, or its callback data.
            message: where it is; by default the newest message that has it.

        Raises:
            NotSeen: there is no such button to press.
        """
        for candidate in [message] if message is not None else reversed(self.messages):
            found = candidate.button(button)
            if found is not None and found.data is not None:
                return self._world.tap(self.chat, candidate, found.data)
        raise NotSeen(f"no button {button!r}; {self._describe()}")

    def tap_data(self, data: str, message: FakeMessage | None = None) -> Tap:
        """Press a button with forged or outdated data, by default under the bot's newest."""
        return self._world.tap(self.chat, message or self.last, data)

    def resend(self, tap: Tap) -> Tap:
        """Press the same button of the same message once more: a new tap in a new update."""
        message = self.chat.find(tap.message_id)
        if message is None:
            raise NotSeen(f"message {tap.message_id} is gone; {self._describe()}")
        return self._world.tap(self.chat, message, tap.data)

    # What a person pays

    @property
    def stars(self) -> int:
        """How many Stars the person has."""
        return self._world.stars.wallet(self.user_id)

    @stars.setter
    def stars(self, stars: int) -> None:
        self._world.stars.set_wallet(self.user_id, stars)

    def pay(
        self,
        what: FakeMessage | str | None = None,
        *,
        stars: int | None = None,
        is_update_lost: bool = False,
    ) -> Checkout:
        """Press Pay on an invoice; the payment happens when the bot agrees to it within 10 s.

        Args:
            what: a message with a pay button, in whatever chat, or an invoice link; by default the
                newest in the chat.
            stars: another amount than the invoice's: what a forger would try.
            is_update_lost: never tell the bot of the payment but in getStarTransactions.

        Raises:
            NotSeen: there is no pay button, or the person has too few Stars.
        """
        invoice = self._invoice(what)
        if stars is not None:
            invoice = evolve(invoice, price_stars=stars)
        if self.stars < invoice.price_stars:
            raise NotSeen(f"{invoice.price_stars} Stars; the person has {self.stars}")
        return self._till.begin(self.chat, invoice, is_update_lost=is_update_lost)

    def forward(self, message: FakeMessage | None = None) -> FakeMessage:
        """Return the copy that somebody else gets of an invoice, by default of the newest.

        With a start_parameter the copy has a link to the bot in place of the pay button (Bot API,
        sendInvoice).
        """
        message = message or self._newest_invoice()
        invoice = message.invoice
        assert invoice is not None
        if not invoice.start_parameter:
            return evolve(message, keyboard=message.keyboard[:1])
        url = f"https://t.me/{self._world.username}?start={invoice.start_parameter}"
        return evolve(message, keyboard=((FakeButton(text=invoice.title, url=url),),))

    def pre_checkout(self, payload: str, stars: int, currency: str = STARS) -> Checkout:
        """Press Pay on an invoice that the bot never sent, or sent otherwise."""
        return self._till.begin(self.chat, _forged(payload, stars, currency), is_update_lost=False)

    def pay_out_of_the_blue(
        self, payload: str, stars: int, currency: str = STARS, charge_id: str | None = None
    ) -> int:
        """Pay something of which the bot knows nothing; return the successful_payment's id."""
        invoice = _forged(payload, stars, currency)
        return self._till.pay_out_of_the_blue(self.chat, invoice, charge_id)

    def paid_before(self, payload: str, stars: int) -> str:
        """Have paid for something of another program's; return the charge id.

        The bot reads of it in getStarTransactions alone.
        """
        return self._till.paid_before(self.chat, _forged(payload, stars, STARS))

    def give_up(self, checkout: Checkout) -> None:
        """Close a payment that the bot has not answered yet."""
        self._till.give_up(checkout)

    def state(self, checkout: Checkout) -> CheckoutState:
        """Return how far a payment came by now."""
        return self._till.state(checkout)

    async def wait_checkout(self, checkout: Checkout) -> CheckoutState:
        """Return how a payment ended; Telegram waits for the bot's word for 10 s at most."""
        timeout_s = self._world.limits.pre_checkout_answer_s + _MOMENT_S
        with self._world.changes.subscribe() as changes, trio.move_on_after(timeout_s):
            while self._till.state(checkout) is CheckoutState.WAITING:
                await changes.receive()
        return self._till.state(checkout)

    def _invoice(self, what: FakeMessage | str | None) -> FakeInvoice:
        if isinstance(what, str):
            if what not in self._world.stars.links:
                raise NotSeen("no invoice behind this link")
            return self._world.stars.links[what]
        message = what or self._newest_invoice()
        if message.invoice is None or not any(button.is_pay for button in message.buttons):
            raise NotSeen(f"no pay button under message {message.message_id}")
        return message.invoice

    def _newest_invoice(self) -> FakeMessage:
        for message in reversed(self.messages):
            if message.invoice is not None:
                return message
        raise NotSeen(f"no invoice; {self._describe()}")

    # What a person sees

    async def wait_message(
        self, wanted: Wanted, timeout_s: float = 60.0, *, after: FakeMessage | None = None
    ) -> FakeMessage:
        """Return the first message of the bot that is as wanted, now or later.

        Args:
            wanted: a piece of its text, or what must be true of it; an edit may make it so.
            timeout_s: seconds to wait.
            after: only messages below this one count.

        Raises:
            NotSeen: there was none in time.
        """
        with self._world.changes.subscribe() as changes, trio.move_on_after(timeout_s):
            while True:
                found = self._find(wanted, after.message_id if after else 0)
                if found is not None:
                    return found
                await changes.receive()
        what = repr(wanted) if isinstance(wanted, str) else "that is as wanted"
        raise NotSeen(f"no message {what} within {timeout_s} s; {self._describe()}")

    async def wait_answer(self, tap: Tap, timeout_s: float = 60.0) -> Answer:
        """Return how the bot answered a tap.

        Raises:
            NotSeen: it was not answered in time.
        """
        with self._world.changes.subscribe() as changes, trio.move_on_after(timeout_s):
            while tap.callback_id not in self._world.answers:
                await changes.receive()
        if tap.callback_id not in self._world.answers:
            raise NotSeen(f"the tap on {tap.data!r} was not answered within {timeout_s} s")
        return self._world.answers[tap.callback_id]

    def answer(self, tap: Tap) -> Answer | None:
        """Return how the bot answered a tap, None while the button still spins."""
        return self._world.answers.get(tap.callback_id)

    def _find(self, wanted: Wanted, above_id: int) -> FakeMessage | None:
        for message in self.messages:
            if not message.is_from_bot or message.message_id <= above_id:
                continue
            if wanted in message.text if isinstance(wanted, str) else wanted(message):
                return message
        return None

    def _send(self, *, kind: str, text: str = "", file: FakeFile | None = None) -> int:
        message = self._new_message(kind, text, file)
        content = self._world.wire(message)
        return self._world.post("message", f"chat:{self.user_id}", content).update_id

    def _new_message(self, kind: str, text: str, file: FakeFile | None) -> FakeMessage:
        assert not self.chat.is_blocked, "who blocked the bot must unblock it before writing"
        self.chat.is_started = True
        message = FakeMessage(
            message_id=self.chat.next_message_id(),
            chat_id=self.chat.chat_id,
            is_from_bot=False,
            kind=kind,
            sent_at=self._world.sources.now(),
            text=text,
            file=file,
        )
        return self._world.add(self.chat, message)

    def _describe(self) -> str:
        if not self.messages:
            return "the chat is empty"
        lines = [
            f"{'bot' if message.is_from_bot else 'user'} {message.message_id} {message.kind}:"
            f" {message.text!r} {[button.text for button in message.buttons]}"
            for message in self.messages[-_SHOWN_MAX:]
        ]
        return "the chat ends with\n" + "\n".join(lines)


def _forged(payload: str, stars: int, currency: str) -> FakeInvoice:
    return FakeInvoice(
        title="-", description="-", payload=payload, price_stars=stars, currency=currency
    )
