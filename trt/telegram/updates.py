"""Telegram's updates, read twice: a cheap envelope for the inbox, the event for the session."""

import re
from typing import Any

import msgspec
from attrs import frozen
from msgspec import UNSET, Raw, UnsetType

from trt.domain.ids import CallbackId, ChatId, MessageId, UpdateId, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileId,
    FileSent,
    MediaSent,
    Person,
    PreCheckoutId,
    TextSent,
    UserEvent,
)
from trt.telegram.update_parts import (
    FILES,
    MEDIA,
    CallbackQuery,
    Envelope,
    EventUpdate,
    File,
    Message,
    Part,
)

UPDATE_ID_MAX = 2**63 - 1

UNKNOWN_KIND = "unknown"

PRE_CHECKOUT = "pre_checkout_query"
SUCCESSFUL_PAYMENT = "successful_payment"
REFUNDED_PAYMENT = "refunded_payment"
PAYMENT_KINDS = frozenset({PRE_CHECKOUT, SUCCESSFUL_PAYMENT, REFUNDED_PAYMENT})
"""Kinds that `read_payment` reads; a pre-checkout is answered within 10 s or the sale is lost."""


@frozen(kw_only=True)
class Update:
    """What the inbox has to know of an update; ids are 0 where the update has none."""

    update_id: UpdateId
    kind: str
    """The update's one optional field (`message`, `callback_query`, …) or `unknown`; a message
    about money is no `message` but a `successful_payment` or a `refunded_payment`."""
    user_id: UserId
    chat_id: ChatId
    callback_id: CallbackId | None = None
    pre_checkout_id: PreCheckoutId | None = None

    @property
    def is_payment(self) -> bool:
        """Whether it is about money and waits behind nothing."""
        return self.kind in PAYMENT_KINDS


@frozen
class BadUpdate:
    """Not an update; `problem` names what is wrong and what would be right."""

    problem: str


@frozen
class Unsupported:
    """An update that is no business of a conversation in a private chat."""

    kind: str


_envelopes = msgspec.json.Decoder(Envelope)
_events = msgspec.json.Decoder(EventUpdate)
_sizes = msgspec.json.Decoder(list[File])
_files = msgspec.json.Decoder(File)


def parse_update(body: bytes) -> Update | BadUpdate:
    """Read the envelope of one Update (Bot API, Update).

    Only the `update_id` can make an update bad: an update that Telegram sends and that we cannot
    read must still be taken, or Telegram would deliver it again and again.
    """
    try:
        envelope = _envelopes.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_slowly(body)
    if not 0 <= envelope.update_id <= UPDATE_ID_MAX:
        return _bad_id(envelope.update_id)
    for kind in ENVELOPE_KINDS:
        part = getattr(envelope, kind)
        if part is not None:
            return _summary(envelope.update_id, kind, part)
    return _summary(envelope.update_id, UNKNOWN_KIND, Part())


ENVELOPE_KINDS = tuple(name for name in Envelope.__struct_fields__ if name != "update_id")


def _summary(update_id: int, kind: str, part: Part) -> Update:
    user = part.from_ or part.user
    message = part.message
    chat = part.chat or (message.chat if message is not None else None)
    if kind == "message" and (about_money := _about_money(part)) is not None:
        # A refund is told in a message of the bot itself; a private chat has the id of its user.
        kind, user = about_money, chat
    query_id = part.id if isinstance(part.id, str) else None
    is_tap = kind == "callback_query" and query_id is not None
    is_pre_checkout = kind == PRE_CHECKOUT and query_id is not None
    return Update(
        update_id=UpdateId(update_id),
        kind=kind,
        user_id=UserId(user.id if user is not None else 0),
        chat_id=ChatId(chat.id if chat is not None else 0),
        callback_id=CallbackId(str(query_id)) if is_tap else None,
        pre_checkout_id=PreCheckoutId(str(query_id)) if is_pre_checkout else None,
    )


def _about_money(part: Part) -> str | None:
    if part.successful_payment is not UNSET:
        return SUCCESSFUL_PAYMENT
    return REFUNDED_PAYMENT if part.refunded_payment is not UNSET else None


