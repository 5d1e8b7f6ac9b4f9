"""Refunder: asks Telegram to give back the payments that the admin wants given back."""

from collections.abc import Callable
from typing import assert_never

from attrs import frozen

from trt.actors.money_desk import MoneyDesk
from trt.actors.money_office import MoneyOffice
from trt.domain.inputs import ChargeId
from trt.domain.payments import PaymentKey
from trt.storage import payments
from trt.storage.database import Database
from trt.storage.payments import PaymentRow
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import (
    AlreadyRefunded,
    Blocked,
    CallbackExpired,
    ChatNotFound,
    MessageGone,
    OutcomeUnknown,
    RateLimited,
    Refunded,
    RefundOutcome,
    Rejected,
)

LOOK_EVERY_S = 2.0
RETRY_S = 30.0
AT_ONCE_MAX = 20


@frozen(kw_only=True)
class RefunderParts:
    """What the refunder needs of the active branch."""

    db: Database
    telegram: TelegramClient
    office: MoneyOffice
    wake_delivery: Callable[[], None]


class Refunder:
    """Looks for payments that are to go back; their money is held already.

    Receives nothing; the rows are the truth, so a crash between the call and its note asks once
    more, and "given back before" is success. What Telegram refuses is the user's money again.
    """

    def __init__(self, parts: RefunderParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Give back until asked to stop."""
        parts = self._parts
        ctx.ready()
        pause_s = LOOK_EVERY_S
        while await ctx.sleep(pause_s):
            pause_s = LOOK_EVERY_S
            rows = await parts.db.transact(
                payments.refunding, shard=parts.office.shard, limit=AT_ONCE_MAX
            )
            for row in rows:
                pause_s = max(pause_s, await self._give_back(row))

    async def _give_back(self, row: PaymentRow) -> float:
        """Ask once; returns the seconds until it may be asked again, zero when it is settled."""
        payment = row.payment
        try:
            outcome = await self._parts.telegram.stars.refund_star_payment(
                payment.user_id, ChargeId(payment.key.external_id)
            )
        except (TelegramUnavailable, TelegramUnauthorized):
            return RETRY_S
        return await self._settle(row, outcome)

    async def _settle(self, row: PaymentRow, outcome: RefundOutcome) -> float:
        match outcome:
            case Refunded() | AlreadyRefunded():
                await self._end(row, is_done=True)
            case Rejected(description=description):
                await self._end(row, is_done=False, detail=description)
            case Blocked() | ChatNotFound() | MessageGone() | CallbackExpired():
                await self._end(row, is_done=False, detail=outcome.description)
            case RateLimited(retry_after_s=retry_after_s):
                return retry_after_s
            case OutcomeUnknown():
                return RETRY_S
            case _:
                assert_never(outcome)
        return 0.0

    async def _end(self, row: PaymentRow, *, is_done: bool, detail: str = "") -> None:
        def end(desk: MoneyDesk, key: PaymentKey) -> None:
            desk.end_refund(key, is_done=is_done, detail=detail)

        await self._parts.office.transact(row.cid, end, row.payment.key)
        self._parts.wake_delivery()
