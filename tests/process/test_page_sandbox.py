"""A person at the sandbox page: from the menu to a picture that is paid for, with the mouse."""

from pathlib import Path

import pytest

from tests.process.chromium import Page, find_chromium, open_page
from tests.process.instance import CHECKOUT, DEADLINE_S
from tests.process.sandbox import open_sandbox

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

ARTIFACTS = CHECKOUT / "artifacts"
LIST = "document.querySelector('#messages')"
ANIMATIONS_END = (
    "Promise.allSettled(document.getAnimations()"
    ".filter((each) => each.effect.getTiming().iterations !== Infinity)"
    ".map((each) => each.finished)).then(() => true)"
)
PROMPT = "рыжая лиса в осеннем лесу на рассвете"


async def test_a_person_clicks_their_way_to_a_picture(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    ARTIFACTS.mkdir(exist_ok=True)
    async with open_sandbox(tmp_path) as sandbox, open_page(CHROMIUM, width=1440) as page:
        await page.goto(sandbox.url)
        await order(page)
        assert await page.evaluate("document.documentElement.lang") == "ru"
        assert await page.evaluate("document.title") == "Песочница TRT"
        status = await last_words(page, "Списано")
        assert "готово" in status
        assert status.endswith("Списано 0,63 ₽.")
        await page.evaluate(ANIMATIONS_END)
        below_px = await page.evaluate(
            f"{LIST}.scrollHeight - {LIST}.scrollTop - {LIST}.clientHeight"
        )
        assert below_px < 2, "the picture and its buttons have to stay in view"
        await the_machinery_is_shown(page)
        await page.screenshot(ARTIFACTS / "sandbox.png")
        await page.set_dark(is_dark=True)
        await page.evaluate(ANIMATIONS_END)
        await page.screenshot(ARTIFACTS / "sandbox_dark.png")
        await page.resize(390, 844, is_phone=True)
        await page.screenshot(ARTIFACTS / "sandbox_phone.png")
        assert page.errors == []


async def order(page: Page) -> None:
    """Order a picture in the format 16:9 and wait for it."""
    await press(page, "🎨 Картинки")
    await press(page, "Z-Image")
    await press(page, "🚀 Создать")
    await page.wait_until(says("Пришлите текст"), DEADLINE_S)
    await page.type_text("#text", PROMPT)
    await page.press_enter()
    await press(page, "16:9")
    await page.wait_until(says("Проверьте заказ"), DEADLINE_S)
    assert PROMPT in await last_words(page, "Проверьте заказ")
    await press(page, "✅ Запустить")
    await page.evaluate(f"{LIST}.scrollTop = {LIST}.scrollHeight")
    await page.wait_until("document.querySelector('.photo img')?.naturalWidth > 0", DEADLINE_S)
    width, height = await page.evaluate(
        "(() => { const image = document.querySelector('.photo img');"
        " return [image.naturalWidth, image.naturalHeight]; })()"
    )
    assert width > height, "it was ordered in 16:9"
    await page.wait_until(says("Списано"), DEADLINE_S)


async def the_machinery_is_shown(page: Page) -> None:
    """The panels beside the chat show the live tree and what went over the wires."""
    await page.wait_until("document.querySelectorAll('#tree .name').length > 10", DEADLINE_S)
    actors = await page.evaluate("document.querySelector('#tree').textContent")
    for name in ("update_ingress", "delivery", "sessions"):
        assert name in actors
    assert "ingress" in await page.evaluate("document.querySelector('#channels').textContent")
    wire = await page.evaluate("document.querySelector('#entries').textContent")
    for name in ("createTask", "recordInfo", "sendPhoto", "callback_query"):
        assert name in wire
    assert PROMPT not in wire


def says(words: str) -> str:
    """Return the JavaScript that tells whether some message of the chat has these words."""
    return f"document.querySelector('#messages').textContent.includes({words!r})"


async def last_words(page: Page, words: str) -> str:
    """Return the newest message that has these words."""
    text: str = await page.evaluate(
        "[...document.querySelectorAll('.words')].map((node) => node.textContent)"
        f".filter((text) => text.includes({words!r})).pop()"
    )
    return text


async def press(page: Page, label: str) -> None:
    """Press the newest button of the chat whose label contains `label`."""
    find = (
        "[...document.querySelectorAll('button[data-tap]')]"
        f".filter((button) => button.textContent.includes({label!r})).pop()"
    )
    await page.wait_until(f"{find} !== undefined", DEADLINE_S)
    await page.evaluate(f"{find}.setAttribute('data-pressed', 'next')")
    await page.click("button[data-pressed=next]")
