"""What the admin asks for: an order about one user's money, read from a command or a button."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from attrs import frozen

from trt.domain import callback_data as tap
from trt.domain.callback_data import DecideReceipt
from trt.domain.ids import UserId
from trt.domain.inputs import ButtonTapped, CommandSent, UserEvent
from trt.domain.money_news import AdminReport

ADMIN_COMMANDS: Final = frozenset({"credit", "debit", "refund", "payments"})
KOPECKS_MAX: Final = 100_000_000
_WHOM = re.compile(r"([1-9][0-9]{0,15})\s+([0-9.,]{1,12})\s+(\S.{1,300})", re.DOTALL)
_WHICH = re.compile(r"(\S{1,200})\s+(\S.{1,300})", re.DOTALL)


@frozen(kw_only=True)
class Adjust:
    """Give a user money, or take it."""

    user_id: UserId
    amount_kopecks: int
    is_credit: bool
    reason: str


@frozen(kw_only=True)
class GiveBack:
    """Give a payment back."""

    external_id: str
    reason: str


@frozen(kw_only=True)
class ListPayments:
    """Show a user's last payments."""

    user_id: UserId


MoneyOrder = Adjust | GiveBack | DecideReceipt
AdminOrder = MoneyOrder | ListPayments


def read_order(event: UserEvent) -> AdminOrder | AdminReport | None:
    """Return what the admin asks for.

    Returns:
        None when the event is no order at all; how to write it when it is one and unreadable.
    """
    match event:
        case ButtonTapped(data=data):
            decision = tap.parse(data)
            return decision if isinstance(decision, DecideReceipt) else None
        case CommandSent(command=command, argument=argument) if command in ADMIN_COMMANDS:
            return _of_command(command, argument.strip()) or AdminReport(key="admin.usage")
        case _:
            return None


def _of_command(command: str, argument: str) -> AdminOrder | None:
    if command == "payments":
        is_user = re.fullmatch(r"[1-9][0-9]{0,15}", argument)
        return ListPayments(user_id=UserId(int(argument))) if is_user else None
    if command == "refund":
        which = _WHICH.fullmatch(argument)
        return which and GiveBack(external_id=which[1], reason=which[2].strip())
    whom = _WHOM.fullmatch(argument)
    kopecks = None if whom is None else kopecks_of(whom[2])
    if whom is None or kopecks is None:
        return None
    return Adjust(
        user_id=UserId(int(whom[1])),
        amount_kopecks=kopecks,
        is_credit=command == "credit",
        reason=whom[3].strip(),
    )


def kopecks_of(rubles: str) -> int | None:
    """Return an amount that somebody typed, in kopecks; None if it is none."""
    try:
        kopecks = Decimal(rubles.replace(",", ".")) * 100
    except InvalidOperation:
        return None
    if kopecks != kopecks.to_integral_value() or not 0 < kopecks <= KOPECKS_MAX:
        return None
    return int(kopecks)
