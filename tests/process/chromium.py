"""A small driver of a headless Chromium: the DevTools protocol over a pipe, on trio."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import trio
from attrs import Factory, define

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# Chromium reads commands from descriptor 3 and writes to 4; its own chatter goes to stderr.
LAUNCH = 'exec "$0" "$@" 3<&0 4>&1 </dev/null >&2'
CALL_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 3.0


class ChromiumError(Exception):
    """The browser refused a command, the script threw, or the browser is gone."""


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, or `None`."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@asynccontextmanager
async def open_page(
    executable: str, *, width: int = 1280, height: int = 800
) -> AsyncIterator["Page"]:
    """Start a browser with a fresh profile and yield its empty page; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [executable, *SWITCHES, f"--user-data-dir={profile}", "about:blank"]
        # A session of its own, so that the browser's children can be ended with it and no others.
        process = await trio.lowlevel.open_process(
            ["/bin/sh", "-c", LAUNCH, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            async with trio.open_nursery() as nursery:
                wire = DevTools(process)
                nursery.start_soon(wire.listen)
                page = await Page.attach(wire)
                await page.resize(width, height)
                yield page
                nursery.cancel_scope.cancel()
        finally:
            await _end(process)  # noqa: ASYNC102 - it shields itself


async def _end(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        with trio.move_on_after(CLOSE_TIMEOUT_S):
            assert process.stdin is not None
            await process.stdin.aclose()  # a browser whose pipe is closed ends itself
            await process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        else:
            await process.wait()
        assert process.stdout is not None
        await process.stdout.aclose()


@define(eq=False)
class DevTools:
    """Commands, answers and events of one browser: JSON messages that end with a zero byte."""

    process: trio.Process
    errors: list[str] = Factory(list)
    """What went wrong inside pages: uncaught exceptions, console errors, refused resources."""

    _numbers: "count[int]" = Factory(lambda: count(1))
    _waiting: dict[int, trio.MemorySendChannel[dict[str, Any]]] = Factory(dict)

    async def listen(self) -> None:
        """Hand every answer to who waits for it, until the browser closes the pipe."""
        assert self.process.stdout is not None
        rest = b""
        async for chunk in self.process.stdout:
            *messages, rest = (rest + chunk).split(b"\0")
            for message in messages:
                self._take(json.loads(message))
        for waiting in self._waiting.values():
            waiting.close()

    def _take(self, message: dict[str, Any]) -> None:
        if (waiting := self._waiting.pop(message.get("id", 0), None)) is not None:
            waiting.send_nowait(message)
        match message:
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.errors.append(_exception_text(details))
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error"} as entry}}:
                self.errors.append(f"{entry['text']} {entry.get('url', '')}".strip())
            case {"method": "Runtime.consoleAPICalled", "params": {"type": "error"} as said}:
                words = (one.get("description") or str(one.get("value")) for one in said["args"])
                self.errors.append(" ".join(words))
            case _:
                pass  # the many other events tell nothing a test asks for

    async def call(
        self, method: str, session: str | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Send one command and return its result.

        Raises:
            ChromiumError: the browser refused it or closed the pipe.
            trio.TooSlowError: no answer within `CALL_TIMEOUT_S`.
        """
        number = next(self._numbers)
        put, take = trio.open_memory_channel[dict[str, Any]](1)
        self._waiting[number] = put
        command = {"id": number, "method": method, "params": arguments}
        if session is not None:
            command["sessionId"] = session
        assert self.process.stdin is not None
        with trio.fail_after(CALL_TIMEOUT_S):
            await self.process.stdin.send_all(json.dumps(command).encode() + b"\0")
            try:
                answer = await take.receive()
            except trio.EndOfChannel:
                raise ChromiumError(f"{method}: the browser is gone") from None
        if "error" in answer:
            raise ChromiumError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result


@define(eq=False)
class Page:
    """One tab."""

    _wire: DevTools
    _session: str

    @classmethod
    async def attach(cls, wire: DevTools) -> "Page":
        """Take over a new tab."""
        target = await wire.call("Target.createTarget", url="about:blank")
        attached = await wire.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = cls(wire, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log"):
            await page._call(f"{domain}.enable")
        return page

    @property
    def errors(self) -> list[str]:
        """What went wrong inside the page so far; empty in a healthy one."""
        return self._wire.errors

    async def goto(self, url: str) -> None:
        """Open `url` and wait until its scripts have run."""
        answer = await self._call("Page.navigate", url=url)
        if "errorText" in answer:
            raise ChromiumError(f"{url}: {answer['errorText']}")
        await self.wait_until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """Return the JSON-able value of a JavaScript expression; a promise is awaited."""
        answer = await self._call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            raise ChromiumError(_exception_text(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def wait_until(self, predicate: str, timeout_s: float = 10.0) -> None:
        """Wait until a JavaScript expression is truthy.

        Raises:
            ChromiumError: it was not within `timeout_s`; names the predicate and the page's errors.
        """
        look = (
            "new Promise((resolve) => {"
            f"const until = performance.now() + {timeout_s * 1000};"
            "const look = () => {"
            f"if ({predicate}) resolve(true);"
            "else if (performance.now() > until) resolve(false);"
            "else setTimeout(look, 25);"
            "};"
            "look();"
            "})"
        )
        with trio.fail_after(timeout_s + CALL_TIMEOUT_S):
            is_true = await self.evaluate(look)
        if not is_true:
            raise ChromiumError(f"not within {timeout_s} s: {predicate}; page errors {self.errors}")

    async def click(self, selector: str) -> None:
        """Wait for the element, bring it into view and click its middle with the mouse."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.wait_until(f"{found}?.checkVisibility()")
        x, y = await self.evaluate(
            f"(() => {{ const element = {found};"
            "element.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = element.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self._call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    async def type_text(self, selector: str, text: str) -> None:
        """Click the field and write `text` into it."""
        await self.click(selector)
        await self._call("Input.insertText", text=text)

    async def press_enter(self) -> None:
        """Press Enter where the focus is."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self._call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def resize(self, width: int, height: int, *, is_phone: bool = False) -> None:
        """Give the page a window of this size in CSS pixels."""
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )

    async def set_dark(self, is_dark: bool) -> None:
        """Pretend that the person prefers a dark or a light page."""
        value = "dark" if is_dark else "light"
        await self._call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": value}],
        )

    async def screenshot(self, path: Path) -> None:
        """Write what is visible as a PNG file."""
        shot = await self._call("Page.captureScreenshot", format="png")
        await trio.Path(path).write_bytes(base64.b64decode(shot["data"]))

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        return await self._wire.call(method, self._session, **arguments)


def _exception_text(details: dict[str, Any]) -> str:
    text: str = details.get("exception", {}).get("description") or details["text"]
    return text
