"""A person with the app open, in a private chat with the bot."""

from collections.abc import Callable, Sequence

import trio

from trt.sandbox.telegram_chat import (
    Answer,
    FakeChat,
    FakeFile,
    FakeMessage,
    FakePerson,
    Tap,
)
from trt.sandbox.telegram_wire import chat_wire, unix, user_wire
from trt.sandbox.telegram_world import TelegramWorld

Wanted = str | Callable[[FakeMessage], bool]
_SHOWN_MAX = 5


class NotSeen(Exception):  # noqa: N818
    """What the person waited for, or wanted to press, is not there; says what is."""


class FakeUser:
    """Does what a person can do, and sees what a person can see."""

    def __init__(self, world: TelegramWorld, person: FakePerson) -> None:
        self._world = world
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
        """The newest message of the bot.

        Raises:
            NotSeen: the bot has not written.
        """
        for message in reversed(self.messages):
            if message.is_from_bot:
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

    def send_document(self, data: bytes, name: str = "file.bin") -> int:
        """Send a file of any kind; return the update_id."""
        file = self._world.files.keep("document", name, "application/octet-stream", data)
        return self._send(kind="document", file=file)

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

    def pre_checkout(self, payload: str, stars: int) -> str:
        """Press Pay on an invoice in Stars; return the id of the pre_checkout_query."""
        query_id = str(self._world.sources.random().getrandbits(62))
        self._world.pre_checkouts[query_id] = None
        content = {
            "id": query_id,
            "from": user_wire(self.person),
            "currency": "XTR",
            "total_amount": stars,
            "invoice_payload": payload,
        }
        self._world.post("pre_checkout_query", f"checkout:{self.user_id}", content)
        return query_id

    def agreed(self, query_id: str) -> bool | None:
        """Return the bot's answer to a pre_checkout_query; None while there is none."""
        return self._world.pre_checkouts[query_id]

    def pay(self, payload: str, stars: int, charge_id: str | None = None) -> int:
        """Complete a payment in Stars; return the update_id of the successful_payment."""
        payment = {
            "currency": "XTR",
            "total_amount": stars,
            "invoice_payload": payload,
            "telegram_payment_charge_id": charge_id or self._world.sources.token(32),
            "provider_payment_charge_id": "",
        }
        message = self._new_message("service", "", None)
        content = self._world.wire(message) | {"successful_payment": payment}
        return self._world.post("message", f"chat:{self.user_id}", content).update_id

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
