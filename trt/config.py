"""Configuration: read from the environment once, checked once, frozen, printed without secrets."""

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from attrs import frozen
from typing_extensions import override

from trt.actors.lease_terms import LeaseTerms, broken_rules
from trt.catalog.pricing import Tariff
from trt.config_values import (
    Reader,
    address,
    ascending,
    bot_token,
    database_url,
    header_secret,
    host_list,
    https_address,
    log_level,
    one_of,
    password_of,
    rate,
    route,
    rubles,
    seconds,
    url_safe,
    whole,
)
from trt.domain.shard import SHARDS_MAX
from trt.domain.till import STARS_MAX
from trt.kie.client import UPLOAD_BASE
from trt.secret import Secret
from trt.storage.engines import DatabaseAddress, PostgresAddress, SQLiteAddress, renewal_s

POSTGRES_LOOK_S = 0.1
"""A look is a round trip there, and the server tells of a release besides; a file tells nobody."""


STARS_PACKAGES = (50, 100, 250, 500, 1000)
TRANSFER_AMOUNTS_KOPECKS = (10_000, 30_000, 100_000)
USER_ID_MAX = 2**52
"""Bot API, User: at most 52 significant bits."""


class BotMode(StrEnum):
    """How updates arrive."""

    WEBHOOK = "webhook"
    POLLING = "polling"


class PassiveMode(StrEnum):
    """What becomes of an update that reached a passive instance and that nobody claimed."""

    HOLD = "hold"
    REJECT = "reject"


@frozen(kw_only=True)
class MoneyTerms:
    """How users pay, and who looks after it."""

    admin_id: int | None
    """Who may move other people's money in the chat, and decides about receipts."""
    support_contact: str
    offer_key: Secret
    """Signs what invoices promise; derived, so that it needs no place of its own."""
    star_usd: Decimal
    """What Telegram pays for a Star."""
    stars_packages: tuple[int, ...]
    transfer_requisites: str
    """Empty: transfers by hand are off, as Telegram's terms want it."""
    transfer_amounts_kopecks: tuple[int, ...]


@frozen(kw_only=True)
class Config:
    """Everything that may differ between two installations."""

    bot_token: Secret
    kie_api_key: Secret
    bot_mode: BotMode
    passive_mode: PassiveMode
    host: str
    port: int
    webhook_base_url: str
    """Public https address of this service without a slash at the end; empty with polling."""
    webhook_secret_path: Secret
    webhook_secret_token: Secret
    kie_callback_path: str
    kie_callback_token: Secret
    """Key of the signature in our callback URLs."""
    kie_hmac_key: Secret | None
    telegram_api_base: str
    kie_api_base: str
    kie_upload_base: str
    kie_result_hosts: tuple[str, ...]
    database: DatabaseAddress
    db_pool_max: int
    """Connections to PostgreSQL that the flow may have open."""
    shards: int
    """A property of the installation: decided once, for all its life."""
    lease_terms: LeaseTerms
    welcome_balance_kopecks: int
    usd_to_rub: Decimal
    price_multiplier: Decimal
    money: MoneyTerms
    log_level: str
    active_jobs_max: int
    submit_grace_s: float
    """How long an order with an unknown fate waits for a callback before it is refunded."""
    drain_grace_s: float
    """How long a planned stop may take."""

    @property
    def bot_id(self) -> int:
        """The number before the colon of the token: Telegram's id of this bot."""
        return int(self.bot_token.reveal().partition(":")[0])

    def secrets(self) -> tuple[str, ...]:
        """Return every secret, for the one who has to keep them out of the log."""
        optional = [] if self.kie_hmac_key is None else [self.kie_hmac_key.reveal()]
        if isinstance(self.database, PostgresAddress):
            url = self.database.url.reveal()
            optional += [url, *password_of(url)]
        return (
            self.bot_token.reveal(),
            self.kie_api_key.reveal(),
            self.webhook_secret_path.reveal(),
            self.webhook_secret_token.reveal(),
            self.kie_callback_token.reveal(),
            self.money.offer_key.reveal(),
            *optional,
        )

    @property
    def webhook_path(self) -> str:
        """The path that Telegram posts to."""
        return f"/webhook/{self.webhook_secret_path.reveal()}"


