"""The screens about money: statement, ways to pay, receipts, terms; and what the admin reads."""

from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from typing import Final, assert_never

from trt.domain import callback_data as tap
from trt.domain.copy import Copy
from trt.domain.ids import DraftId
from trt.domain.ledger import Code
from trt.domain.menu_screens import button, home_row
from trt.domain.model_card import Catalogue
from trt.domain.money_news import AdminReport, PaymentList
from trt.domain.payments import OrderId, Source, TopUp
from trt.domain.replies import Button, Keyboard, PassOnFile, Screen, ScreenId
from trt.domain.statement import LineState, StatementLine
from trt.domain.till import Till, TransferAsked

STATEMENT_LINES_MAX: Final = 10
_MOSCOW: Final = timezone(timedelta(hours=3))
"""What the statement's times are told in; it says so."""
_LINE_KEYS: Final[Mapping[str, str]] = {
    Code.PAYMENT: "statement.payment",
    Code.REFUND: "statement.refund",
    Code.TAKEN_BACK: "statement.taken_back",
    Code.COVERED: "statement.covered",
    Code.ADMIN_CREDIT: "statement.admin_credit",
    Code.ADMIN_DEBIT: "statement.admin_debit",
    "reserve": "statement.job",
}
"""Every other code is a gift's purpose."""
_MARKS: Final[Mapping[LineState, str]] = {
    LineState.DONE: "statement.done",
    LineState.HELD: "statement.held",
    LineState.UNDONE: "statement.undone",
}
_BUY_KEYS: Final[Mapping[Source, str]] = {
    Source.STARS: "topup.stars_package",
    Source.TRANSFER: "topup.transfer_package",
}


# The user's money.


def wallet(
    catalogue: Catalogue,
    copy: Copy,
    balance_kopecks: int,
    reserved_kopecks: int,
    statement: Sequence[StatementLine],
) -> Screen:
    """Return what the user can spend, what is held, and what moved it last.

    Args:
        catalogue: For the models' names.
        copy: The words.
        balance_kopecks: What can be spent.
        reserved_kopecks: What is held.
        statement: Newest first.
    """
    top = [copy.text("balance.available", amount=copy.money(balance_kopecks))]
    if reserved_kopecks:
        top.append(copy.text("balance.reserved", amount=copy.money(reserved_kopecks)))
    lines = [_line(catalogue, copy, line) for line in statement]
    paragraphs = ["\n".join(top)]
    if lines:
        paragraphs.append("\n".join([copy.text("statement.title"), *lines]))
    paragraphs.append(copy.text("balance.promise"))
    return Screen(
        screen_id=ScreenId.BALANCE,
        text="\n\n".join(paragraphs),
        keyboard=((top_up_button(copy),), home_row(copy)),
    )


def _line(catalogue: Catalogue, copy: Copy, line: StatementLine) -> str:
    title = ""
    if line.model_id is not None:
        card = catalogue.models.get(line.model_id)
        title = line.model_id if card is None else card.title
    sign = "+" if line.amount_kopecks > 0 else ""
    return copy.text(
        _MARKS[line.state],
        date=f"{line.at.astimezone(_MOSCOW):%d.%m %H:%M}",
        amount=sign + copy.money(line.amount_kopecks),
        what=copy.plain(_LINE_KEYS.get(line.code, "statement.gift"), title=title),
    )


def top_up_button(copy: Copy) -> Button:
    """Return the button that leads to the ways to pay."""
    return button(copy.plain("button.topup"), tap.OpenTopUp())


def top_up(
    till: Till, copy: Copy, balance_kopecks: int, missing_kopecks: int, draft_id: DraftId | None
) -> Screen:
    """Return the ways to pay.

    Args:
        till: What is open.
        copy: The words.
        balance_kopecks: What there is.
        missing_kopecks: What the open order lacks; zero if there is none.
        draft_id: The order to go back to, if one is open.
    """
    packages = tuple(
        (
            button(
                copy.plain(
                    _BUY_KEYS[provider.source],
                    size=package.size,
                    amount=copy.money(package.amount_kopecks),
                ),
                tap.PickPackage(provider.source, package.size),
            ),
        )
        for provider in till.providers
        for package in provider.packages
    )
    lines = [
        copy.text("topup.title"),
        copy.text("topup.balance", amount=copy.money(balance_kopecks)),
    ]
    if missing_kopecks > 0:
        lines.append(copy.text("topup.missing", amount=copy.money(missing_kopecks)))
    return Screen(
        screen_id=ScreenId.TOP_UP,
        text="\n\n".join([lines[0], "\n".join(lines[1:]), copy.text("topup.after")]),
        keyboard=(*packages, _way_back(copy, draft_id)),
    )


