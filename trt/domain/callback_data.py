"""What the data of an inline button means, written and read in one place."""

import re
from typing import Final, assert_never

from attrs import frozen

from trt.domain.ids import DraftId, JobId, ModelId
from trt.domain.model_card import Category
from trt.domain.payments import OrderId

BYTES_MAX: Final = 64
"""Bot API, InlineKeyboardButton.callback_data."""


@frozen
class MainMenu:
    """Go home; `is_new` leaves the tapped message alone, because it is worth keeping."""

    is_new: bool = False


@frozen
class OpenCategory:
    """Show the models of one shelf."""

    category: Category


@frozen
class OpenModel:
    """Show a model's card."""

    model_id: ModelId


@frozen
class BeginOrder:
    """Start filling in an order for a model."""

    model_id: ModelId


@frozen
class SetValue:
    """Choose a value; `token` is `form.token_of(value)`, empty for "none of them"."""

    draft_id: DraftId
    name: str
    token: str


@frozen
class EditValue:
    """Ask again for one parameter of a complete order."""

    draft_id: DraftId
    name: str


@frozen
class KeepValue:
    """Leave the value that is being asked for as it is."""

    draft_id: DraftId


@frozen
class UseExample:
    """Take the model's example as the text that is being asked for."""

    draft_id: DraftId


@frozen
class Confirm:
    """Start the job at the price that the button's message names; the seed name carries neither."""

    draft_id: DraftId | None = None
    price_kopecks: int | None = None


@frozen
class Cancel:
    """Throw the order away."""

    draft_id: DraftId | None = None


@frozen
class Back:
    """One step back."""

    draft_id: DraftId | None = None


@frozen
class Repeat:
    """Order the same as a past job."""

    job_id: JobId


@frozen
class OpenJobs:
    """Show the user's own jobs."""


@frozen
class TakeBack:
    """Cancel an order that the vendor does not have yet."""

    job_id: JobId
    is_listed: bool = False
    """Whether the button stands on the list, which has to follow."""


@frozen
class GetResult:
    """Send a result that is there, again."""

    job_id: JobId


@frozen
class OpenBalance:
    """Show the balance."""


@frozen
class OpenTopUp:
    """Show the ways to pay."""


@frozen
class PickPackage:
    """Pay so much; `size` is in the provider's unit."""

    source: str
    size: int


@frozen
class DecideReceipt:
    """The admin's word about a transfer by hand."""

    order_id: OrderId
    is_approved: bool


@frozen
class OpenHelp:
    """Show the help."""


@frozen
class OpenLanguages:
    """Offer the languages."""


@frozen
class PickLanguage:
    """Speak this language from now on."""

    language: str


@frozen
class Forget:
    """Erase what the user told us; asks before it does."""

    is_confirmed: bool = False


@frozen
class Unknown:
    """Nothing that this version of the bot ever put on a button."""

    data: str


DraftTap = SetValue | EditValue | KeepValue | UseExample | Confirm | Cancel | Back
JobTap = Repeat | OpenJobs | TakeBack | GetResult
MoneyTap = OpenBalance | OpenTopUp | PickPackage | DecideReceipt
Tap = (
    DraftTap
    | JobTap
    | MoneyTap
    | MainMenu
    | OpenCategory
    | OpenModel
    | BeginOrder
    | OpenHelp
    | OpenLanguages
    | PickLanguage
    | Forget
    | Unknown
)

_WORDS: Final[dict[str, Tap]] = {
    "main_menu": MainMenu(),
    "main_menu:new": MainMenu(is_new=True),
    "confirm": Confirm(),
    "cancel": Cancel(),
    "back": Back(),
    "jobs": OpenJobs(),
    "balance": OpenBalance(),
    "topup": OpenTopUp(),
    "help": OpenHelp(),
    "language": OpenLanguages(),
    "forget": Forget(),
    "forget:yes": Forget(is_confirmed=True),
    **{f"cat:{category}": OpenCategory(category) for category in Category},
}
_WORD_OF: Final = {tap: word for word, tap in _WORDS.items()}

