"""The commands: `trt run`, `dev`, `migrate`, `doctor`, `ops`, `registry check`, `bench`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import trio
from attrs import evolve

from trt.actors.webhook_keeper import ALLOWED_UPDATES
from trt.app import RegistryBroken
from trt.assets import asset
from trt.bench.children import ChildFailed
from trt.bench.commands import add_bench_commands
from trt.catalog.loader import load_catalogue, load_stock
from trt.catalog.problems import RegistryProblems
from trt.config import (
    BotMode,
    Config,
    ConfigProblems,
    read_config,
    read_database,
    read_tariff,
)
from trt.config_values import UnfitError, password_of, whole
from trt.dev import DevPorts, dev_config, run_dev, temporary_folder
from trt.ops.commands import add_ops_commands
from trt.ops.doctor import Patient, TelegramAccess
from trt.ops.settings import Settings
from trt.ops.webhook_checks import WebhookWanted
from trt.secret import Secret
from trt.service import run_service
from trt.sources import SystemSources
from trt.storage.engines import DatabaseAddress
from trt.storage.errors import (
    DatabaseUnavailable,
    DatabaseUnopenable,
    MigrationRefused,
    ShardsDiffer,
)
from trt.storage.migrate import migrate
from trt.telemetry.log import configure
from trt.web.listener import CannotBind

T = TypeVar("T")

EXIT_OK = 0
EXIT_USAGE = 2

EXPECTED = (
    CannotBind,
    ChildFailed,
    DatabaseUnavailable,
    DatabaseUnopenable,
    MigrationRefused,
    RegistryBroken,
    ShardsDiffer,
)
"""What an operator can mend; each text names the thing and the mend."""

SECRETS = (
    "TELEGRAM_BOT_TOKEN",
    "KIE_API_KEY",
    "WEBHOOK_SECRET_PATH",
    "WEBHOOK_SECRET_TOKEN",
    "KIE_CALLBACK_TOKEN",
    "KIE_WEBHOOK_HMAC_KEY",
)
"""Variables whose values no page shows, even when the rest of the configuration is broken."""

Environment = Mapping[str, str]


class Trouble(Exception):  # noqa: N818 - what the operator reads
    """A command cannot do its work; the text says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; troubles go to stderr, each with its mend."""
    chosen = _parser().parse_args(arguments)
    environment: Environment = os.environ  # noqa: TID251 - handed on to trt.config, its reader
    try:
        return int(chosen.command(chosen, environment))
    except (Trouble, *EXPECTED) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trt", description="AI generations inside Telegram.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the service; configured by the environment")
    run.set_defaults(command=_run)

    dev = commands.add_parser("dev", help="run the sandbox: nothing to configure, one page to open")
    dev.add_argument(
        "--port", type=_page_port, default=DevPorts().page, help="of the page; uses 4 in a row"
    )
    dev.set_defaults(command=_dev)

    steps = commands.add_parser("migrate", help="bring the database up to date and stop")
    steps.set_defaults(command=_migrate)

    registry = commands.add_parser("registry", help="look after the model registry")
    registry.add_argument("action", choices=["check"], help="report every problem in the data")
    registry.set_defaults(command=_check_registry)

    settings = Settings(database=_database, patient=_patient)
    add_ops_commands(commands, settings)
    add_bench_commands(commands)
    return parser


def _page_port(raw: str) -> int:
    """Return the first of the sandbox's ports; the others have to fit above it."""
    try:
        return whole(1, DevPorts.page_max)(raw)
    except UnfitError as unfit:
        raise argparse.ArgumentTypeError(str(unfit)) from None


def _run(_: argparse.Namespace, environment: Environment) -> int:
    config = _usable(read_config(environment))
    configure(config.log_level, sys.stderr, config.secrets())
    return trio.run(run_service, config, SystemSources())


def _dev(chosen: argparse.Namespace, environment: Environment) -> int:
    ports = DevPorts(page=chosen.port)
    with temporary_folder() as folder:
        config = _usable(dev_config(ports, Path(folder), environment))
        configure(environment.get("LOG_LEVEL") or "WARNING", sys.stderr, config.secrets())
        return trio.run(run_dev, config, ports, SystemSources())


def _migrate(_: argparse.Namespace, environment: Environment) -> int:
    address = _database(environment)
    done = migrate(address, asset("migrations"), now=SystemSources().now())
    sys.stdout.write("".join(f"applied {name}\n" for name in done) or "nothing to do\n")
    return EXIT_OK


def _check_registry(_: argparse.Namespace, environment: Environment) -> int:
    tariff = _usable(read_tariff(environment))
    catalogue = load_catalogue(asset("registry"), tariff)
    if isinstance(catalogue, RegistryProblems):
        raise Trouble(str(catalogue))
    sys.stdout.write(f"prices: {tariff}\n")
    for card in catalogue.models.values():
        prices = ", ".join(f"{row.price_kopecks / 100:.2f}" for row in card.prices)
        sys.stdout.write(f"{card.model_id}: {len(card.params)} parameters, RUB {prices}\n")
    return EXIT_OK


def _database(environment: Environment) -> DatabaseAddress:
    found = read_database(environment)
    if isinstance(found, ConfigProblems):
        raise _unusable(found)
    return found


def _patient(environment: Environment) -> Patient:
    """Read whatever can be read of an installation, for the doctor."""
    config, database = read_config(environment), read_database(environment)
    tariff = read_tariff(environment)
    patient = Patient(
        database=None if isinstance(database, ConfigProblems) else database,
        stock=(
            None if isinstance(tariff, ConfigProblems) else load_stock(asset("registry"), tariff)
        ),
        secrets=_secrets_of(environment),
    )
    if isinstance(config, ConfigProblems):
        return evolve(patient, problems=config.problems)
    return evolve(
        patient,
        shards=config.shards,
        telegram=_telegram_access(config),
        secrets=(*patient.secrets, *config.secrets()),
    )


def _telegram_access(config: Config) -> TelegramAccess:
    posted_to = Secret(config.webhook_base_url + config.webhook_path)
    return TelegramAccess(
        base_url=config.telegram_api_base,
        token=config.bot_token,
        wanted=WebhookWanted(
            url=posted_to if config.bot_mode is BotMode.WEBHOOK else None,
            allowed_updates=ALLOWED_UPDATES,
        ),
    )


def _secrets_of(environment: Environment) -> tuple[str, ...]:
    """Return every secret as it was given, however unusable the rest of the configuration is."""
    given = [environment.get(name, "").strip() for name in SECRETS]
    return (*given, *password_of(environment.get("DATABASE_URL", "")))


def _usable(config: T | ConfigProblems) -> T:
    if isinstance(config, ConfigProblems):
        raise _unusable(config)
    return config


def _unusable(problems: ConfigProblems) -> Trouble:
    return Trouble(f"The configuration is not usable:\n{problems}")
