"""Every environment variable: what it may say, what it says when it is silent, what is refused."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trt.actors.lease_terms import LeaseTerms
from trt.catalog.pricing import Tariff
from trt.config import (
    BotMode,
    Config,
    ConfigProblems,
    PassiveMode,
    read_config,
    read_database,
    read_tariff,
)
from trt.secret import Secret
from trt.storage.engines import PostgresAddress, SQLiteAddress

TOKEN = "123456789:AAcanary-token_of-a-bot"
KEY = "canary-kie-key"
NEEDED = {
    "TELEGRAM_BOT_TOKEN": TOKEN,
    "KIE_API_KEY": KEY,
    "WEBHOOK_BASE_URL": "https://bot.example",
    "USD_TO_RUB": "78.5",
}

DEFAULTS: dict[str, Any] = {
    "bot_mode": BotMode.WEBHOOK,
    "passive_mode": PassiveMode.HOLD,
    "host": "0.0.0.0",
    "port": 8000,
    "kie_callback_path": "callbacks/kie",
    "kie_hmac_key": None,
    "telegram_api_base": "https://api.telegram.org",
    "kie_api_base": "https://api.kie.ai",
    "kie_result_hosts": ("aiquickdraw.com", "redpandaai.co"),
    "database": SQLiteAddress(Path("trt.sqlite3")),
    "db_pool_max": 2,
    "shards": 1,
    "lease_terms": LeaseTerms(
        ttl_s=2.0, renew_every_s=0.5, trust_s=1.5, look_every_s=0.05, stop_lost_s=0.4
    ),
    "welcome_balance_kopecks": 0,
    "price_multiplier": Decimal(2),
    "log_level": "INFO",
    "active_jobs_max": 3,
    "submit_grace_s": 180.0,
    "drain_grace_s": 20.0,
}

GOOD: list[tuple[str, str, str, Any]] = [
    ("BOT_MODE", "Polling", "bot_mode", BotMode.POLLING),
    ("PASSIVE_MODE", "reject", "passive_mode", PassiveMode.REJECT),
    ("HOST", "127.0.0.1", "host", "127.0.0.1"),
    ("PORT", "65535", "port", 65535),
    ("WEBHOOK_BASE_URL", "https://a.example/", "webhook_base_url", "https://a.example"),
    ("WEBHOOK_BASE_URL", "http://127.0.0.1:8081", "webhook_base_url", "http://127.0.0.1:8081"),
    ("KIE_CALLBACK_PATH", "/kie/back/", "kie_callback_path", "kie/back"),
    ("TELEGRAM_API_BASE", "http://telegram:8081/", "telegram_api_base", "http://telegram:8081"),
    ("KIE_API_BASE", "http://127.0.0.1:9", "kie_api_base", "http://127.0.0.1:9"),
    ("KIE_RESULT_HOSTS", "a.example, B.example,", "kie_result_hosts", ("a.example", "b.example")),
    ("DATABASE_URL", "sqlite:////var/a.db", "database", SQLiteAddress(Path("/var/a.db"))),
    ("DATABASE_URL", "sqlite:///a.sqlite3", "database", SQLiteAddress(Path("a.sqlite3"))),
    ("DATA_DIR", "/var/bot", "database", SQLiteAddress(Path("/var/bot/trt.sqlite3"))),
    ("DB_POOL_MAX", "4", "db_pool_max", 4),
    ("SHARDS", "64", "shards", 64),
    ("LEASE_TTL_S", "30", "lease_terms", LeaseTerms(ttl_s=30)),
    ("LEASE_RENEW_S", "0.25", "lease_terms", LeaseTerms(renew_every_s=0.25)),
    ("LEASE_TRUST_S", "1.6", "lease_terms", LeaseTerms(trust_s=1.6)),
    ("LEASE_LOOK_S", "0.25", "lease_terms", LeaseTerms(look_every_s=0.25)),
    ("WELCOME_BALANCE_RUB", "100.50", "welcome_balance_kopecks", 100_50),
    ("USD_TO_RUB", "91", "usd_to_rub", Decimal(91)),
    ("PRICE_MULTIPLIER", " 1.5 ", "price_multiplier", Decimal("1.5")),
    ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("ACTIVE_JOBS_MAX", "1", "active_jobs_max", 1),
    ("SUBMIT_GRACE_S", "1", "submit_grace_s", 1.0),
    ("DRAIN_GRACE_S", "2.5", "drain_grace_s", 2.5),
]

GOOD_SECRETS = [
    ("TELEGRAM_BOT_TOKEN", "1:a", "bot_token"),
    ("KIE_API_KEY", "k" * 64, "kie_api_key"),
    ("WEBHOOK_SECRET_PATH", "A-path_8", "webhook_secret_path"),
    ("WEBHOOK_SECRET_TOKEN", "t" * 256, "webhook_secret_token"),
    ("KIE_CALLBACK_TOKEN", "any words at all", "kie_callback_token"),
    ("KIE_WEBHOOK_HMAC_KEY", "h", "kie_hmac_key"),
]

MALFORMED = [
    ("BOT_MODE", "pigeon", "webhook, polling"),
    ("PASSIVE_MODE", "sleep", "hold, reject"),
    ("PORT", "0", "1 to 65535"),
    ("PORT", "65536", "1 to 65535"),
    ("PORT", "8000.0", "1 to 65535"),
    ("WEBHOOK_BASE_URL", "http://bot.example", "https"),
    ("WEBHOOK_BASE_URL", "bot.example", "https://example.org"),
    ("KIE_CALLBACK_PATH", "a b", "callbacks/kie"),
    ("KIE_CALLBACK_PATH", "a//b", "callbacks/kie"),
    ("TELEGRAM_API_BASE", "ftp://a.example", "https://example.org"),
    ("KIE_API_BASE", "https://a.example?x=1", "https://example.org"),
    ("KIE_RESULT_HOSTS", "https://a.example", "separated by commas"),
    ("WELCOME_BALANCE_RUB", "-1", "0 to 1000000"),
    ("WELCOME_BALANCE_RUB", "0.001", "two decimals"),
    ("WELCOME_BALANCE_RUB", "1e30", "0 to 1000000"),
    ("USD_TO_RUB", "0", "above zero"),
    ("USD_TO_RUB", "1e999", "100000"),
    ("USD_TO_RUB", "about 80", "78.5"),
    ("PRICE_MULTIPLIER", "nan", "finite"),
    ("PRICE_MULTIPLIER", "inf", "finite"),
    ("LOG_LEVEL", "LOUD", "DEBUG, INFO"),
    ("ACTIVE_JOBS_MAX", "101", "1 to 100"),
    ("SUBMIT_GRACE_S", "0", "1 to 3600"),
    ("DRAIN_GRACE_S", "301", "1 to 300"),
    ("DB_POOL_MAX", "0", "1 to 100"),
    ("SHARDS", "0", "1 to 64"),
    ("SHARDS", "65", "1 to 64"),
    ("LEASE_TTL_S", "0.1", "0.5 to 600"),
]

MALFORMED_SECRETS = [
    ("TELEGRAM_BOT_TOKEN", "canary", "@BotFather"),
    ("TELEGRAM_BOT_TOKEN", "abc:canary", "@BotFather"),
    ("TELEGRAM_BOT_TOKEN", "123456789:canary canary", "@BotFather"),
    ("KIE_API_KEY", "canary ключ", "copy it again"),
    ("WEBHOOK_SECRET_PATH", "canary/canary", "8 to 256"),
    ("WEBHOOK_SECRET_PATH", "canary", "8 to 256"),
    ("WEBHOOK_SECRET_TOKEN", "canary" * 50, "8 to 256"),
    ("DATABASE_URL", "mysql://user:canary@db/trt", "postgresql://"),
    ("DATABASE_URL", "postgresql://", "postgresql://user:password@host/name"),
    ("DATABASE_URL", "sqlite:///", "sqlite:///path"),
    ("DATABASE_URL", "canary.sqlite3", "sqlite:///"),
]


def good(**changes: str) -> Config:
    config = read_config(NEEDED | changes)
    assert isinstance(config, Config), config
    return config


def problem(environment: dict[str, str]) -> str:
    """Return the one problem of an environment."""
    config = read_config(environment)
    assert isinstance(config, ConfigProblems)
    assert len(config.problems) == 1, config
    return str(config)


def test_silence_means_the_defaults() -> None:
    config = good()
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS
    assert good(**dict.fromkeys(("PORT", "LOG_LEVEL", "DATA_DIR"), "  ")).port == 8000


@pytest.mark.parametrize(("variable", "value", "field", "expected"), GOOD)
def test_a_good_value_is_taken(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(good(**{variable: value}), field) == expected


@pytest.mark.parametrize(("variable", "value", "field"), GOOD_SECRETS)
def test_a_good_secret_is_taken_and_kept_out_of_the_log(
    variable: str, value: str, field: str
) -> None:
    config = good(**{variable: value})
    secret = getattr(config, field)
    assert isinstance(secret, Secret)
    assert secret.reveal() == value
    assert value in config.secrets()


@pytest.mark.parametrize("variable", NEEDED)
def test_a_missing_variable_is_named_with_its_mend(variable: str) -> None:
    said = problem({name: value for name, value in NEEDED.items() if name != variable})
    assert said.startswith(f"- {variable} is missing: ")
    assert problem(NEEDED | {variable: " "}) == said


@pytest.mark.parametrize(("variable", "value", "mend"), MALFORMED)
def test_a_malformed_value_is_named_with_what_is_allowed(
    variable: str, value: str, mend: str
) -> None:
    said = problem(NEEDED | {variable: value})
    assert said.startswith(f"- {variable} ")
    assert mend in said
    assert repr(value) in said


@pytest.mark.parametrize(("variable", "value", "mend"), MALFORMED_SECRETS)
def test_a_malformed_secret_is_named_and_not_repeated(variable: str, value: str, mend: str) -> None:
    said = problem(NEEDED | {variable: value})
    assert said.startswith(f"- {variable} ")
    assert mend in said
    assert "canary" not in said


def test_all_problems_are_told_at_once() -> None:
    config = read_config({"PORT": "x", "LOG_LEVEL": "y"})
    assert isinstance(config, ConfigProblems)
    named = {text.split()[0] for text in config.problems}
    assert named == {*NEEDED, "PORT", "LOG_LEVEL"}


def test_polling_needs_no_public_address() -> None:
    environment = {name: value for name, value in NEEDED.items() if name != "WEBHOOK_BASE_URL"}
    config = read_config(environment | {"BOT_MODE": "polling"})
    assert isinstance(config, Config)
    assert config.webhook_base_url == ""


def test_a_configuration_shows_no_secret() -> None:
    config = good(
        WEBHOOK_SECRET_PATH="canary-path",
        WEBHOOK_SECRET_TOKEN="canary-word",
        KIE_CALLBACK_TOKEN="canary-callback",
        KIE_WEBHOOK_HMAC_KEY="canary-hmac",
    )
    for shown in (repr(config), str(config), f"{config}"):
        assert "canary" not in shown
        assert not any(secret in shown for secret in config.secrets())
    assert len(config.secrets()) == 7


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgres_address_is_a_secret_with_its_password(scheme: str) -> None:
    url = f"{scheme}://trt:canary%21pass@db.example:5432/trt"
    config = good(DATABASE_URL=url)
    assert isinstance(config.database, PostgresAddress)
    assert config.database.url.reveal() == url
    assert {url, "canary%21pass", "canary!pass"} <= set(config.secrets())
    assert "canary" not in repr(config)
    assert config.lease_terms == LeaseTerms(look_every_s=0.1)  # it is told of a release


def test_packages_are_put_into_order_and_no_number_is_sold_twice() -> None:
    money = good(STARS_PACKAGES="500, 50,50", TRANSFER_PACKAGES_RUB="300,99.50").money
    assert money.stars_packages == (50, 500)
    assert money.transfer_amounts_kopecks == (9_950, 30_000)
    for wrong in (",", "0", "50;100", "1,2,3,4,5,6,7,8,9,10,11"):
        assert problem(NEEDED | {"STARS_PACKAGES": wrong}).startswith("- STARS_PACKAGES")


def test_transfers_by_hand_need_somebody_who_looks_at_the_receipts() -> None:
    assert "ADMIN_ID" in problem(NEEDED | {"TRANSFER_REQUISITES": "card 1"})
    assert good(TRANSFER_REQUISITES="card 1", ADMIN_ID="5").money.admin_id == 5


IMPOSSIBLE: list[tuple[dict[str, str], str]] = [
    ({"LEASE_RENEW_S": "0.75"}, "LEASE_RENEW_S (0.75) must be less than half of LEASE_TRUST_S"),
    ({"LEASE_TRUST_S": "2"}, "LEASE_TRUST_S (2) must be less than LEASE_TTL_S (2) by 0.4"),
    ({"LEASE_TRUST_S": "1.7"}, "LEASE_TRUST_S (1.7) must be less than LEASE_TTL_S (2) by 0.4"),
    ({"LEASE_TTL_S": "1.8"}, "LEASE_TRUST_S (1.5) must be less than LEASE_TTL_S (1.8) by 0.4"),
    (
        {"LEASE_TRUST_S": "1", "LEASE_RENEW_S": "0.1"},
        "LEASE_TRUST_S (1) must be more than 1, which one renewal may take",
    ),
    (
        {"LEASE_TRUST_S": "0.5", "LEASE_RENEW_S": "0.1", "DATABASE_URL": "postgresql://db/trt"},
        "LEASE_TRUST_S (0.5) must be more than 0.5, which one renewal may take",
    ),
    ({"LEASE_LOOK_S": "2"}, "LEASE_LOOK_S (2) must be less than LEASE_TTL_S (2)"),
]


@pytest.mark.parametrize(("timings", "why"), IMPOSSIBLE)
def test_impossible_timings_of_the_lease_are_refused_by_name(
    timings: dict[str, str], why: str
) -> None:
    said = problem(NEEDED | timings)
    assert said.startswith(f"- {why}")
    assert ": " in said.removeprefix("- ")  # and what to do about it


def test_a_lease_that_is_trusted_for_a_little_longer_than_a_renewal_takes_is_possible() -> None:
    quick = {"LEASE_RENEW_S": "0.1", "LEASE_TTL_S": "2"}
    assert good(**quick, LEASE_TRUST_S="1.01").lease_terms.trust_s == 1.01
    quick["DATABASE_URL"] = "postgresql://db/trt"
    assert good(**quick, LEASE_TRUST_S="0.51").lease_terms.trust_s == 0.51


def test_derived_secrets_differ_and_do_not_show_the_token() -> None:
    config, other = good(), good(TELEGRAM_BOT_TOKEN="123456789:AAanother-token")
    derived = [
        config.webhook_secret_path,
        config.webhook_secret_token,
        config.kie_callback_token,
        other.webhook_secret_path,
        other.webhook_secret_token,
        other.kie_callback_token,
    ]
    revealed = [secret.reveal() for secret in derived]
    assert len(set(revealed)) == 6
    assert all(len(secret) == 32 for secret in revealed)
    token = TOKEN.partition(":")[2]
    assert not any(token in secret or secret in TOKEN for secret in revealed)
    assert good().webhook_secret_path.reveal() == revealed[0], "a restart keeps the address"
    assert config.webhook_path == f"/webhook/{revealed[0]}"


def test_the_bot_is_known_by_the_number_in_its_token() -> None:
    assert good().bot_id == 123456789


def test_a_migration_needs_to_know_only_the_database() -> None:
    assert read_database({"DATA_DIR": "/var/bot"}) == SQLiteAddress(Path("/var/bot/trt.sqlite3"))
    problems = read_database({"DATABASE_URL": "mysql://user:canary@db/trt"})
    assert isinstance(problems, ConfigProblems)
    assert "canary" not in str(problems)


def test_the_registry_needs_to_know_only_the_tariff() -> None:
    expected = Tariff(usd_to_rub=Decimal(80), multiplier=Decimal(3))
    assert read_tariff({"USD_TO_RUB": "80", "PRICE_MULTIPLIER": "3"}) == expected
    problems = read_tariff({})
    assert isinstance(problems, ConfigProblems)
    assert [text.split()[0] for text in problems.problems] == ["USD_TO_RUB"]


@pytest.mark.parametrize("mode", BotMode)
def test_no_rate_is_assumed_however_updates_arrive(mode: BotMode) -> None:
    problems = read_config({**NEEDED, "BOT_MODE": mode, "USD_TO_RUB": " "})
    assert isinstance(problems, ConfigProblems)
    assert [text.split(":")[0] for text in problems.problems] == ["USD_TO_RUB is missing"]
