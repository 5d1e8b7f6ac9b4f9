"""`trt ops credit|debit|refund`: their arguments, and what they print."""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial

import trio

from trt.catalog.copy_loader import load_copies
from trt.domain.admin_orders import KOPECKS_MAX, kopecks_of
from trt.domain.ids import Cid, UserId
from trt.ops.database_door import open_door
from trt.ops.money import Deed, Refused, Told, adjust, refund
from trt.ops.operator_name import operator_name
from trt.ops.output import complain
from trt.ops.schema_state import require_readable
from trt.ops.settings import Settings
from trt.sources import SystemSources
from trt.storage.admin_actions import ActionKind
from trt.storage.database import Transaction
from trt.storage.engines import DatabaseAddress
from trt.storage.errors import LedgerMismatch

EXIT_OK = 0
EXIT_REFUSED = 1
TEXT_MAX = 300
USER_MAX = 2**52 - 1
"""Bot API, User.id: at most 52 significant bits."""
SHOWN_MAX = 40
"""Characters of what was typed that an answer repeats."""

Work = Callable[[Transaction], Told | Refused]


def add_money_commands(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add `credit`, `debit` and `refund` to the commands of `trt ops`."""
    for kind, told in ((ActionKind.CREDIT, "give a user money"), (ActionKind.DEBIT, "take it")):
        one = kinds.add_parser(kind, help=told)
        one.add_argument("user", type=_user, help="Telegram's number of the user")
        one.add_argument("rubles", type=_kopecks, help="such as 100 or 99.50")
        _add_why(one)
        one.set_defaults(command=partial(_adjust, settings, kind))
    back = kinds.add_parser(ActionKind.REFUND, help="give a payment in Stars back, all of it")
    back.add_argument("charge", type=_text, help="its charge id, from `/payments USER` in the chat")
    _add_why(back)
    back.set_defaults(command=partial(_refund, settings))


def _add_why(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, type=_text, help="why; it is kept for ever")
    parser.add_argument("--id", type=_text, help="the same id a second time does nothing")


def _adjust(
    settings: Settings,
    kind: ActionKind,
    chosen: argparse.Namespace,
    environment: Mapping[str, str],
) -> int:
    deed, copies, now = _deed(kind, chosen), load_copies(), SystemSources().now()

    def work(tx: Transaction) -> Told | Refused:
        return adjust(tx, deed, chosen.user, chosen.rubles, copies, now)

    return trio.run(_carry_out, settings.database(environment), deed, work)


def _refund(settings: Settings, chosen: argparse.Namespace, environment: Mapping[str, str]) -> int:
    deed, copies, now = _deed(ActionKind.REFUND, chosen), load_copies(), SystemSources().now()

    def work(tx: Transaction) -> Told | Refused:
        return refund(tx, deed, chosen.charge, copies, now)

    return trio.run(_carry_out, settings.database(environment), deed, work)


async def _carry_out(address: DatabaseAddress, deed: Deed, work: Work) -> int:
    async with open_door(address, now=SystemSources().now) as door:
        await require_readable(door)
        try:
            outcome = await door.db.transact(work)
        except LedgerMismatch:
            complain(f"--id {deed.action_id} stood for another deed before. Nothing was done.")
            return EXIT_REFUSED
    if isinstance(outcome, Refused):
        complain(f"Nothing was done: {outcome.words}.")
        return EXIT_REFUSED
    sys.stdout.write(f"{outcome.words}\n(--id {deed.action_id}, cid {deed.cid})\n")
    return EXIT_OK


def _deed(kind: ActionKind, chosen: argparse.Namespace) -> Deed:
    sources = SystemSources()
    return Deed(
        kind=kind,
        action_id=chosen.id or f"ops:{sources.token(16)}",
        by=operator_name(),
        because=chosen.reason,
        cid=Cid(sources.token(8)),
    )


def _user(raw: str) -> UserId:
    if not raw.isdecimal() or not 1 <= int(raw) <= USER_MAX:
        raise argparse.ArgumentTypeError(
            f"{raw[:SHOWN_MAX]!r}; the number that Telegram gave the user is needed, "
            f"1 to {USER_MAX}, as /paysupport shows it to them"
        )
    return UserId(int(raw))


def _kopecks(raw: str) -> int:
    kopecks = kopecks_of(raw)
    if kopecks is None:
        raise argparse.ArgumentTypeError(
            f"{raw[:SHOWN_MAX]!r}; 0.01 to {KOPECKS_MAX // 100} rubles are needed, with at "
            "most two decimals, such as 99.50"
        )
    return kopecks


def _text(raw: str) -> str:
    text = raw.strip()
    if not 1 <= len(text) <= TEXT_MAX:
        raise argparse.ArgumentTypeError(
            f"{raw[:SHOWN_MAX]!r} has {len(text)} characters; 1 to {TEXT_MAX} are needed: "
            "shorten it, or say something"
        )
    return text