def transfer(asked: TransferAsked, copy: Copy, draft_id: DraftId | None) -> Screen:
    """Return where to transfer how much, and what comes then."""
    return Screen(
        screen_id=ScreenId.TRANSFER,
        text=copy.text(
            "transfer.text",
            amount=copy.money(asked.topup.amount_kopecks),
            requisites=asked.requisites,
            order=asked.topup.order_id,
        ),
        keyboard=(_way_back(copy, draft_id),),
    )


def receipt_taken(copy: Copy) -> Screen:
    """Return that the admin has the receipt now."""
    return Screen(
        screen_id=ScreenId.NOTICE, text=copy.text("transfer.taken"), keyboard=(home_row(copy),)
    )


def receipt(topup: TopUp, file_id: str, copy: Copy, *, is_photo: bool) -> PassOnFile:
    """Return what the admin sees of an announced transfer."""
    return PassOnFile(
        file_id=file_id,
        is_photo=is_photo,
        caption=copy.text(
            "admin.receipt",
            amount=copy.money(topup.amount_kopecks),
            user=topup.user_id,
            order=topup.order_id,
        ),
        keyboard=_decision(topup.order_id, copy),
    )


def _decision(order_id: OrderId, copy: Copy) -> Keyboard:
    return (
        (
            button(copy.plain("button.approve"), tap.DecideReceipt(order_id, is_approved=True)),
            button(copy.plain("button.reject"), tap.DecideReceipt(order_id, is_approved=False)),
        ),
    )


def _way_back(copy: Copy, draft_id: DraftId | None) -> tuple[Button, ...]:
    there = tap.OpenBalance() if draft_id is None else tap.KeepValue(draft_id)
    return (button(copy.plain("button.back"), there), *home_row(copy))


# News that come without the user's doing.


def money_notice(
    copy: Copy, key: str, amount_kopecks: int, balance_kopecks: int, draft_id: DraftId | None
) -> Screen:
    """Return that money came or went, what there is now, and the way on to an open order.

    Args:
        copy: The words.
        key: Which news: a text with `{amount}` and `{balance}`.
        amount_kopecks: How much came or went.
        balance_kopecks: What can be spent now.
        draft_id: The open order, if there is one.
    """
    on = (
        ()
        if draft_id is None
        else ((button(copy.plain("button.resume"), tap.KeepValue(draft_id)),),)
    )
    return Screen(
        screen_id=ScreenId.NOTICE,
        text=money_words(copy, key, amount_kopecks, balance_kopecks),
        keyboard=(*on, (button(copy.plain("button.balance"), tap.OpenBalance()), *home_row(copy))),
    )


def money_words(copy: Copy, key: str, amount_kopecks: int, balance_kopecks: int) -> str:
    """Return the words alone."""
    return copy.text(key, amount=copy.money(amount_kopecks), balance=copy.money(balance_kopecks))


# Terms.


def legal(copy: Copy, key: str, **values: str | int) -> Screen:
    """Return the terms or the help with payments."""
    return Screen(
        screen_id=ScreenId.LEGAL, text=copy.text(key, **values), keyboard=(home_row(copy),)
    )


# The admin.


def admin_answer(news: AdminReport | PaymentList, copy: Copy) -> Screen:
    """Return how an order of the admin's ended."""
    match news:
        case AdminReport(key=key, values=values, kopecks=kopecks):
            amounts = {name: copy.money(amount) for name, amount in kopecks.items()}
            text = copy.text(key, **values, **amounts)
        case PaymentList(payments=listed):
            text = "\n".join(
                copy.text(
                    "admin.payment",
                    date=f"{each.at.astimezone(_MOSCOW):%d.%m.%Y %H:%M}",
                    amount=copy.money(each.payment.amount_kopecks),
                    stars=each.payment.stars or 0,
                    state=each.state,
                    charge=each.payment.key.external_id,
                )
                for each in listed
            ) or copy.text("admin.no_payments")
        case _:
            assert_never(news)
    return Screen(screen_id=ScreenId.NOTICE, text=text)
