"""The screens around an order: menu, shelves, balance, help, languages."""

from collections.abc import Mapping
from typing import Final

from trt.domain import callback_data as tap
from trt.domain.copy import Copies, Copy
from trt.domain.model_card import Catalogue, Category
from trt.domain.replies import Button, Keyboard, Screen, ScreenId

CATEGORY_KEYS: Final[Mapping[Category, str]] = {
    Category.IMAGE: "category.image",
    Category.VIDEO: "category.video",
    Category.AUDIO: "category.audio",
    Category.ENHANCE: "category.enhance",
}

COMMAND_KEYS: Final[Mapping[str, str]] = {
    "menu": "commands.menu",
    "jobs": "commands.jobs",
    "balance": "commands.balance",
    "topup": "commands.topup",
    "help": "commands.help",
    "language": "commands.language",
    "cancel": "commands.cancel",
    "paysupport": "commands.paysupport",
    "terms": "commands.terms",
    "privacy": "commands.privacy",
}
"""What Telegram offers while a command is being typed; /start it offers by itself."""


def commands(copy: Copy) -> Mapping[str, str]:
    """Return the commands of the menu, name → description (1 to 256 characters)."""
    return {name: copy.plain(key) for name, key in COMMAND_KEYS.items()}


def button(text: str, data: tap.Tap) -> Button:
    """Return a button that means `data`."""
    return Button(text=text, data=tap.dump(data))


def home_row(copy: Copy, *, is_new: bool = False) -> tuple[Button, ...]:
    """Return the row that leads home; `is_new` keeps the message under which it stands."""
    return (button(copy.plain("button.menu"), tap.MainMenu(is_new=is_new)),)


def menu_keyboard(catalogue: Catalogue, copy: Copy) -> Keyboard:
    """Return the main menu's buttons; a shelf without models has none."""
    shelves = [c for c in Category if catalogue.shelf(c)]
    rows = [shelves[at : at + 2] for at in range(0, len(shelves), 2)]
    return (
        *(
            tuple(button(copy.plain(CATEGORY_KEYS[c]), tap.OpenCategory(c)) for c in row)
            for row in rows
        ),
        (
            button(copy.plain("button.jobs"), tap.OpenJobs()),
            button(copy.plain("button.balance"), tap.OpenBalance()),
        ),
        (
            button(copy.plain("button.help"), tap.OpenHelp()),
            button(copy.plain("button.language"), tap.OpenLanguages()),
        ),
    )


def main_menu(catalogue: Catalogue, copy: Copy, *lead: str) -> Screen:
    """Return the main menu, with paragraphs of HTML above its question."""
    return Screen(
        screen_id=ScreenId.MAIN_MENU,
        text="\n\n".join([*lead, copy.text("menu.question")]),
        keyboard=menu_keyboard(catalogue, copy),
    )


def category(catalogue: Catalogue, copy: Copy, shelf: Category) -> Screen:
    """Return the models of a shelf, each with the price that it starts from."""
    cards = catalogue.shelf(shelf)
    models = tuple(
        (
            button(
                copy.plain(
                    "category.model",
                    title=card.title,
                    price=copy.money(card.price_kopecks_min),
                ),
                tap.OpenModel(card.model_id),
            ),
        )
        for card in cards
    )
    title = copy.text("category.title", category=copy.plain(CATEGORY_KEYS[shelf]))
    body = copy.text("category.question") if cards else copy.text("category.empty")
    return Screen(
        screen_id=ScreenId.CATEGORY_PICK,
        text=f"{title}\n\n{body}",
        keyboard=(*models, (button(copy.plain("button.back"), tap.MainMenu()),)),
    )


def help_page(copy: Copy) -> Screen:
    """Return how it works."""
    return Screen(screen_id=ScreenId.HELP, text=copy.text("help.text"), keyboard=(home_row(copy),))


def languages(copies: Copies, copy: Copy) -> Screen:
    """Return the choice of languages, each named in itself."""
    spoken = tuple(
        button(each.plain("language.name"), tap.PickLanguage(language))
        for language, each in copies.by_language.items()
    )
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=copy.text("language.question"),
        keyboard=(spoken, home_row(copy)),
    )
