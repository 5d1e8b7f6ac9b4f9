"""Whatever a user does, in whatever order, the promises of the dialog hold."""

from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.domain.talk import NOW, TILL
from trt.catalog.copy_loader import load_copies
from trt.catalog.loader import load_catalogue
from trt.catalog.pricing import Tariff
from trt.domain import callback_data, dialog
from trt.domain.dialog import Situation, StartJob, Turn
from trt.domain.ids import CallbackId, ChatId, DraftId, MessageId, UserId
from trt.domain.inputs import (
    ButtonTapped,
    CommandSent,
    FileId,
    FileSent,
    MediaSent,
    Person,
    TextSent,
    UserEvent,
)
from trt.domain.model_card import Catalogue
from trt.domain.payments import OrderId
from trt.domain.replies import AnswerCallback, Screen, ScreenId, SendInvoice, SendResult, ShowScreen
from trt.domain.turn import Announce, EndJob, Erase, HandIn

READ = load_catalogue(
    Path(__file__).parents[2] / "registry",
    Tariff(usd_to_rub=Decimal(78), multiplier=Decimal(2)),
)
assert isinstance(READ, Catalogue), str(READ)
CATALOGUE: Catalogue = READ
COPIES = load_copies()
COMMANDS = [
    *["start", "menu", "help", "balance", "cancel", "jobs", "language", "nonsense"],
    *["topup", "terms", "privacy", "paysupport", "credit"],
]
NASTY = ['<b>&"', "🦊" * 3000, "<" * 4096, "&" * 1000, " ", "a cat", "</i>", "{name}"]
STALE = [
    "confirm",
    "cancel",
    "back",
    "main_menu",
    "confirm:00000001",
    "set:00000001:resolution:4K",
    "model:z-image",
    "make:kling-2.6/text-to-video",
    "repeat:" + "0" * 32,
    "takeback:" + "0" * 32,
    "result:" + "0" * 32,
    "zzz",
]

texts = st.sampled_from(NASTY) | st.text(max_size=60)
moves = st.one_of(
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(0, 30),
    st.builds(TextSent, text=texts),
    st.builds(CommandSent, command=st.sampled_from(COMMANDS), argument=st.just("")),
    st.builds(MediaSent, kind=st.just("voice")),
    st.builds(
        FileSent,
        file_id=st.just(FileId("file")),
        kind=st.sampled_from(["photo", "document", "voice"]),
        size_bytes=st.sampled_from([None, 1, 30_000_000]),
        mime_type=st.sampled_from([None, "image/jpeg", "audio/ogg"]),
        caption=texts,
    ),
    st.sampled_from(STALE) | st.text(max_size=20),
)
"""A number presses that button of the last screen; a text taps such data."""


class Balance(HTMLParser):
    """Fails on a tag that Telegram would not take, or that does not close."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "i", "code"}
        assert not attrs
        self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_screen(screen: Screen) -> None:
    assert 1 <= len(screen.text.encode("utf-16-le")) // 2 <= 4096
    Balance(screen.text)
    for row in screen.keyboard:
        assert row
        for button in row:
            assert button.text.strip()
            assert len(button.data.encode()) <= 64
            assert not isinstance(callback_data.parse(button.data), callback_data.Unknown)


class Walk:
    """A user who does anything, with an eye on every promise."""

    def __init__(self, *, balance_kopecks: int, language_code: str) -> None:
        self.person = Person(
            user_id=UserId(1), chat_id=ChatId(1), first_name="<&>", language_code=language_code
        )
        self.session = dialog.greet(self.person)
        self.balance_kopecks = balance_kopecks
        self.buttons = ["main_menu"]
        self.confirmation: Screen | None = None
        self.started: set[DraftId] = set()
        self.steps = 0

    def event(self, move: UserEvent | int | str) -> UserEvent:
        if isinstance(move, int):
            move = self.buttons[move % len(self.buttons)]
        if isinstance(move, str):
            return ButtonTapped(callback_id=CallbackId("c"), data=move, message_id=MessageId(5))
        return move

    def do(self, move: UserEvent | int | str) -> None:
        self.steps += 1
        event = self.event(move)
        situation = Situation(
            catalogue=CATALOGUE,
            copy=COPIES,
            balance_kopecks=self.balance_kopecks,
            reserved_kopecks=100,
            active_jobs=self.steps % 4,
            active_jobs_max=3,
            fresh_draft_id=DraftId(f"{self.steps:08x}"),
            now=NOW,
            till=TILL,
            fresh_order_id=OrderId(f"{self.steps:016x}"),
        )
        turn = dialog.step(self.session, self.person, event, situation)
        self.check(turn, event)
        self.session = turn.session

    def check(self, turn: Turn, event: UserEvent) -> None:
        answers = [e for e in turn.effects if isinstance(e, AnswerCallback)]
        if isinstance(event, ButtonTapped):
            assert answers == [turn.effects[0]]
            assert len(answers[0].text) <= 200
        else:
            assert not answers
            assert turn.effects
        for effect in turn.effects:
            match effect:
                case StartJob():
                    self.check_start(effect)
                case ShowScreen(screen=screen):
                    check_screen(screen)
                    self.buttons = [b.data for row in screen.keyboard for b in row]
                    if screen.screen_id is ScreenId.CONFIRM:
                        self.confirmation = screen
                case SendInvoice():
                    assert TILL.stars.seal.read(effect.payload) is not None
                case AnswerCallback() | Erase():
                    pass
                case Announce() | HandIn() | EndJob() | SendResult():
                    raise AssertionError("no transfers by hand, no jobs")
        draft = turn.session.draft
        if draft is not None:
            card = CATALOGUE.models[draft.model_id]
            assert set(draft.values) <= {param.name for param in card.params}
            assert draft.draft_id not in self.started

    def check_start(self, start: StartJob) -> None:
        card = CATALOGUE.models[start.model_id]
        assert start.price_kopecks == card.quote(start.params).price_kopecks
        assert start.price_kopecks <= self.balance_kopecks
        assert self.confirmation is not None
        shown = COPIES.of(self.session.language).money(start.price_kopecks)
        assert f"<b>{shown}</b>" in self.confirmation.text
        assert card.title in self.confirmation.text
        assert start.draft_id not in self.started
        self.started.add(start.draft_id)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(moves, min_size=1, max_size=25),
    st.sampled_from([0, 1404, 100_000]),
    st.sampled_from(["ru", "en"]),
)
def test_any_walk_through_the_dialog_keeps_every_promise(
    walk: list[UserEvent | int | str], balance_kopecks: int, language_code: str
) -> None:
    walker = Walk(balance_kopecks=balance_kopecks, language_code=language_code)
    for move in walk:
        walker.do(move)


@settings(deadline=None, max_examples=60)
@given(texts, st.lists(st.integers(0, 30), max_size=6), st.sampled_from(["ru", "en"]))
def test_any_prompt_that_fits_can_be_ordered_and_changed(
    prompt: str, changes: list[int], language_code: str
) -> None:
    walker = Walk(balance_kopecks=10**9, language_code=language_code)
    walker.do("make:nano-banana-pro")
    walker.do(TextSent(text=prompt))
    is_good = 1 <= len(prompt.strip()) <= 4000
    assert (walker.session.screen_id is ScreenId.CONFIRM) == is_good
    for change in changes:
        walker.do(change)
