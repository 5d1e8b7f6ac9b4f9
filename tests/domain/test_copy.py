"""Words agree with their numbers, and foreign words cannot become markup."""

import pytest

from trt.domain.copy import Copies, Copy, language_of

UNITS = {
    "unit.money": "{amount} R",
    "unit.seconds.one": "{count} s1",
    "unit.seconds.few": "{count} s2",
    "unit.seconds.many": "{count} s5",
    "unit.minutes.one": "{count} m1",
    "unit.minutes.few": "{count} m2",
    "unit.minutes.many": "{count} m5",
    "hello": "<b>{name}</b>",
}
RU = Copy("ru", UNITS)
EN = Copy("en", UNITS)


def test_values_are_escaped_and_the_catalogue_is_not() -> None:
    assert RU.text("hello", name='<i>&"') == "<b>&lt;i&gt;&amp;&quot;</b>"
    assert RU.text("hello", name="{name}") == "<b>{name}</b>"


def test_a_toast_is_not_escaped_because_nobody_unescapes_it() -> None:
    assert RU.plain("hello", name="a & b") == "<b>a & b</b>"


def test_a_missing_text_is_a_bug() -> None:
    with pytest.raises(KeyError):
        RU.text("no.such")
    with pytest.raises(KeyError):
        RU.text("hello")


@pytest.mark.parametrize(
    ("count", "form"),
    [
        *[(count, "1") for count in (1, 21, 121)],
        *[(count, "2") for count in (2, 4, 22)],
        *[(count, "5") for count in (0, 5, 11, 12, 14, 25, 111)],
    ],
)
def test_russian_numbers_govern_three_forms(count: int, form: str) -> None:
    assert RU.plural("unit.seconds", count) == f"{count} s{form}"


@pytest.mark.parametrize(("count", "form"), [(0, "5"), (1, "1"), (2, "5"), (21, "5")])
def test_english_numbers_govern_two(count: int, form: str) -> None:
    assert EN.plural("unit.seconds", count) == f"{count} s{form}"


@pytest.mark.parametrize(
    ("kopecks", "ru", "en"),
    [
        (1404, "14,04 R", "14.04 R"),
        (0, "0 R", "0 R"),
        (5, "0,05 R", "0.05 R"),
        (20000, "200 R", "200 R"),
        (123456789, "1\u00a0234\u00a0567,89 R", "1,234,567.89 R"),
        (-150, "\u22121,50 R", "\u22121.50 R"),
    ],
)
def test_money_is_written_as_the_language_writes_it(kopecks: int, ru: str, en: str) -> None:
    assert RU.money(kopecks) == ru
    assert EN.money(kopecks) == en


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "1 s1"), (15, "15 s5"), (90, "90 s5"), (91, "2 m2"), (180, "3 m2")]
)
def test_long_times_are_told_in_minutes(seconds: float, said: str) -> None:
    assert RU.duration(seconds) == said


def test_an_unknown_language_is_answered_in_russian() -> None:
    copies = Copies({"ru": RU, "en": EN})
    assert copies.of("de") is RU
    assert copies.of("en") is EN
    assert RU.pick({"ru": "да"}) == EN.pick({"ru": "да"}) == "да"
    assert EN.pick({"ru": "да", "en": "yes"}) == "yes"


@pytest.mark.parametrize(
    ("code", "language"),
    [("en", "en"), ("en-GB", "en"), ("EN", "en"), ("ru", "ru"), ("", "ru"), ("enm", "ru")],
)
def test_the_first_words_are_in_the_profile_language(code: str, language: str) -> None:
    assert language_of(code) == language
