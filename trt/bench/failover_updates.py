"""What the users of `trt bench failover` do, as Telegram would post it."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import msgspec
from attrs import define, field, frozen

UPDATE_ID_FIRST = 100_000_000
USER_ID_FIRST = 1_000_000_000
BUYER_ID_FIRST = 2_000_000_000
USERS = 300
"""They come back every few seconds: most sessions are there already, nobody writes too fast."""
TAPS = ("main_menu", "cat:image", "cat:video", "balance", "help", "model:z-image")
MODEL = "nano-banana-pro"
"""Needs nothing but a prompt, so that an order is three updates whose content is known before."""
MESSAGE_ID = 1
SCREEN = "show_screen"
ANSWER = "answer_callback"
_DATE = 2_000_000_000
"""In seconds since the epoch; a message from the future is never too old to be answered."""


@frozen(kw_only=True)
class MadeUpdate:
    """One update, and what its handling must leave in the outbox."""

    update_id: int
    user_id: int
    callback_id: str | None
    body: bytes
    replies: Mapping[str, int]
    """How many outbox rows of each kind it has to make. A job's own messages come on top."""
    starts_job: bool = False


@define
class MadeUpdates:
    """Makes updates with ids that are ours, so that each can be accounted for afterwards."""

    _numbers: "count[int]" = field(factory=count)
    _buyers: "count[int]" = field(factory=lambda: count(BUYER_ID_FIRST))

    def next(self) -> MadeUpdate:
        """Return what somebody does next: /start, or now and then more often a tap."""
        number = next(self._numbers)
        user_id = USER_ID_FIRST + number % USERS
        if number % 5 in {0, 2}:
            return _message(number, user_id, "/start")
        return _tap(number, user_id, TAPS[number // 5 % len(TAPS)])

    def order(self) -> Iterator[MadeUpdate]:
        """Yield the updates of one order of somebody new, who can pay for it once."""
        buyer_id = next(self._buyers)
        yield _tap(next(self._numbers), buyer_id, f"make:{MODEL}")
        # The form moves into a new message, and the old one loses its buttons.
        yield _message(next(self._numbers), buyer_id, "a fox in the snow", screens=2)
        yield _tap(next(self._numbers), buyer_id, "confirm", starts_job=True)


def _message(number: int, user_id: int, text: str, screens: int = 1) -> MadeUpdate:
    message = _in_chat(user_id) | {"from": _person(user_id), "text": text}
    if text.startswith("/"):
        message["entities"] = [{"offset": 0, "length": len(text), "type": "bot_command"}]
    return _update(number, user_id, {"message": message}, {SCREEN: screens})


def _tap(number: int, user_id: int, data: str, *, starts_job: bool = False) -> MadeUpdate:
    callback_id = f"tap-{number}"
    query = {
        "id": callback_id,
        "from": _person(user_id),
        "message": _in_chat(user_id),
        "chat_instance": "1",
        "data": data,
    }
    return _update(
        number,
        user_id,
        {"callback_query": query},
        {ANSWER: 1} if starts_job else {ANSWER: 1, SCREEN: 1},
        callback_id=callback_id,
        starts_job=starts_job,
    )


def _update(
    number: int,
    user_id: int,
    content: dict[str, Any],
    replies: Mapping[str, int],
    *,
    callback_id: str | None = None,
    starts_job: bool = False,
) -> MadeUpdate:
    update_id = UPDATE_ID_FIRST + number
    return MadeUpdate(
        update_id=update_id,
        user_id=user_id,
        callback_id=callback_id,
        body=msgspec.json.encode({"update_id": update_id, **content}),
        replies=replies,
        starts_job=starts_job,
    )


def _person(user_id: int) -> dict[str, Any]:
    return {"id": user_id, "is_bot": False, "first_name": "Anna", "language_code": "en"}


def _in_chat(user_id: int) -> dict[str, Any]:
    chat = {"id": user_id, "first_name": "Anna", "type": "private"}
    return {"message_id": MESSAGE_ID, "date": _DATE, "chat": chat}
