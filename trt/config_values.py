"""The words an environment variable may say: one parser per kind of value."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

from trt.secret import Secret
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

RATE_MAX = 100_000
RUBLES_MAX = 1_000_000
"""Far beyond any rate and any gift: what is larger is a slip of the keyboard."""


class Reader:
    """Collects problems instead of stopping at the first."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment

    def required(self, name: str, parse: Callable[[str], T], *, mend: str) -> T:
        nothing = cast("T", None)  # never seen: with a problem no configuration is made
        if not self._environment.get(name, "").strip():
            self.problems.append(f"{name} is missing: {mend}.")
            return nothing
        return self.optional(name, nothing, parse)

    def optional(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        raw = self._environment.get(name, "").strip()
        if not raw:
            return default
        try:
            return parse(raw)
        except UnfitError as unfit:
            self.problems.append(f"{name} {unfit}.")
            return default


class UnfitError(ValueError):
    """Says what is wrong with a value and what would be right."""


def bot_token(raw: str) -> Secret:
    """A bot token as @BotFather gives it."""
    if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]+", raw):
        raise UnfitError("is not a bot token; it looks like <digits>:<letters>, from @BotFather")
    return Secret(raw)


def header_secret(raw: str) -> Secret:
    """A secret that travels in an HTTP header."""
    if not re.fullmatch(r"[!-~]+", raw):
        raise UnfitError("has characters that no key has; copy it again, without spaces")
    return Secret(raw)


def one_of(kind: type[E]) -> Callable[[str], E]:
    """One of the values of an enum, whatever its case."""

    def parse(raw: str) -> E:
        try:
            return kind(raw.lower())
        except ValueError:
            raise UnfitError(f"is {raw!r}; allowed: {', '.join(kind)}") from None

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number between two bounds, both allowed."""

    def parse(raw: str) -> int:
        if not raw.isdecimal() or not low <= int(raw) <= high:
            raise UnfitError(f"is {raw!r}; a whole number from {low} to {high} is needed")
        return int(raw)

    return parse


def decimal(raw: str) -> Decimal:
    """A finite decimal number."""
    try:
        number = Decimal(raw)
    except InvalidOperation:
        raise UnfitError(f"is {raw!r}; a number such as 78.5 is needed") from None
    if not number.is_finite():
        raise UnfitError(f"is {raw!r}; a finite number is needed")
    return number


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A number of seconds between two bounds."""

    def parse(raw: str) -> float:
        number = float(decimal(raw))
        if not low <= number <= high:
            raise UnfitError(f"is {raw!r}; from {low:g} to {high:g} seconds are allowed")
        return number

    return parse


def rate(raw: str) -> Decimal:
    """A factor above zero."""
    number = decimal(raw)
    if not 0 < number <= RATE_MAX:
        raise UnfitError(f"is {raw!r}; it must be above zero and at most {RATE_MAX}")
    return number


def rubles(raw: str) -> int:
    """An amount in rubles; returned in kopecks."""
    kopecks = decimal(raw) * 100
    if not 0 <= kopecks <= RUBLES_MAX * 100 or kopecks != kopecks.to_integral_value():
        raise UnfitError(f"is {raw!r}; rubles from 0 to {RUBLES_MAX} with two decimals are needed")
    return int(kopecks)


def ascending(each: Callable[[str], int]) -> Callable[[str], tuple[int, ...]]:
    """Up to ten different numbers above zero, separated by commas, put into order."""

    def parse(raw: str) -> tuple[int, ...]:
        numbers = sorted({each(part.strip()) for part in raw.split(",")})
        if not 1 <= len(numbers) <= 10 or numbers[0] <= 0:  # noqa: PLR2004
            raise UnfitError(f"is {raw!r}; one to ten numbers above zero are needed")
        return tuple(numbers)

    return parse


def address(raw: str) -> str:
    """An http or https address without a slash at the end."""
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise UnfitError(f"is {raw!r}; an address such as https://example.org is needed")
    return raw.rstrip("/")


def https_address(raw: str) -> str:
    """An https address; plain http is allowed on loopback only (Bot API, setWebhook)."""
    base = address(raw)
    parts = urlsplit(base)
    if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise UnfitError(f"is {raw!r}; Telegram posts only to https addresses")
    return base


def url_safe(raw: str) -> Secret:
    """A secret of 8 to 256 characters fit for a URL and a header (Bot API, setWebhook)."""
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    if not set(raw) <= allowed or not 8 <= len(raw) <= 256:  # noqa: PLR2004
        raise UnfitError("must be 8 to 256 characters of A-Z a-z 0-9 _ -")
    return Secret(raw)


def route(raw: str) -> str:
    """A path without slashes at its ends."""
    path = raw.strip("/")
    if not path or not all(
        part.replace("-", "").replace("_", "").isalnum() for part in path.split("/")
    ):
        raise UnfitError(f"is {raw!r}; a path such as callbacks/kie is needed")
    return path


def host_list(raw: str) -> tuple[str, ...]:
    """Host names separated by commas."""
    hosts = tuple(host.strip().lower() for host in raw.split(",") if host.strip())
    if any("/" in host or ":" in host for host in hosts):
        raise UnfitError(f"is {raw!r}; host names separated by commas are needed")
    return hosts


def log_level(raw: str) -> str:
    """A logging level."""
    level = raw.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise UnfitError(f"is {raw!r}; allowed: DEBUG, INFO, WARNING, ERROR")
    return level


def database_url(raw: str) -> DatabaseAddress:
    """Where the database is: a file, or a PostgreSQL server; the URL holds a password."""
    scheme, _, rest = raw.partition("://")
    if scheme in {"postgres", "postgresql"} and rest.strip("/"):
        return PostgresAddress(Secret(raw))
    if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
        return SQLiteAddress(Path(rest[1:]))
    raise UnfitError(
        "is no address of a database: give postgresql://user:password@host/name, or a file as "
        "sqlite:///path/to/trt.sqlite3, or leave the variable out to use trt.sqlite3 in DATA_DIR"
    )


def password_of(url: str) -> tuple[str, ...]:
    """Return the password in a URL as it is written there and as it is meant, if there is one."""
    user_and_password = url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    written = user_and_password.partition(":")[2]
    return (written, unquote(written)) if written else ()
