"""The commands."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

import trio

from trt.config import Config, ConfigProblems, read_config

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; problems go to stderr, each with its mend."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    environment: Mapping[str, str] = os.environ  # noqa: TID251 - handed to trt.config, its only reader
    try:
        return int(chosen.command(chosen, environment))
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return EXIT_USAGE


class Trouble(Exception):  # noqa: N818 - what the operator reads
    """A command cannot do its work; the text says why and what to do."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trt", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the service (production)")
    run.set_defaults(command=_run)

    migrate = commands.add_parser("migrate", help="bring the database up to date and stop")
    migrate.set_defaults(command=_migrate)

    registry = commands.add_parser("registry", help="check the model registry")
    registry.add_argument("action", choices=["check"])
    registry.set_defaults(command=_registry)
    return parser


def _run(_: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from trt.app import RegistryBroken
    from trt.service import run_service
    from trt.sources import SystemSources
    from trt.storage.errors import DatabaseUnavailable, DatabaseUnopenable, MigrationRefused
    from trt.telemetry.log import configure
    from trt.web.listener import CannotBind

    config = _config(environment)
    configure(config.log_level, sys.stderr, config.secrets())
    try:
        return trio.run(run_service, config, SystemSources())
    except (
        CannotBind,
        DatabaseUnopenable,
        DatabaseUnavailable,
        MigrationRefused,
        RegistryBroken,
    ) as error:
        raise Trouble(str(error)) from error


def _config(environment: Mapping[str, str]) -> Config:
    config = read_config(environment)
    if isinstance(config, ConfigProblems):
        raise Trouble(f"The configuration is not usable:\n{config}")
    return config
