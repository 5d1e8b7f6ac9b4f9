"""The catalogues of words: complete, equal in both languages, used, and short enough."""

import ast
import re
import string
from html import unescape
from pathlib import Path

import pytest

from trt.catalog.copy_loader import load_copies

ROOT = Path(__file__).parents[2] / "trt"
COPIES = load_copies().by_language
RU, EN = COPIES["ru"].texts, COPIES["en"].texts
PLURALS = {".one", ".few", ".many"}


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def literals() -> dict[str, str]:
    """Return every string constant of the code with the file that it stands in."""
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] = str(file.relative_to(ROOT))
    return found


def asked() -> set[str]:
    """Return the keys that the code asks for by name, plurals without their form."""
    keys = set()
    for file in sorted((ROOT / "domain").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="text" | "plain" | "plural"),
                    args=[ast.Constant(value=str(key)), *_],
                ):
                    keys.add(key)
                case _:
                    pass
    return keys


def stem(key: str) -> str:
    head, dot, last = key.rpartition(".")
    return head if dot + last in PLURALS else key


def test_both_languages_have_the_same_keys_and_placeholders() -> None:
    assert {k for k in RU if not k.endswith(".few")} == set(EN)
    for key, text in EN.items():
        assert names(text) == names(RU[key]), key


def test_plurals_have_every_form_of_their_language() -> None:
    for key in RU:
        if key.endswith(".one"):
            assert {stem(key) + form for form in PLURALS} <= set(RU)


def test_every_key_asked_for_exists() -> None:
    keys = asked()
    assert len(keys) > 50
    assert keys - {stem(key) for key in RU} == set()


def test_every_key_is_used() -> None:
    written = literals()
    assert {stem(key) for key in RU} - set(written) == set()


def test_the_code_speaks_no_russian() -> None:
    """The pretended users of the sandbox may have Russian names."""
    cyrillic = re.compile(r"[\u0400-\u04ff]")
    spoken = {text: file for text, file in literals().items() if cyrillic.search(text)}
    assert [text for text, file in spoken.items() if not file.startswith("sandbox/")] == []


@pytest.mark.parametrize("language", ["ru", "en"])
def test_texts_fit_their_place(language: str) -> None:
    for key, text in COPIES[language].texts.items():
        limit = {"toast": 170, "button": 30}.get(key.split(".", maxsplit=1)[0], 1000)
        assert 1 <= len(text) <= limit, key


@pytest.mark.parametrize("language", ["ru", "en"])
def test_plain_texts_have_no_markup_and_html_is_well_formed(language: str) -> None:
    for key, text in COPIES[language].texts.items():
        if key.startswith(("toast.", "button.", "choice.")):
            assert "<" not in text, key
            assert unescape(text) == text, key
        tags = re.findall(r"<(/?)(\w+)>", text)
        assert len(tags) == text.count("<") == text.count(">"), key
        assert re.sub(r"<(b|i|code)>[^<]*</\1>", "", text).count("<") == 0, key


def test_the_fixed_words_are_there() -> None:
    assert RU["button.confirm"] == "✅ Запустить"
    assert RU["toast.outdated"] == "Кнопка устарела"
    assert "Проверьте заказ" in RU["confirm.title"]
    assert RU["category.image"] == "🎨 Картинки"
    assert RU["category.video"] == "🎬 Видео"
    assert RU["button.cancel"] == "❌ Отмена"
    assert RU["button.repeat"] == "🔁 Повторить"
    assert RU["button.back"] == "◀️ Назад"


def test_nobody_reads_the_providers_name() -> None:
    assert not [key for copy in (RU, EN) for key, text in copy.items() if "kie" in text.lower()]


def test_a_folder_without_russian_is_refused(tmp_path: Path) -> None:
    (tmp_path / "en.toml").write_text('[a]\nb = "c"\n')
    with pytest.raises(ValueError, match=r"ru\.toml"):
        load_copies(tmp_path)


def test_a_value_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ru.toml").write_text("[a]\nb = 1\n")
    with pytest.raises(ValueError, match=r"a\.b"):
        load_copies(tmp_path)
