"""What the Bot API's methods that write into a chat have in common."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen

from trt.sandbox.telegram_chat import FakeChat, FakeMessage
from trt.sandbox.telegram_rates import Rates
from trt.sandbox.telegram_world import TelegramWorld

Arguments = Mapping[str, Any]


@frozen
class Done:
    """A result, and the description that two methods send with it."""

    result: Any
    description: str | None = None


Method = Callable[[Arguments], Awaitable[Done]]


class Outgoing:
    """Counts what the bot sends and puts it into chats."""

    def __init__(self, world: TelegramWorld) -> None:
        self._world = world
        self._rates = Rates(world.limits)

    def chat(self, arguments: Arguments) -> FakeChat:
        """Return the chat that `chat_id` means, and count one message or edit in it.

        Raises:
            Refused: the bot may not write there, or not yet again.
        """
        chat = self._world.writable(arguments.get("chat_id"))
        self._rates.count(chat.chat_id)
        return chat

    def put(self, chat: FakeChat, kind: str, **content: Any) -> Any:
        """Put a message of the bot into a chat; return it as the Bot API's Message."""
        message = FakeMessage(
            message_id=chat.next_message_id(),
            chat_id=chat.chat_id,
            is_from_bot=True,
            kind=kind,
            sent_at=self._world.sources.now(),
            **content,
        )
        return self._world.wire(self._world.add(chat, message))
