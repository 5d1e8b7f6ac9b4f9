"""What no step of the dialog says: short enough, and with the right escapes."""

import pytest

from trt.catalog.copy_loader import load_copies
from trt.domain import form_screens, screens

COPIES = load_copies()


@pytest.mark.parametrize("language", ["ru", "en"])
def test_notices_name_no_provider(language: str) -> None:
    copy = COPIES.of(language)
    for notice in (
        screens.passive_notice,
        screens.refused_notice,
        screens.crashed_notice,
        screens.too_busy_notice,
    ):
        assert "kie" not in notice(copy).text.lower()


@pytest.mark.parametrize("language", ["ru", "en"])
def test_toasts_are_short_enough(language: str) -> None:
    copy = COPIES.of(language)
    toasts = [
        f(copy) for f in (screens.passive_toast, screens.refused_toast, screens.too_busy_toast)
    ]
    assert all(1 <= len(toast) <= 200 for toast in [*toasts, screens.crashed_toast(copy)])


@pytest.mark.parametrize(
    ("text", "kept"),
    [("abcd", "abcd"), ("abcde", "abc…"), ("🦊🦊", "🦊🦊"), ("🦊🦊🦊", "🦊…")],
)
def test_an_excerpt_counts_as_telegram_counts(text: str, kept: str) -> None:
    assert form_screens.excerpt(text, 4) == kept
