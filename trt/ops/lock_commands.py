"""`trt ops lock` and `trt ops lock depose`: their arguments, and what they print."""

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import assert_never

import trio

from trt.domain.ids import Shard
from trt.domain.shard import SHARDS_MAX
from trt.ops.database_door import Door, open_door
from trt.ops.deposition import Deposed, HolderChanged, NobodyHolds, depose
from trt.ops.lock_page import lock_page
from trt.ops.lock_state import Leadership, Locks, LockState, read_locks, settled_shards
from trt.ops.operator_name import operator_name
from trt.ops.output import answer, complain
from trt.ops.schema_state import require_readable
from trt.ops.settings import Settings
from trt.sources import SystemSources
from trt.storage.engines import DatabaseAddress

EXIT_OK = 0
EXIT_NOBODY = 1
EXIT_USAGE = 2
REASON_MAX = 200


def add_lock_command(
    kinds: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings
) -> None:
    """Add `lock` to the commands of `trt ops`."""
    lock = kinds.add_parser("lock", help="who is active, since when, and who was before")
    _add_shard(lock, default=None)
    lock.add_argument("--json", action="store_true", help="print it for machines")
    lock.set_defaults(command=partial(_show, settings))

    actions = lock.add_subparsers(metavar="ACTION")
    action = actions.add_parser("depose", help="take the lease away from its holder, safely")
    # What stands before `depose` counts as well.
    _add_shard(action, default=argparse.SUPPRESS)
    action.add_argument("--reason", type=_reason, required=True, help="kept in the history")
    action.add_argument("--yes", action="store_true", help="do not ask back")
    action.set_defaults(command=partial(_depose, settings))


def _add_shard(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--shard", type=_shard, default=default, help="only this one, from 0")


def _show(settings: Settings, chosen: argparse.Namespace, environment: Mapping[str, str]) -> int:
    locks = trio.run(_read, settings.database(environment), chosen.shard)
    answer(lock_page(locks), locks, is_json=chosen.json)
    return EXIT_OK if locks.are_all_led else EXIT_NOBODY


async def _read(address: DatabaseAddress, shard: Shard | None) -> Locks:
    async with open_door(address, now=SystemSources().now) as door:
        await require_readable(door)
        return await _locks(door, shard)


async def _locks(door: Door, shard: Shard | None) -> Locks:
    """Read one shard's lease, or those of all."""
    if shard is not None:
        return await read_locks(door, [shard])
    settled = await door.read(settled_shards)
    return await read_locks(door, [Shard(number) for number in range(settled or 1)])


def _depose(settings: Settings, chosen: argparse.Namespace, environment: Mapping[str, str]) -> int:
    def confirm(lock: LockState) -> bool:
        return chosen.yes or _is_confirmed(lock)

    if not chosen.yes and not sys.stdin.isatty():
        complain("Nobody is there to ask: add --yes if it is meant so. Nothing was done.")
        return EXIT_USAGE
    address = settings.database(environment)
    return trio.run(_depose_confirmed, address, chosen.shard, chosen.reason, confirm)


async def _depose_confirmed(
    address: DatabaseAddress,
    shard: Shard | None,
    reason: str,
    confirm: Callable[[LockState], bool],
) -> int:
    async with open_door(address, now=SystemSources().now) as door:
        await require_readable(door)
        locks = await _locks(door, shard)
        if len(locks.shards) > 1:
            complain(f"There are {len(locks.shards)} shards: say which with --shard N.")
            return EXIT_USAGE
        [lock] = locks.shards
        if lock.holder is None:
            complain(f"Nobody holds {lock.name}: there is nobody to depose. See `trt ops lock`.")
            return EXIT_NOBODY
        if not confirm(lock):
            complain("Nothing was done.")
            return EXIT_NOBODY
        return await _carry_out(door, lock, reason)


async def _carry_out(door: Door, lock: LockState, reason: str) -> int:
    outcome = await depose(door, lock.name, epoch=lock.epoch, by=operator_name(), because=reason)
    match outcome:
        case Deposed(lease=was):
            sys.stdout.write(
                f"Deposed {was.holder} (pid {was.pid}, epoch {was.epoch}) of {was.name}: it can "
                "commit nothing from now on.\nWho waits takes over at once; with nobody waiting, "
                "it may lead again after one LEASE_TTL_S. See `trt ops lock`.\n"
            )
            return EXIT_OK
        case NobodyHolds():
            complain(f"{lock.name} was given up meanwhile: there is nobody to depose.")
            return EXIT_NOBODY
        case HolderChanged():
            complain(f"{lock.name} changed hands meanwhile, and nothing was done: look again.")
            return EXIT_NOBODY
        case _:
            assert_never(outcome)


def _is_confirmed(lock: LockState) -> bool:
    state = "alive" if lock.leadership is Leadership.LED else "overdue"
    sys.stdout.write(
        f"{lock.name} is held by {lock.holder} (pid {lock.pid}, epoch {lock.epoch}, {state}).\n"
        "Deposed, it stops its work unfinished and loses nothing; who waits goes on with it.\n"
        "Depose it? [y/N] "
    )
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _shard(raw: str) -> Shard:
    if not raw.isdecimal() or int(raw) >= SHARDS_MAX:
        raise argparse.ArgumentTypeError(f"{raw!r}; a number from 0 to {SHARDS_MAX - 1} is needed")
    return Shard(int(raw))


def _reason(raw: str) -> str:
    words = " ".join(raw.split())
    if not 0 < len(words) <= REASON_MAX:
        raise argparse.ArgumentTypeError(f"1 to {REASON_MAX} characters are needed")
    return words
