"""The bot's words: a text by key, with escaping, plurals, money and durations of its language."""

from collections.abc import Mapping
from html import escape
from typing import Final

from attrs import frozen

from trt.domain.model_card import Localised

LANGUAGE_DEFAULT: Final = "ru"
_NBSP: Final = "\u00a0"
_TEEN_TENS: Final = range(11, 15)
_FEW: Final = range(2, 5)


def language_of(language_code: str) -> str:
    """Return the language to greet somebody in, from the IETF tag of a Telegram profile."""
    return "en" if language_code.lower().split("-")[0] == "en" else LANGUAGE_DEFAULT


@frozen
class Copy:
    """Every text of one language."""

    language: str
    texts: Mapping[str, str]
    """By dotted key; `{name}` are the values; plurals are `<key>.one`, `.few` (ru), `.many`."""

    def text(self, key: str, **values: str | int) -> str:
        """Return a piece of Telegram HTML; every value is escaped, the catalogue's markup is not.

        Raises:
            KeyError: There is no such text, or it needs a value that was not given.
        """
        return self.texts[key].format_map({k: escape(str(v)) for k, v in values.items()})

    def plain(self, key: str, **values: str | int) -> str:
        """Return a text for where Telegram reads no markup: toasts and buttons.

        Raises:
            KeyError: There is no such text, or it needs a value that was not given.
        """
        return self.texts[key].format_map(values)

    def plural(self, key: str, count: int) -> str:
        """Return the form of a text that agrees with `count`, which it names as `{count}`."""
        return self.texts[f"{key}.{self._plural_form(count)}"].format(count=count)

    def pick(self, localised: Localised) -> str:
        """Return a model card's text in this language, or in Russian where it has no other."""
        return localised.get(self.language, localised[LANGUAGE_DEFAULT])

    def money(self, kopecks: int) -> str:
        """Return an amount the way this language writes it; whole rubles without kopecks."""
        rubles, rest = divmod(abs(kopecks), 100)
        thousands, point = (_NBSP, ",") if self.language == "ru" else (",", ".")
        amount = f"{rubles:,}".replace(",", thousands) + (f"{point}{rest:02}" if rest else "")
        sign = "\u2212" if kopecks < 0 else ""
        return sign + self.plain("unit.money", amount=amount)

    def duration(self, seconds: float) -> str:
        """Return a rounded time: seconds up to a minute and a half, minutes above."""
        if seconds <= 90:  # noqa: PLR2004 - where people start to think in minutes
            return self.plural("unit.seconds", max(1, round(seconds)))
        return self.plural("unit.minutes", round(seconds / 60))

    def _plural_form(self, count: int) -> str:
        """Say which form a number takes (Unicode CLDR, cardinal rules for whole numbers)."""
        if self.language != "ru":
            return "one" if count == 1 else "many"
        if count % 100 in _TEEN_TENS:
            return "many"
        if count % 10 == 1:
            return "one"
        return "few" if count % 10 in _FEW else "many"


@frozen
class Copies:
    """The texts of every language."""

    by_language: Mapping[str, Copy]

    def of(self, language: str) -> Copy:
        """Return the texts of a language, or the Russian ones if it is not spoken here."""
        return self.by_language.get(language, self.by_language[LANGUAGE_DEFAULT])
