"""What came back from the Bot API, and which outcome it means: pure, without httpx."""

from http import HTTPStatus
from typing import TypeVar, assert_never

import msgspec
from attrs import frozen

from trt.domain.ids import MessageId
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import (
    ActOutcome,
    AlbumOutcome,
    AlbumSent,
    Conflict,
    Done,
    FileFlaw,
    OutcomeUnknown,
    RateLimited,
    Refusal,
    Rejected,
    SendOutcome,
    Sent,
    SetupOutcome,
)
from trt.telegram.refusals import classify
from trt.telegram.wire import MessageRef, Reply

NOT_JSON = "not the Bot API's JSON"
METHOD_NOT_FOUND = "method not found"

T = TypeVar("T")


@frozen
class NotSent:
    """No byte of the request reached Telegram."""

    why: str


@frozen
class Lost:
    """The request left and no answer came: it may have been carried out."""

    why: str


@frozen
class Answer:
    """An HTTP answer; `reply` is None when its body was not the Bot API's JSON."""

    status: int
    reply: Reply | None
    retry_after_s: float | None

    @property
    def code(self) -> int:
        """The envelope's error code, which equals the HTTP status where both are there."""
        code = self.reply.error_code if self.reply is not None else None
        return self.status if code is None else code

    @property
    def description(self) -> str:
        """Telegram's words for an error."""
        return self.reply.description if self.reply is not None else NOT_JSON

    @property
    def result(self) -> bytes:
        """The JSON of what an answer with `ok` returns."""
        return bytes(self.reply.result) if self.reply is not None else b"null"


Ending = Answer | NotSent | Lost


def read_answer(status: int, body: bytes, retry_after: str) -> Answer:
    """Read an HTTP answer; `retry_after` is its Retry-After header, or empty."""
    try:
        reply = msgspec.json.decode(body, type=Reply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reply = None
    wait_s = reply.parameters.retry_after if reply is not None and reply.parameters else None
    if wait_s is None and retry_after.isdecimal():
        wait_s = float(retry_after)
    return Answer(status, reply, wait_s)


def acted(ending: Ending) -> ActOutcome:
    """Return how a call ended that returns nothing.

    Raises:
        TelegramUnavailable: The call surely was not carried out.
        TelegramUnauthorized: The token is wrong.
    """
    match ending:
        case NotSent(why=why):
            raise TelegramUnavailable(why)
        case Lost(why=why):
            return OutcomeUnknown(why=why)
        case Answer(reply=Reply(ok=True)):
            return Done()
        case Answer(reply=None, status=status) if status < HTTPStatus.BAD_REQUEST:
            return OutcomeUnknown(why=f"{status} {NOT_JSON}")
        case Answer() if _is_token_unknown(ending):
            raise TelegramUnauthorized(f"{ending.code} {ending.description}")
        case Answer():
            return classify(ending.code, ending.description, ending.retry_after_s)
        case _:
            assert_never(ending)


def _is_token_unknown(answer: Answer) -> bool:
    if answer.code == HTTPStatus.UNAUTHORIZED:
        return True
    # A 404 of a proxy in between says nothing about the token.
    is_telegrams_404 = answer.code == HTTPStatus.NOT_FOUND and answer.reply is not None
    return is_telegrams_404 and METHOD_NOT_FOUND not in answer.description


def gave(ending: Ending, shape: type[T]) -> T | Refusal:
    """Return the result of a call that changes something; raises as `acted`."""
    outcome = acted(ending)
    if not isinstance(outcome, Done):
        return outcome
    assert isinstance(ending, Answer)
    try:
        return msgspec.json.decode(ending.result, type=shape)
    except msgspec.DecodeError:
        return OutcomeUnknown(why="the result is not as documented")


def sent(ending: Ending) -> SendOutcome:
    """Return how a call ended that returns a Message; raises as `acted`."""
    message = gave(ending, MessageRef)
    if isinstance(message, MessageRef):
        return Sent(message_id=MessageId(message.message_id))
    return message


def album_sent(ending: Ending) -> AlbumOutcome:
    """Return how a call ended that returns Messages; raises as `acted`."""
    messages = gave(ending, list[MessageRef])
    if isinstance(messages, list):
        return AlbumSent(tuple(MessageId(message.message_id) for message in messages))
    return messages


def set_up(method: str, ending: Ending) -> SetupOutcome:
    """Return how a call ended that may be repeated without harm.

    Raises:
        TelegramUnavailable: It may or may not have been carried out.
        TelegramUnauthorized: The token is wrong.
    """
    if isinstance(ending, Answer) and ending.code == HTTPStatus.CONFLICT:
        return Conflict(description=ending.description)
    match acted(ending):
        case Done() | RateLimited() | Rejected() as outcome:
            return outcome
        case OutcomeUnknown(why=why):
            raise TelegramUnavailable(f"{method}: {why}")
        case other:
            return Rejected(code=HTTPStatus.BAD_REQUEST, description=other.description)


def returned(method: str, ending: Ending, shape: type[T]) -> T:
    """Return the result of a call that reads.

    Raises:
        TelegramUnavailable: There is no usable result.
        TelegramUnauthorized: The token is wrong.
    """
    outcome = set_up(method, ending)
    if not isinstance(outcome, Done):
        raise TelegramUnavailable(f"{method}: {outcome}")
    assert isinstance(ending, Answer)
    try:
        return msgspec.json.decode(ending.result, type=shape)
    except msgspec.DecodeError as error:
        problem = str(error)
    raise TelegramUnavailable(f"{method}: the result is not as documented: {problem}")


def file_too_big(bytes_max: int) -> Rejected:
    """Return our own refusal of a file to download, shaped as Telegram's."""
    description = f"the file has more than {bytes_max} bytes"
    return Rejected(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, description, FileFlaw.TOO_BIG)
