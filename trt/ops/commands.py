"""`trt doctor` and `trt ops lock|trace`: their arguments, and what they print."""

import argparse
import re
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

import trio

from trt.domain.ids import Cid, UserId
from trt.ops.database_door import open_door
from trt.ops.doctor import examine_database, examine_settings, examine_webhook
from trt.ops.findings_page import findings_page, is_well
from trt.ops.lock_commands import add_lock_command
from trt.ops.money_commands import add_money_commands
from trt.ops.output import answer, complain
from trt.ops.schema_state import require_readable
from trt.ops.settings import Settings
from trt.ops.story import Story, story_of
from trt.ops.story_page import story_page, taps_page
from trt.ops.story_rows import traces_of
from trt.ops.taps import Tap, taps_of_user
from trt.sources import SystemSources
from trt.storage.engines import DatabaseAddress
from trt.telemetry.redaction import Redactor

EXIT_OK = 0
EXIT_NOT_WELL = 1
EXIT_NOT_FOUND = 1
LAST_DAYS_MAX = 365

_LAST = {"m": "minutes", "h": "hours", "d": "days"}


def add_ops_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add `doctor` and `ops` to the commands of `trt`; each sets `command`, as the others do."""
    doctor = commands.add_parser("doctor", help="say what is wrong, and how to mend it")
    doctor.add_argument("--online", action="store_true", help="ask Telegram as well")
    doctor.add_argument("--json", action="store_true", help="print it for machines")
    doctor.set_defaults(command=partial(_doctor, settings))

    ops = commands.add_parser("ops", help="look into a running installation")
    kinds = ops.add_subparsers(required=True, metavar="WHAT")
    add_lock_command(kinds, settings)
    add_money_commands(kinds, settings)

    trace = kinds.add_parser("trace", help="the story of one tap, or the taps of one user")
    whose = trace.add_mutually_exclusive_group(required=True)
    whose.add_argument("cid", nargs="?", type=_cid, help="of the tap: eight hex characters")
    whose.add_argument("--user", type=_user, help="Telegram's number of a user")
    trace.add_argument("--last", type=_last, default="24h", help="with --user: 90m, 24h, 7d")
    trace.add_argument("--json", action="store_true", help="print it for machines")
    trace.set_defaults(command=partial(_trace, settings))


def _doctor(settings: Settings, chosen: argparse.Namespace, environment: Mapping[str, str]) -> int:
    patient, now = settings.patient(environment), SystemSources().now
    found = [
        *examine_settings(patient),
        *trio.run(partial(examine_database, patient, now=now)),
        *(examine_webhook(patient, now=now) if chosen.online else ()),
    ]
    # Whatever an engine or a service said may quote what it was given.
    redact = Redactor(patient.secrets).redact
    shown = [found_.with_words(redact) for found_ in found]
    answer(
        findings_page(shown), {"is_well": is_well(found), "findings": shown}, is_json=chosen.json
    )
    return EXIT_OK if is_well(found) else EXIT_NOT_WELL


def _trace(settings: Settings, chosen: argparse.Namespace, environment: Mapping[str, str]) -> int:
    address = settings.database(environment)
    if chosen.user is not None:
        taps = trio.run(_taps, address, chosen.user, chosen.last)
        if not taps:
            complain("No tap of this user is kept for that time: look further back with --last.")
            return EXIT_NOT_FOUND
        answer(taps_page(taps), taps, is_json=chosen.json)
        return EXIT_OK
    story = trio.run(_story, address, chosen.cid)
    if story is None:
        complain(
            f"No such cid: {chosen.cid}. Copy it from the log once more, or list a user's taps "
            "with `trt ops trace --user ID`; events are kept for 30 days."
        )
        return EXIT_NOT_FOUND
    answer(story_page(story), story, is_json=chosen.json)
    return EXIT_OK


async def _story(address: DatabaseAddress, cid: Cid) -> Story | None:
    async with open_door(address, now=SystemSources().now) as door:
        await require_readable(door)
        return story_of(cid, await door.study(traces_of, cid))


async def _taps(address: DatabaseAddress, user_id: UserId, last: timedelta) -> tuple[Tap, ...]:
    sources = SystemSources()
    async with open_door(address, now=sources.now) as door:
        await require_readable(door)
        return await door.study(taps_of_user, user_id, since=sources.now() - last)


def _cid(raw: str) -> Cid:
    found = re.fullmatch(r"(?:cid=)?([0-9a-f]{8})", raw.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{raw!r}; a cid has eight hex characters, like 1a2b3c4d")
    return Cid(found[1])


def _user(raw: str) -> UserId:
    if not raw.isdecimal() or int(raw) == 0:
        raise argparse.ArgumentTypeError(
            f"{raw!r}; the number that Telegram gave the user is needed"
        )
    return UserId(int(raw))


def _last(raw: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", raw)
    last = timedelta(**{_LAST[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < last <= timedelta(days=LAST_DAYS_MAX):
        raise argparse.ArgumentTypeError(f"{raw!r}; a time such as 90m, 24h or 7d is needed")
    return last
