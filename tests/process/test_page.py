"""The sandbox page in a real browser: what a person sees and does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from tests.process.chromium import ChromiumError, Page, find_chromium, open_page
from tests.sandbox.fake_chat import FakeChat, FakeWire
from trt.sandbox.page_server import page_server
from trt.web.listener import bind, serve_on

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

TREE = {
    "name": "trt",
    "path": "trt",
    "kind": "supervisor",
    "state": "running",
    "restarts": 0,
    "children": [
        {
            "name": "delivery",
            "kind": "actor",
            "state": "backing_off",
            "backoff_s": 1.5,
            "restarts": 2,
            "mailbox": {"depth": 3, "capacity": 4, "oldest_age_s": 2.0},
        }
    ],
    "channels": [
        {
            "name": "ingress",
            "capacity": 8,
            "depth": 0,
            "peak": 2,
            "sent": 5,
            "received": 5,
            "refused": 1,
            "oldest_age_s": 0.0,
        }
    ],
}

# Lines of a message: what the bot sends, and what the browser must make of it.
RICH_TEXT = [
    ("<b>a</b> <strong>b</strong>", "<b>a</b> <b>b</b>"),
    ("<i>a</i><em>b</em><u>c</u><ins>d</ins>", "<i>a</i><i>b</i><u>c</u><u>d</u>"),
    ("<s>a</s><strike>b</strike><del>c</del>", "<s>a</s><s>b</s><s>c</s>"),
    ("<code>a&lt;b</code><pre>c</pre>", "<code>a&lt;b</code><pre>c</pre>"),
    ("<blockquote expandable>a</blockquote>", "<blockquote>a</blockquote>"),
    ("<b><i>a</i>b</b>", "<b><i>a</i>b</b>"),
    ("&amp;lt; &quot;&#39;&#x27; &copy;", "&amp;lt; \"'' &amp;copy;"),
    ("<script>window.broken = 1</script>", "&lt;script&gt;window.broken = 1&lt;/script&gt;"),
    ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
    ('<b onclick="alert(1)" style="x">a</b>', "<b>a</b>"),
    ('<a href="javascript:alert(1)">a</a>', '&lt;a href="javascript:alert(1)"&gt;a&lt;/a&gt;'),
    ('<a href=" &#106;avascript:x">a</a>', '&lt;a href=" javascript:x"&gt;a&lt;/a&gt;'),
    (
        '<a href="https://a.b/?x=1&amp;y=2">a</a>',
        '<a href="https://a.b/?x=1&amp;y=2" target="_blank" rel="noopener noreferrer">a</a>',
    ),
    ("1 < 2 > 0 </b>", "1 &lt; 2 &gt; 0 &lt;/b&gt;"),
    ("<b>never closed", "<b>never closed</b>"),
]


# The button spins before the server has heard of the tap; this counts what it has answered.
TAPS_SENT = (
    "performance.getEntriesByType('resource')"
    ".filter((entry) => entry.name.endsWith('/api/tap')).length"
)


@asynccontextmanager
async def open_sandbox(chat: FakeChat, wire: FakeWire) -> AsyncIterator[Page]:
    stop = trio.Event()
    assert CHROMIUM is not None
    with trio.fail_after(60), bind("127.0.0.1", 0) as bound:
        async with trio.open_nursery() as nursery:
            app: Any = page_server(chat, wire, lambda: TREE)
            nursery.start_soon(serve_on, bound, app, stop.wait)
            address = f"http://127.0.0.1:{bound.getsockname()[1]}"
            async with open_page(CHROMIUM) as page:
                await page.goto(address)
                await page.wait_until("document.querySelector('#link').textContent == 'на связи'")
                await page.wait_until("document.querySelector('#people button')")
                yield page
                assert page.errors == []
            stop.set()


async def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = await page.evaluate(
        f"[...document.querySelectorAll({selector!r})].map((node) => node.textContent)"
    )
    return found


async def test_a_person_chats_with_the_bot() -> None:
    chat = FakeChat()
    async with open_sandbox(chat, FakeWire()) as page:
        await page.click("#start")
        await page.wait_until("document.querySelector('.from-person')")
        menu = chat.put(html="Выберите", buttons=["cat:image", "balance"])
        await page.click('button[data-tap="balance"]')
        await page.wait_until("document.querySelector('[data-tap=balance][aria-busy]')")
        await page.wait_until(f"{TAPS_SENT} == 1")
        chat.answer(chat.taps[0], "100,00 ₽")
        await page.wait_until("!document.querySelector('[aria-busy]')")
        await page.wait_until("document.querySelector('.toast.shown')?.textContent == '100,00 ₽'")
        await page.click('button[data-tap="cat:image"]')
        await page.wait_until("document.querySelector('[data-tap=\"cat:image\"][aria-busy]')")
        await page.wait_until(f"{TAPS_SENT} == 2")
        chat.answer(chat.taps[1], "Нельзя", is_alert=True)
        await page.wait_until("document.querySelector('#alert').open")
        await page.click("#alert button")
        chat.edit(menu, "Теперь другое")
        await page.wait_until("document.querySelector('.flash .edited')?.textContent == 'изменено'")
        await page.type_text("#text", "  <b>кот</b> & пёс ")
        await page.press_enter()
        await page.wait_until("document.querySelectorAll('.from-person').length == 2")
        said = await texts(page, ".words")
    assert said == ["/start", "Теперь другое", "<b>кот</b> & пёс"]
    assert chat.messages(1)[-1].html == "&lt;b&gt;кот&lt;/b&gt; &amp; пёс"


async def test_only_telegrams_own_tags_become_elements() -> None:
    chat = FakeChat()
    for source, _ in RICH_TEXT:
        chat.put(html=source)
    async with open_sandbox(chat, FakeWire()) as page:
        await page.wait_until(f"document.querySelectorAll('.words').length == {len(RICH_TEXT)}")
        shown = await page.evaluate(
            "[...document.querySelectorAll('.words')].map((node) => node.innerHTML)"
        )
        assert await page.evaluate("window.broken ?? null") is None
    assert shown == [expected for _, expected in RICH_TEXT]


async def test_people_have_chats_of_their_own_and_a_mark_for_what_is_new() -> None:
    chat = FakeChat()
    chat.put(html="для Анны")
    async with open_sandbox(chat, FakeWire()) as page:
        await page.wait_until("document.querySelectorAll('.words').length == 1")
        chat.put(2, html="for Kate")
        await page.click("#people .unread")
        await page.wait_until("document.querySelector('.words').textContent == 'for Kate'")
        assert await texts(page, ".words") == ["for Kate"]
        await page.wait_until("!document.querySelector('.unread')")


async def test_photos_are_shown_inline() -> None:
    chat = FakeChat()
    chat.put(html="Готово", file_id="pic")
    async with open_sandbox(chat, FakeWire()) as page:
        await page.wait_until("document.querySelector('.photo img')?.naturalWidth == 1")


async def test_the_tree_and_the_wire_are_live() -> None:
    wire = FakeWire()
    wire.put("getMe")
    async with open_sandbox(FakeChat(), wire) as page:
        await page.wait_until("document.querySelectorAll('#tree .name').length == 2")
        assert (await texts(page, "#tree .state"))[
            1
        ] == "ждёт перезапуска 1,5 \N{CYRILLIC SMALL LETTER ES}"
        assert await texts(page, "#channels .name") == ["ingress"]
        wire.put("sendMessage", status=429)
        await page.wait_until("document.querySelectorAll('#entries .method').length == 2")
        assert await texts(page, "#entries .method span") == ["sendMessage", "getMe"]
        await page.click("#pause")
        wire.put("editMessageText")
        await page.wait_until("document.querySelector('#pause').textContent == 'Дальше (1)'")
        assert await texts(page, "#entries .method span") == ["sendMessage", "getMe"]
        await page.click("#pause")
        await page.wait_until("document.querySelectorAll('#entries .method').length == 3")
        await page.type_text("#filter", "429")
        await page.wait_until("document.querySelectorAll('#entries .method').length == 1")


async def test_a_phone_shows_one_pane_at_a_time() -> None:
    async with open_sandbox(FakeChat(), FakeWire()) as page:
        await page.resize(390, 844, is_phone=True)
        for tab in ("system", "wire", "chat"):
            await page.click(f".tabs [data-tab={tab}]")
            visible = await page.evaluate(
                "[...document.querySelectorAll('.pane')]"
                ".filter((pane) => pane.checkVisibility()).map((pane) => pane.id)"
            )
            assert visible == [tab]
            assert await page.evaluate("document.documentElement.scrollWidth") == 390


async def test_the_driver_says_what_is_wrong_in_a_page() -> None:
    assert CHROMIUM is not None
    with trio.fail_after(60):
        async with open_page(CHROMIUM) as page:
            with pytest.raises(ChromiumError, match="nonsense"):
                await page.evaluate("nonsense.field")
            with pytest.raises(ChromiumError, match=r"not within 0\.1 s: false"):
                await page.wait_until("false", timeout_s=0.1)
            await page.evaluate("setTimeout(() => { throw new Error('kaputt') })")
            await page.wait_until("true")
            await page.evaluate("new Promise((done) => setTimeout(done, 20))")
            assert "kaputt" in page.errors[0]
