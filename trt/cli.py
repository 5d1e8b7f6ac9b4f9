"""The commands: `trt run`, `trt dev`, `trt migrate`, `trt registry check`, `trt bench`."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from trt.app import RegistryBroken
from trt.assets import asset
from trt.bench.children import ChildFailed
from trt.bench.commands import add_bench_commands
from trt.catalog.loader import load_catalogue
from trt.catalog.problems import RegistryProblems
from trt.config import ConfigProblems, read_config, read_database_path, read_tariff
from trt.config_values import UnfitError, whole
from trt.dev import DevPorts, dev_config, run_dev, temporary_folder
from trt.service import run_service
from trt.sources import SystemSources
from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable, MigrationRefused
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
)
"""What an operator can mend; each text names the thing and the mend."""

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
    path = _usable(read_database_path(environment))
    done = migrate(path, asset("migrations") / "sqlite", now=SystemSources().now())
    sys.stdout.write("".join(f"applied {name}\n" for name in done) or "nothing to do\n")
    return EXIT_OK


def _check_registry(_: argparse.Namespace, environment: Environment) -> int:
    catalogue = load_catalogue(asset("registry"), _usable(read_tariff(environment)))
    if isinstance(catalogue, RegistryProblems):
        raise Trouble(str(catalogue))
    for card in catalogue.models.values():
        prices = ", ".join(f"{row.price_kopecks / 100:.2f}" for row in card.prices)
        sys.stdout.write(f"{card.model_id}: {len(card.params)} parameters, RUB {prices}\n")
    return EXIT_OK


def _usable(config: T | ConfigProblems) -> T:
    if isinstance(config, ConfigProblems):
        raise Trouble(f"The configuration is not usable:\n{config}")
    return config
