"""The doctor: one look at everything, in the order in which one thing stands on another."""

from collections.abc import Callable, Sequence
from datetime import datetime

from attrs import field, frozen

from trt.catalog.loader import Stock
from trt.catalog.problems import RegistryProblems
from trt.domain.ids import Shard
from trt.ops.database_checks import (
    DEAD_WITHIN_S,
    HOUR_S,
    LATE_S,
    check_backlog,
    check_books,
    check_clocks,
    check_disk,
    check_lock,
    check_pooler,
    check_schema,
    check_shards,
    check_takeovers,
)
from trt.ops.database_door import Door, missing_file, open_door
from trt.ops.database_facts import read_audit, read_backlog, read_clocks, read_disk, takeovers_since
from trt.ops.finding import Finding, fail, ok, warn
from trt.ops.lock_state import read_locks, settled_shards
from trt.ops.schema_state import schema_state
from trt.ops.setting_checks import check_configuration, check_registry
from trt.ops.webhook_checks import WebhookWanted, check_webhook
from trt.ops.webhook_question import ask_webhook
from trt.secret import Secret
from trt.storage.engines import DatabaseAddress
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable

_DATABASE = "database"
_TELEGRAM = "telegram"


@frozen(kw_only=True)
class Patient:
    """An installation as far as its environment tells."""

    stock: Stock | RegistryProblems | None
    """None when its prices could not be computed."""
    database: DatabaseAddress | None
    """None when the address cannot be read."""
    secrets: tuple[str, ...] = field(repr=False)
    """What must not be seen on any page."""
    problems: tuple[str, ...] = ()
    """Of the configuration, each with its mend."""
    shards: int | None = None
    """None with a broken configuration."""
    telegram: "TelegramAccess | None" = None
    """None with a broken configuration."""


@frozen(kw_only=True)
class TelegramAccess:
    """What is needed to ask Telegram."""

    base_url: str
    token: Secret
    wanted: WebhookWanted


def examine_settings(patient: Patient) -> list[Finding]:
    """Look at what needs nobody's answer."""
    return [*check_configuration(patient.problems), *check_registry(patient.stock)]


async def examine_database(patient: Patient, *, now: Callable[[], datetime]) -> list[Finding]:
    """Look at the database and at everything that is kept there; changes nothing.

    Args:
        patient: Whose.
        now: This machine's clock.
    """
    address = patient.database
    if address is None:
        return []  # Why, the configuration's findings say.
    if (missing := missing_file(address)) is not None:
        told, mend = f"there is none at {missing} yet", "`trt run` makes it at its first start"
        return [warn(_DATABASE, told, mend)]
    found: list[Finding] = []
    try:
        async with open_door(address, now=now) as door:
            found.append(ok(_DATABASE, f"{door.engine} lets us in"))
            await _examine(door, patient, now, found)
    except (DatabaseUnopenable, DatabaseUnavailable) as error:
        mend = "start the database, or mend DATABASE_URL or DATA_DIR"
        found.append(fail(_DATABASE, str(error), mend))
    return found


async def _examine(
    door: Door, patient: Patient, now: Callable[[], datetime], found: list[Finding]
) -> None:
    if door.file is None:
        found.append(check_pooler(is_pooled=door.is_pooled))
        found.append(check_clocks(await read_clocks(door, now)))
    elif (disk := read_disk(door)) is not None:
        found.append(check_disk(disk))
    state = await schema_state(door)
    found.append(check_schema(state))
    if not state.is_readable:
        return
    settled = await door.read(settled_shards)
    found.append(check_shards(settled=settled, configured=patient.shards))
    shards = [Shard(number) for number in range(settled or patient.shards or 1)]
    found += await _examine_locks(door, shards)
    backlog = await door.study(read_backlog, late_s=LATE_S, dead_within_s=DEAD_WITHIN_S)
    found += check_backlog(backlog)
    found += check_books(await read_audit(door))


async def _examine_locks(door: Door, shards: Sequence[Shard]) -> list[Finding]:
    found = []
    locks = await read_locks(door, shards)
    for shard, lock in zip(shards, locks.shards, strict=True):
        found.append(check_lock(lock))
        last_hour = await door.read(takeovers_since, shard, within_s=HOUR_S)
        if (flapping := check_takeovers(lock, last_hour)) is not None:
            found.append(flapping)
    return found


def examine_webhook(patient: Patient, *, now: Callable[[], datetime]) -> list[Finding]:
    """Ask Telegram; blocks for some seconds."""
    access = patient.telegram
    if access is None:
        return [warn(_TELEGRAM, "not asked", "mend the configuration first")]
    try:
        state = ask_webhook(access.base_url, access.token)
    except TelegramUnavailable as error:
        mend = "let this machine reach TELEGRAM_API_BASE"
        return [fail(_TELEGRAM, f"no usable answer ({error})", mend)]
    except TelegramUnauthorized:
        mend = "put the right TELEGRAM_BOT_TOKEN in, from @BotFather"
        return [fail(_TELEGRAM, "the token is not accepted", mend)]
    return [
        ok(_TELEGRAM, "the token is accepted"),
        *check_webhook(state, access.wanted, now=now()),
    ]
