"""A user at the keyboard, for the tests of the dialog."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from attrs import evolve

from trt.catalog.copy_loader import load_copies
from trt.catalog.loader import load_catalogue
from trt.catalog.pricing import Tariff
from trt.domain import dialog
from trt.domain.dialog import Situation, StartJob, Turn
from trt.domain.ids import CallbackId, ChatId, DraftId, MessageId, UserId
from trt.domain.inputs import ButtonTapped, CommandSent, Person, TextSent
from trt.domain.model_card import Catalogue
from trt.domain.payments import OrderId, Seal, star_rate
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, Screen, ShowScreen
from trt.domain.till import StarsProvider, Till

REGISTRY = Path(__file__).parents[2] / "registry"
MESSAGE = MessageId(5)
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
TILL = Till(
    stars=StarsProvider(
        seal=Seal(key=b"key"),
        rate=star_rate(Decimal("0.013"), Decimal(78)),
        sizes=(50, 100),
    ),
    transfer=None,
    admin_id=None,
    support_contact="@support",
)
COPIES = load_copies()


def catalogue() -> Catalogue:
    read = load_catalogue(REGISTRY, Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2)))
    assert isinstance(read, Catalogue), str(read)
    return read


class Talk:
    """One user at the keyboard; the screens they saw are `turns`."""

    def __init__(self, *, language_code: str = "ru", balance_kopecks: int = 100_000) -> None:
        self.person = Person(
            user_id=UserId(1),
            chat_id=ChatId(1),
            first_name="A<b>nna",
            language_code=language_code,
        )
        self.session = dialog.greet(self.person)
        self.situation = Situation(
            catalogue=catalogue(),
            copy=COPIES,
            balance_kopecks=balance_kopecks,
            reserved_kopecks=0,
            active_jobs=0,
            active_jobs_max=3,
            fresh_draft_id=DraftId("00000000"),
            now=NOW,
            till=TILL,
            fresh_order_id=OrderId("0123456789abcdef"),
        )
        self.turns: list[Turn] = []

    def do(self, event: dialog.Event) -> Turn:
        fresh = DraftId(f"{len(self.turns) + 1:08x}")
        situation = evolve(self.situation, fresh_draft_id=fresh)
        turn = dialog.step(self.session, self.person, event, situation)
        self.session = turn.session
        self.turns.append(turn)
        return turn

    def tap(self, data: str) -> Turn:
        return self.do(ButtonTapped(callback_id=CallbackId("c"), data=data, message_id=MESSAGE))

    def say(self, text: str) -> Turn:
        return self.do(TextSent(text=text))

    def command(self, command: str) -> Turn:
        return self.do(CommandSent(command=command, argument=""))

    def press(self, prefix: str) -> Turn:
        """Tap the first button of the last screen whose data begins like this."""
        screen = shown(next(turn for turn in reversed(self.turns) if screens(turn)))
        data = [b.data for row in screen.keyboard for b in row if b.data.startswith(prefix)]
        return self.tap(data[0])


def screens(turn: Turn) -> list[ShowScreen]:
    """Return what the turn ends on: one screen, or none."""
    return [effect for effect in turn.effects if isinstance(effect, ShowScreen)][-1:]


def left_behind(turn: Turn) -> list[ShowScreen]:
    """Return the messages that lose their buttons, because the order goes on in a new one."""
    return [effect for effect in turn.effects if isinstance(effect, ShowScreen)][:-1]


def shown(turn: Turn) -> Screen:
    [show] = screens(turn)
    return show.screen


def labels(turn: Turn) -> list[str]:
    return [button.text for row in shown(turn).keyboard for button in row]


def toast(turn: Turn) -> str:
    [answer] = [effect for effect in turn.effects if isinstance(effect, AnswerCallback)]
    return answer.text


def started(turn: Turn) -> list[StartJob]:
    return [effect for effect in turn.effects if isinstance(effect, StartJob)]


def reason(turn: Turn) -> Reason:
    return turn.outcome.reason


def ready(balance_kopecks: int = 100_000) -> Talk:
    """Return a talk that has come to the confirmation of a nano-banana-pro."""
    talk = Talk(balance_kopecks=balance_kopecks)
    talk.tap("model:nano-banana-pro")
    talk.press("make:")
    talk.say("a cat")
    return talk


def draft_id(talk: Talk) -> DraftId:
    assert talk.session.draft is not None
    return talk.session.draft.draft_id