@frozen
class ConfigProblems:
    """Every variable that is missing or wrong, each with the mend."""

    problems: tuple[str, ...]

    @override
    def __str__(self) -> str:
        return "\n".join(f"- {problem}" for problem in self.problems)


def read_database(environment: Mapping[str, str]) -> DatabaseAddress | ConfigProblems:
    """Read where the database is: all that a migration has to know.

    Args:
        environment: Variable names and values, as `os.environ` has them.
    """
    reader = Reader(environment)
    address = _database(reader)
    return ConfigProblems(tuple(reader.problems)) if reader.problems else address


def read_tariff(environment: Mapping[str, str]) -> Tariff | ConfigProblems:
    """Read what turns the vendor's prices into ours: all that a look at the registry has to know.

    Args:
        environment: Variable names and values, as `os.environ` has them.
    """
    reader = Reader(environment)
    tariff = Tariff(usd_to_rub=_usd_to_rub(reader), multiplier=_price_multiplier(reader))
    return ConfigProblems(tuple(reader.problems)) if reader.problems else tariff


def read_config(environment: Mapping[str, str]) -> Config | ConfigProblems:
    """Read a configuration.

    Args:
        environment: Variable names and values, as `os.environ` has them.

    Returns:
        The configuration, or every problem found; values of secrets are never part of a problem.
    """
    reader = Reader(environment)
    token = reader.required("TELEGRAM_BOT_TOKEN", bot_token, mend="get one from @BotFather")
    mode = reader.optional("BOT_MODE", BotMode.WEBHOOK, one_of(BotMode))
    base_url = (
        reader.required(
            "WEBHOOK_BASE_URL", https_address, mend="the public address of this service"
        )
        if mode is BotMode.WEBHOOK
        else reader.optional("WEBHOOK_BASE_URL", "", https_address)
    )
    derived = _Derived(token)
    database = _database(reader)
    config = Config(
        bot_token=token,
        kie_api_key=reader.required(
            "KIE_API_KEY", header_secret, mend="create one at kie.ai/api-key"
        ),
        bot_mode=mode,
        passive_mode=reader.optional("PASSIVE_MODE", PassiveMode.HOLD, one_of(PassiveMode)),
        host=reader.optional("HOST", "0.0.0.0", str),  # noqa: S104 - a service binds its machine
        port=reader.optional("PORT", 8000, whole(1, 65535)),
        webhook_base_url=base_url,
        webhook_secret_path=reader.optional(
            "WEBHOOK_SECRET_PATH", derived.secret("webhook path"), url_safe
        ),
        webhook_secret_token=reader.optional(
            "WEBHOOK_SECRET_TOKEN", derived.secret("webhook token"), url_safe
        ),
        kie_callback_path=reader.optional("KIE_CALLBACK_PATH", "callbacks/kie", route),
        kie_callback_token=reader.optional(
            "KIE_CALLBACK_TOKEN", derived.secret("kie callback"), Secret
        ),
        kie_hmac_key=reader.optional("KIE_WEBHOOK_HMAC_KEY", None, Secret),
        telegram_api_base=reader.optional("TELEGRAM_API_BASE", "https://api.telegram.org", address),
        kie_api_base=reader.optional("KIE_API_BASE", "https://api.kie.ai", address),
        kie_upload_base=reader.optional("KIE_UPLOAD_BASE", UPLOAD_BASE, address),
        kie_result_hosts=reader.optional(
            "KIE_RESULT_HOSTS", ("aiquickdraw.com", "redpandaai.co"), host_list
        ),
        database=database,
        db_pool_max=reader.optional("DB_POOL_MAX", 2, whole(1, 100)),
        shards=reader.optional("SHARDS", 1, whole(1, SHARDS_MAX)),
        lease_terms=_lease_terms(reader, database),
        welcome_balance_kopecks=reader.optional("WELCOME_BALANCE_RUB", 0, rubles),
        usd_to_rub=_usd_to_rub(reader),
        price_multiplier=_price_multiplier(reader),
        money=_money(reader, derived),
        log_level=reader.optional("LOG_LEVEL", "INFO", log_level),
        active_jobs_max=reader.optional("ACTIVE_JOBS_MAX", 3, whole(1, 100)),
        submit_grace_s=reader.optional("SUBMIT_GRACE_S", 180.0, seconds(1, 3600)),
        drain_grace_s=reader.optional("DRAIN_GRACE_S", 20.0, seconds(1, 300)),
    )
    if reader.problems:
        return ConfigProblems(tuple(reader.problems))
    return config


