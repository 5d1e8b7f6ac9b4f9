"""The moments of a job at which a process can be killed from outside, and what is left of it."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import msgspec
import trio
from attrs import frozen

from tests.process.instance import DEADLINE_S, Instance
from tests.process.loopback import WELCOME_KOPECKS, Loopback, confirm, fill_order, loopback
from trt.domain.ids import UserId
from trt.sandbox.faults import Call, CallHook
from trt.sandbox.telegram_chat import FakeMessage, Tap
from trt.sources import SystemSources
from trt.storage import books, ledger
from trt.storage.books import Audit
from trt.storage.database import Transaction
from trt.storage.sqlite import open_sqlite_inline

Kill = Callable[[], Awaitable[None]]
Arrange = Callable[[Loopback, Kill, Tap], None]


@frozen(kw_only=True)
class Ending:
    """What everybody has after the second instance has stopped."""

    killed_code: int
    exit_code: int
    photos: int
    tasks: int
    """Generations that KIE made and was paid for."""
    job_states: tuple[str, ...]
    resolutions: tuple[str, ...]
    """Of the held price: `post` is a charge, `void` a refund."""
    confirmation_id: int
    """The message whose button was pressed."""
    final_id: int
    """The message that told the end, after the restart."""
    texts_below: int
    """Messages of words that came under the confirmation."""
    unsent: int
    """Messages that still wait in the outbox."""
    price_kopecks: int
    spent_kopecks: int
    """Of the welcome balance."""
    audit: Audit


@frozen(kw_only=True)
class KillPoint:
    """Where the first instance is killed, and what the user must end with."""

    arrange: Arrange
    """Sets the trap for what the tap on the confirmation leads to; it goes off once."""
    is_delivered: bool | None = True
    """None: the process goes on beside the trap, so that the order may have left it or not; the
    result is owed exactly if KIE has it."""
    photos_max: int = 1
    submit_grace_s: int = 30


def at_confirmed(around: Loopback, kill: Kill, tap: Tap) -> None:
    """The tap is answered with 200: it is committed, and perhaps not yet looked at."""

    async def answered(response: httpx.Response) -> None:
        update = msgspec.json.decode(response.request.content)
        if update.get("update_id") == tap.update_id:
            around.on_answer = None
            await kill()

    around.on_answer = answered


def at_answer(around: Loopback, kill: Kill, tap: Tap) -> None:
    """The spinner of the tap is about to be stopped."""

    def is_meant(call: Call) -> bool:
        return call.arguments.get("callback_query_id") == tap.callback_id

    around.telegram.before_call = _trap(is_meant, kill)


def at_kie(endpoint: str, *, is_executed: bool = False) -> Arrange:
    """A call to KIE has arrived, and was executed or not; nobody is left to be answered."""

    def arrange(around: Loopback, kill: Kill, _: Tap) -> None:
        hook = _trap(lambda call: call.name == endpoint, kill)
        if is_executed:
            around.kie.after_call = hook
        else:
            around.kie.before_call = hook

    return arrange


def at_telegram(method: str, words: str = "", *, is_executed: bool = False) -> Arrange:
    """A call to Telegram whose text has these words has arrived, and was executed or not."""

    def arrange(around: Loopback, kill: Kill, _: Tap) -> None:
        def is_meant(call: Call) -> bool:
            return call.name == method and words in str(call.arguments.get("text", ""))

        hook = _trap(is_meant, kill)
        if is_executed:
            around.telegram.after_call = hook
        else:
            around.telegram.before_call = hook

    return arrange


def _trap(is_meant: Callable[[Call], bool], kill: Kill) -> CallHook:
    is_set = True

    async def hook(call: Call) -> None:
        nonlocal is_set
        if is_set and is_meant(call):
            is_set = False
            await kill()
            await trio.sleep_forever()  # whoever called is dead: there is nothing to go on with

    return hook


POINTS: Mapping[str, KillPoint] = {
    "the tap is committed": KillPoint(arrange=at_confirmed, is_delivered=None, submit_grace_s=10),
    "the tap is about to be answered": KillPoint(
        arrange=at_answer, is_delivered=None, submit_grace_s=10
    ),
    "createTask has not reached KIE": KillPoint(
        arrange=at_kie("createTask"), is_delivered=False, submit_grace_s=2
    ),
    "createTask was executed and not answered": KillPoint(
        arrange=at_kie("createTask", is_executed=True)
    ),
    "KIE's record is about to be read": KillPoint(arrange=at_kie("recordInfo")),
    "the result is about to be fetched": KillPoint(arrange=at_kie("results")),
    "the photo is about to be sent": KillPoint(arrange=at_telegram("sendPhoto")),
    "the photo was sent and not answered": KillPoint(
        # Telegram has no idempotency key for a send: a second photo is better than none.
        arrange=at_telegram("sendPhoto", is_executed=True),
        photos_max=2,
    ),
    "the charge is about to be told": KillPoint(arrange=at_telegram("editMessageText", "готово")),
}


async def live_through(point: KillPoint, folder: Path) -> Ending:
    """Order a picture, kill the process at `point`, start it again and wait for the end."""
    grace = {"SUBMIT_GRACE_S": str(point.submit_grace_s)}
    async with loopback(folder) as around:
        user = around.telegram.user()
        async with around.start(**grace) as first:
            await fill_order(user)
            killed = trio.Event()

            async def kill() -> None:
                await first.kill()
                killed.set()

            tap = confirm(user)
            point.arrange(around, kill, tap)
            with trio.fail_after(DEADLINE_S):
                await killed.wait()
        assert not any(map(_is_final, user.messages))
        async with around.start(**grace) as second:
            final = await user.wait_message(_is_final, DEADLINE_S)
            await second.wait_event("MESSAGE_SENT", kind="screen")
            exit_code = await second.stop()
        with open_sqlite_inline(around.database, now=SystemSources().now) as db:
            return await db.transact(_ending, around, tap, final, first, exit_code)


def _is_final(message: FakeMessage) -> bool:
    return "Списано" in message.text or "Вернули на баланс" in message.text


def _ending(
    tx: Transaction,
    around: Loopback,
    tap: Tap,
    final: FakeMessage,
    killed: Instance,
    exit_code: int,
) -> Ending:
    [user] = around.telegram.users
    jobs = list(tx.execute("SELECT state, price_kopecks FROM jobs"))
    resolutions = tx.execute("SELECT kind FROM transfers WHERE pending_id IS NOT NULL")
    [unsent] = tx.execute("SELECT count(*) FROM outbox WHERE state = 'pending'").one()
    available = ledger.balance(tx, UserId(user.user_id)).available_kopecks
    return Ending(
        killed_code=killed.process.returncode or 0,
        exit_code=exit_code,
        photos=sum(message.kind == "photo" for message in user.messages),
        tasks=len(around.kie.tasks),
        job_states=tuple(state for state, _ in jobs),
        resolutions=tuple(kind for (kind,) in resolutions),
        confirmation_id=tap.message_id,
        final_id=final.message_id,
        texts_below=sum(
            message.kind == "text" and message.message_id > tap.message_id
            for message in user.messages
        ),
        unsent=unsent,
        price_kopecks=sum(price for _, price in jobs),
        spent_kopecks=WELCOME_KOPECKS - available,
        audit=books.audit(tx),
    )
