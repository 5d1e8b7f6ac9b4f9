"""What Telegram's servers remember: chats, taps, files, updates, and who is told of changes."""

from typing import Any

import trio
from attrs import Factory, define

from trt.sandbox.broadcast import Broadcast
from trt.sandbox.telegram_chat import (
    Answer,
    ChatChange,
    FakeChat,
    FakeKeyboard,
    FakeMessage,
    FakePerson,
    MessageAdded,
    Tap,
    TapAnswered,
    TapMade,
)
from trt.sandbox.telegram_files import Files
from trt.sandbox.telegram_rates import Limits
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_stars import Stars
from trt.sandbox.telegram_updates import Polling, PostedUpdate, Updates
from trt.sandbox.telegram_webhook import Deliverer
from trt.sandbox.telegram_wire import JSON, bot_wire, message_wire, user_wire
from trt.sources import Sources

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@define(kw_only=True)
class TelegramWorld:
    """State and the moves on it; the methods of the bot and the hands of people share it."""

    sources: Sources
    bot_id: int
    username: str
    limits: Limits
    files: Files
    updates: Updates
    polling: Polling
    deliverer: Deliverer
    chats: dict[int, FakeChat] = Factory(dict)
    changes: Broadcast[ChatChange] = Factory(Broadcast)
    taps: dict[str, Tap] = Factory(dict)
    answers: dict[str, Answer] = Factory(dict)
    stars: Stars = Factory(Stars)
    commands: dict[str, Any] = Factory(dict)

    @property
    def bot(self) -> JSON:
        """The bot as a User."""
        return bot_wire(self.bot_id, self.username)

    def chat(self, person: FakePerson) -> FakeChat:
        """Return the person's private chat."""
        return self.chats.setdefault(person.user_id, FakeChat(person=person))

    def writable(self, chat_id: object) -> FakeChat:
        """Return a chat that the bot may write into.

        Raises:
            Refused: there is none, the person never wrote, or blocked the bot.
        """
        chat = self.chats.get(chat_id) if isinstance(chat_id, int) else None
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        if chat.is_blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        if not chat.is_started:
            raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
        return chat

    def add(self, chat: FakeChat, message: FakeMessage) -> FakeMessage:
        """Put a message into a chat."""
        chat.messages.append(message)
        self.changes.publish(MessageAdded(message=message))
        return message

    def wire(self, message: FakeMessage) -> JSON:
        """Return a message as the Bot API's Message."""
        return message_wire(message, self.chats[message.chat_id], self.bot)

    def post(self, kind: str, queue: str, content: JSON) -> PostedUpdate:
        """Send an update on its way to the bot."""
        update = self.updates.post(kind, queue, content, self.sources.now())
        self.hurry(update)
        return update

    def hurry(self, update: PostedUpdate) -> None:
        """Wake whoever takes updates to the bot."""
        self.deliverer.wake(update.queue)
        self.polling.wake()

    def tap(self, chat: FakeChat, message: FakeMessage, data: str) -> Tap:
        """Press a button that carries `data` under `message`."""
        callback_id = str(self.sources.random().getrandbits(62))
        content = {
            "id": callback_id,
            "from": user_wire(chat.person),
            "message": self.wire(message),
            "chat_instance": str(chat.chat_id * 7919),
            "data": data,
        }
        update = self.post("callback_query", f"callback:{chat.chat_id}", content)
        tap = Tap(
            callback_id=callback_id,
            user_id=chat.person.user_id,
            message_id=message.message_id,
            data=data,
            update_id=update.update_id,
            tapped_at=trio.current_time(),
        )
        self.taps[callback_id] = tap
        self.changes.publish(TapMade(tap=tap))
        return tap

    def answer(self, callback_id: str, text: str, *, is_alert: bool) -> None:
        """Stop the spinner of a tap.

        Raises:
            Refused: no such tap, answered before, or too late.
        """
        tap = self.taps.get(callback_id)
        if tap is None or callback_id in self.answers:
            raise Refused(400, TOO_OLD)
        after_s = trio.current_time() - tap.tapped_at
        if after_s > self.limits.callback_answer_s:
            raise Refused(400, TOO_OLD)
        answer = Answer(text=text, is_alert=is_alert, after_s=after_s)
        self.answers[callback_id] = answer
        self.changes.publish(TapAnswered(tap=tap, answer=answer))


def has_same_look(
    message: FakeMessage, text: str, entities: tuple[Any, ...], keyboard: FakeKeyboard
) -> bool:
    """Return whether an edit to this would change nothing that can be seen."""
    return (message.text, message.entities, message.keyboard) == (text, entities, keyboard)