@frozen
class _Derived:
    """Secrets that nobody has to invent: derived from the bot token, which they do not reveal."""

    token: Secret | None

    def secret(self, purpose: str) -> Secret:
        key = self.token.reveal().encode() if self.token is not None else b""
        return Secret(hmac.new(key, purpose.encode(), hashlib.sha256).hexdigest()[:32])


def _money(reader: Reader, derived: _Derived) -> MoneyTerms:
    terms = MoneyTerms(
        admin_id=reader.optional("ADMIN_ID", None, whole(1, USER_ID_MAX)),
        support_contact=reader.optional("SUPPORT_CONTACT", "", str),
        offer_key=derived.secret("offers"),
        star_usd=reader.optional("STAR_USD", Decimal("0.013"), rate),
        stars_packages=reader.optional(
            "STARS_PACKAGES", STARS_PACKAGES, ascending(whole(1, STARS_MAX))
        ),
        transfer_requisites=reader.optional("TRANSFER_REQUISITES", "", str),
        transfer_amounts_kopecks=reader.optional(
            "TRANSFER_PACKAGES_RUB", TRANSFER_AMOUNTS_KOPECKS, ascending(rubles)
        ),
    )
    if terms.transfer_requisites and terms.admin_id is None:
        reader.problems.append(
            "TRANSFER_REQUISITES needs ADMIN_ID: somebody has to look at the receipts."
        )
    return terms


def _database(reader: Reader) -> DatabaseAddress:
    folder = reader.optional("DATA_DIR", Path(), Path)
    usual: DatabaseAddress = SQLiteAddress(folder / "trt.sqlite3")
    return reader.optional("DATABASE_URL", usual, database_url)


def _lease_terms(reader: Reader, database: DatabaseAddress) -> LeaseTerms:
    usual = LeaseTerms()
    look_s = POSTGRES_LOOK_S if isinstance(database, PostgresAddress) else usual.look_every_s
    ttl_s = reader.optional("LEASE_TTL_S", usual.ttl_s, seconds(0.5, 600))
    renew_s = reader.optional("LEASE_RENEW_S", usual.renew_every_s, seconds(0.05, 600))
    trust_s = reader.optional("LEASE_TRUST_S", usual.trust_s, seconds(0.1, 600))
    look_s = reader.optional("LEASE_LOOK_S", look_s, seconds(0.02, 600))
    broken = broken_rules(
        ttl_s=ttl_s,
        renew_every_s=renew_s,
        trust_s=trust_s,
        look_every_s=look_s,
        stop_lost_s=usual.stop_lost_s,
        renewal_s=renewal_s(database),
    )
    reader.problems += broken
    if broken:
        return usual
    return LeaseTerms(ttl_s=ttl_s, renew_every_s=renew_s, trust_s=trust_s, look_every_s=look_s)


def _usd_to_rub(reader: Reader) -> Decimal:
    mend = "rubles per dollar that prices are computed with, e.g. 78.0"
    return reader.required("USD_TO_RUB", rate, mend=mend)


def _price_multiplier(reader: Reader) -> Decimal:
    return reader.optional("PRICE_MULTIPLIER", Decimal("2.0"), rate)