_ID = r"[0-9A-Za-z_-]{1,40}"
_SHAPE: Final = re.compile(
    rf"""
      model:(?P<model>.+)
    | make:(?P<make>.+)
    | set:(?P<set>{_ID}):(?P<set_name>\w+):(?P<set_token>.*)
    | edit:(?P<edit>{_ID}):(?P<edit_name>\w+)
    | keep:(?P<keep>{_ID})
    | example:(?P<example>{_ID})
    | confirm:(?P<confirm>{_ID})(?::(?P<price>[0-9]{{1,12}}))?
    | cancel:(?P<cancel>{_ID})
    | back:(?P<back>{_ID})
    | repeat:(?P<repeat>{_ID})
    | takeback:(?P<takeback>{_ID})(?P<listed>:list)?
    | result:(?P<result>{_ID})
    | topup:(?P<topup>[a-z]{{1,16}}):(?P<size>[0-9]{{1,12}})
    | receipt:(?P<receipt>{_ID}):(?P<word>ok|no)
    | lang:(?P<lang>[a-z]{{2}})
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)


def parse(data: str) -> Tap:
    """Read the data of a tapped button; never raises, the unreadable is `Unknown`."""
    if data in _WORDS:
        return _WORDS[data]
    found = _SHAPE.fullmatch(data)
    if found is None or found.lastgroup is None:
        return Unknown(data)
    part = found.groupdict()
    if part["model"] is not None:
        return OpenModel(ModelId(part["model"]))
    if part["make"] is not None:
        return BeginOrder(ModelId(part["make"]))
    if part["lang"] is not None:
        return PickLanguage(part["lang"])
    return _job_tap(part) or _money_tap(part) or _draft_tap(part)


def _job_tap(part: dict[str, str | None]) -> JobTap | None:
    match part:
        case {"repeat": str(job_id)}:
            return Repeat(JobId(job_id))
        case {"takeback": str(job_id), "listed": listed}:
            return TakeBack(JobId(job_id), is_listed=listed is not None)
        case {"result": str(job_id)}:
            return GetResult(JobId(job_id))
        case _:
            return None


def _money_tap(part: dict[str, str | None]) -> PickPackage | DecideReceipt | None:
    match part:
        case {"topup": str(source), "size": str(size)}:
            return PickPackage(source, int(size))
        case {"receipt": str(order_id), "word": str(word)}:
            return DecideReceipt(OrderId(order_id), is_approved=word == "ok")
        case _:
            return None


def _draft_tap(part: dict[str, str | None]) -> DraftTap:
    match part:
        case {"set": str(draft), "set_name": str(name), "set_token": str(token)}:
            return SetValue(DraftId(draft), name, token)
        case {"edit": str(draft), "edit_name": str(name)}:
            return EditValue(DraftId(draft), name)
        case {"keep": str(draft)}:
            return KeepValue(DraftId(draft))
        case {"example": str(draft)}:
            return UseExample(DraftId(draft))
        case {"confirm": str(draft), "price": price}:
            return Confirm(DraftId(draft), None if price is None else int(price))
        case {"cancel": str(draft)}:
            return Cancel(DraftId(draft))
        case {"back": str(draft)}:
            return Back(DraftId(draft))
        case _:
            raise AssertionError("the pattern knows a shape that nobody reads")


def dump(tap: Tap) -> str:
    """Write the data of a button, such that `parse` gives `tap` back.

    Raises:
        AssertionError: It does not fit into 64 bytes; the registry's validator is what keeps
            model ids, parameter names and values short enough.
    """
    data = _written(tap)
    assert 1 <= len(data.encode()) <= BYTES_MAX, f"{len(data.encode())} bytes of callback data"
    return data


def size_bytes(tap: Tap) -> int:
    """Return how long the data of a button would be, for the registry's validator."""
    return len(_written(tap).encode())


def _written(tap: Tap) -> str:  # noqa: C901, PLR0912 - one line per kind of button
    match tap:
        case MainMenu() | OpenCategory() | OpenHelp() | OpenLanguages() | Forget():
            return _WORD_OF[tap]
        case OpenJobs() | OpenBalance() | OpenTopUp():
            return _WORD_OF[tap]
        case OpenModel(model_id):
            return f"model:{model_id}"
        case BeginOrder(model_id):
            return f"make:{model_id}"
        case SetValue(draft_id, name, token):
            return f"set:{draft_id}:{name}:{token}"
        case EditValue(draft_id, name):
            return f"edit:{draft_id}:{name}"
        case KeepValue(draft_id):
            return f"keep:{draft_id}"
        case UseExample(draft_id):
            return f"example:{draft_id}"
        case Confirm(draft_id, price_kopecks):
            return _joined("confirm", draft_id, price_kopecks)
        case Cancel(draft_id):
            return _joined("cancel", draft_id)
        case Back(draft_id):
            return _joined("back", draft_id)
        case Repeat(job_id):
            return f"repeat:{job_id}"
        case TakeBack(job_id, is_listed):
            return f"takeback:{job_id}{':list' if is_listed else ''}"
        case GetResult(job_id):
            return f"result:{job_id}"
        case PickPackage(source, size):
            return f"topup:{source}:{size}"
        case DecideReceipt(order_id, is_approved):
            return f"receipt:{order_id}:{'ok' if is_approved else 'no'}"
        case PickLanguage(language):
            return f"lang:{language}"
        case Unknown(data):
            return data
        case _:
            assert_never(tap)


def _joined(word: str, *parts: str | int | None) -> str:
    return ":".join([word, *(str(part) for part in parts if part is not None)])