def _parse_slowly(body: bytes) -> Update | BadUpdate:
    """Say what is wrong, or rescue an update of which only a part is not as we know it."""
    try:
        raw: Any = msgspec.json.decode(body)
    except RecursionError:
        return BadUpdate("body: nested too deep; an Update has a few dozen levels at most")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return BadUpdate("body: not JSON; send one Update object as UTF-8 JSON")
    if not isinstance(raw, dict):
        return BadUpdate("body: not an object; send one Update object, not a list or a value")
    if "update_id" not in raw:
        return BadUpdate("update_id: missing; every Update has an integer update_id")
    update_id = raw["update_id"]
    if type(update_id) is not int or not 0 <= update_id <= UPDATE_ID_MAX:
        return _bad_id(update_id)
    for kind in ENVELOPE_KINDS:
        if raw.get(kind) is not None:
            return _summary(update_id, kind, _lenient_part(raw[kind]))
    return _summary(update_id, UNKNOWN_KIND, Part())


def _lenient_part(raw: object) -> Part:
    try:
        return msgspec.convert(raw, Part)
    except msgspec.ValidationError:
        return Part()


def _bad_id(update_id: object) -> BadUpdate:
    what = type(update_id).__name__ if type(update_id) is not int else "out of range"
    return BadUpdate(f"update_id: {what}; send an integer from 0 to {UPDATE_ID_MAX}")


def read_event(payload: bytes) -> tuple[Person, UserEvent] | Unsupported:
    """Read what a user did in a private chat from the payload of an accepted update.

    Returns:
        Who did what; `Unsupported` for groups, channels, edits, service messages and everything
        that is not a message or a tap, for what is about money (see `read_payment`), and for a
        message that is not as the Bot API says.
    """
    try:
        update = _events.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        summary = parse_update(payload)
        return Unsupported(summary.kind if isinstance(summary, Update) else UNKNOWN_KIND)
    if update.callback_query is not None:
        return _read_tap(update.callback_query)
    if update.message is not None:
        return _read_message(update.message)
    summary = parse_update(payload)
    return Unsupported(summary.kind if isinstance(summary, Update) else UNKNOWN_KIND)


def _read_tap(query: CallbackQuery) -> tuple[Person, UserEvent] | Unsupported:
    message = query.message
    if query.data is None or (message is not None and message.chat.type != "private"):
        return Unsupported("callback_query")
    person = Person(
        user_id=UserId(query.from_.id),
        # A private chat has the id of its user.
        chat_id=ChatId(message.chat.id if message is not None else query.from_.id),
        first_name=_clean(query.from_.first_name),
        language_code=query.from_.language_code,
    )
    # Date 0 marks an InaccessibleMessage: it cannot be edited any more (Bot API).
    is_there = message is not None and message.date != 0
    return person, ButtonTapped(
        callback_id=CallbackId(query.id),
        data=_clean(query.data),
        message_id=MessageId(message.message_id) if message is not None and is_there else None,
    )


def _read_message(message: Message) -> tuple[Person, UserEvent] | Unsupported:
    sender = message.from_
    if sender is None or message.chat.type != "private":
        return Unsupported("message")
    event = _event_of(message)
    if event is None:
        return Unsupported("message")
    person = Person(
        user_id=UserId(sender.id),
        chat_id=ChatId(message.chat.id),
        first_name=_clean(sender.first_name),
        language_code=sender.language_code,
    )
    return person, event


_COMMAND = re.compile(r"/(\w{1,32})(?:@\w+)?(?:\s+(.*))?", re.DOTALL | re.ASCII)


def _event_of(message: Message) -> UserEvent | None:
    if message.text is not None:
        text = _clean(message.text)
        if command := _COMMAND.fullmatch(text):
            argument = (command[2] or "").strip()
            return CommandSent(command=command[1].lower(), argument=argument)
        return TextSent(text=text)
    for kind in MEDIA:
        value: Raw | UnsetType = getattr(message, kind)
        if isinstance(value, Raw):
            return _file(kind, value, message.caption or "") or MediaSent(kind=kind)
    return None


def _file(kind: str, value: Raw, caption: str) -> FileSent | None:
    """Return the file that `value` describes, of a photo the largest size; None if it is none."""
    if kind not in FILES:
        return None
    try:
        if kind == "photo":
            sizes = _sizes.decode(value)
            file = max(sizes, key=lambda size: size.width * size.height, default=None)
        else:
            file = _files.decode(value)
    except msgspec.DecodeError:
        return None
    if file is None:
        return None
    return FileSent(
        file_id=FileId(file.file_id),
        kind=kind,
        size_bytes=file.file_size,
        mime_type="image/jpeg" if kind == "photo" else file.mime_type,
        caption=_clean(caption),
    )


def _clean(text: str) -> str:
    """Drop NUL, which JSON can say and PostgreSQL cannot store."""
    return text.replace("\x00", "")
