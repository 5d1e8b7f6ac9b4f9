"""StarReconciler: compares our payments with Telegram's own list, in both directions."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from attrs import define, frozen

from trt.actors.chore import keep_doing
from trt.actors.money_desk import MoneyDesk
from trt.actors.money_office import MoneyOffice
from trt.domain.ids import Cid, UserId
from trt.domain.payments import Payment, PaymentKey, PaymentState, Source, star_payment
from trt.domain.shard import FIRST_SHARD, shard_of
from trt.storage import payments, reconciliations
from trt.storage.database import Database, Transaction
from trt.storage.payments import PaymentRow
from trt.supervision import Context
from trt.telegram.client import TelegramClient
from trt.telegram.errors import TelegramUnauthorized, TelegramUnavailable
from trt.telegram.outcomes import INVOICE_PAYMENT, Direction, StarTransaction
from trt.telegram.stars import TRANSACTIONS_MAX
from trt.telemetry.events import EventName

EVERY_S = 3600.0
"""One call as a rule; what it finds is somebody's money."""
RETRY_S = 60.0
YOUNG_S = 60.0
"""The update of such a payment is surely still on its way: it brings the better words."""
UNKNOWN_AFTER_S = 3600.0
UNKNOWN_MAX = 20


@frozen(kw_only=True)
class ReconcilerParts:
    """What the reconciler needs of the active branch."""

    db: Database
    telegram: TelegramClient
    office: MoneyOffice
    shards: int
    wake_delivery: Callable[[], None]


@define
class _Found:
    """What one look through the list found."""

    seen: int = 0
    credited: int = 0
    taken_back: int = 0
    other: int = 0
    unknown: int = 0


class StarReconciler:
    """Credits what no update told us of, takes back what went back, and names what does not match.

    Only what was paid for an invoice of ours is credited: the list is as old as the bot.

    Receives nothing. Each shard looks after its own users; lines of nobody's are the first one's.
    A restart goes on from where the list was read to; reading a line twice changes nothing.
    """

    def __init__(self, parts: ReconcilerParts) -> None:
        self._parts = parts

    async def run(self, ctx: Context[None]) -> None:
        """Look soon after the start and then every hour."""
        await keep_doing(ctx, self._look)

    async def _look(self) -> float:
        """Read the list from where we were to its end; returns the seconds until the next look."""
        parts, found = self._parts, _Found()
        shard = parts.office.shard
        before = await parts.db.transact(reconciliations.last, shard)
        read = before.lines_read
        # A page is read again: nobody promises that no line is ever put in late.
        offset = max(0, read - TRANSACTIONS_MAX)
        try:
            while True:
                lines = await parts.telegram.stars.get_star_transactions(offset)
                ripe = self._ripe(lines)
                for number, line in enumerate(ripe, offset):
                    await self._compare(line, found, is_new=number >= read)
                offset += len(ripe)
                if len(lines) < TRANSACTIONS_MAX or len(ripe) < len(lines):
                    break
        except (TelegramUnavailable, TelegramUnauthorized):
            return RETRY_S
        read = max(read, offset)
        await parts.db.transact(
            reconciliations.note,
            shard,
            lines_read=read,
            lines_other=before.lines_other + found.other,
            now=parts.office.sources.now(),
        )
        await self._name_unknown(found)
        parts.office.events.emit(
            EventName.STARS_RECONCILED,
            cid=self._cid(),
            seen=found.seen,
            credited=found.credited,
            taken_back=found.taken_back,
            other=found.other,
            unknown=found.unknown,
        )
        return EVERY_S

    def _ripe(self, lines: Sequence[StarTransaction]) -> Sequence[StarTransaction]:
        """Leave out the newest lines: the list is in order, so they come again next time."""
        limit = self._parts.office.sources.now() - timedelta(seconds=YOUNG_S)
        return [line for line in lines if line.at <= limit]

    async def _compare(self, line: StarTransaction, found: _Found, *, is_new: bool) -> None:
        parts = self._parts
        payment = self._payment(line)
        if payment is None:
            if is_new and parts.office.shard == FIRST_SHARD and line.direction is Direction.OUT:
                found.other += 1
                parts.office.events.emit(
                    EventName.STARS_WENT,
                    cid=self._cid(),
                    external_id=line.charge_id,
                    stars=line.amount_stars,
                    kind=line.kind,
                )
            return
        if shard_of(payment.user_id, parts.shards) != parts.office.shard:
            return
        found.seen += 1
        known = await parts.db.transact(payments.find, payment.key)
        if known is None and payment.order_id is None:
            # Before us others may have sold with this bot: what that bought, they gave.
            if is_new:
                self._name_foreign(line)
            return
        if line.direction is Direction.IN:
            await self._came(payment, known, found)
        elif known is None or known.state in {PaymentState.CREDITED, PaymentState.REFUNDING}:
            await self._went(payment, found)

    def _name_foreign(self, line: StarTransaction) -> None:
        self._parts.office.events.emit(
            EventName.STARS_FOREIGN,
            cid=self._cid(),
            user_id=line.user_id,
            external_id=line.charge_id,
            stars=line.amount_stars,
            kind=line.direction,
        )

    def _payment(self, line: StarTransaction) -> Payment | None:
        if line.kind != INVOICE_PAYMENT or line.user_id is None or line.amount_stars <= 0:
            return None
        stars = self._parts.office.till.stars
        user_id, payload = UserId(line.user_id), line.payload or ""
        return star_payment(
            line.charge_id, user_id, line.amount_stars, payload, stars.seal, stars.rate
        )

    async def _came(self, payment: Payment, known: PaymentRow | None, found: _Found) -> None:
        parts = self._parts
        if known is not None:
            await parts.db.transact(self._confirm, payment.key)
            return
        if await parts.office.transact(self._cid(), _credit, payment):
            found.credited += 1
            parts.wake_delivery()

    async def _went(self, payment: Payment, found: _Found) -> None:
        if await self._parts.office.transact(self._cid(), _take_back, payment):
            found.taken_back += 1
            self._parts.wake_delivery()

    def _confirm(self, tx: Transaction, key: PaymentKey) -> None:
        office = self._parts.office
        payments.confirm(tx, [key], epoch=office.epoch, now=office.sources.now())

    async def _name_unknown(self, found: _Found) -> None:
        office = self._parts.office
        rows = await self._parts.db.transact(
            payments.unconfirmed,
            shard=office.shard,
            before=office.sources.now() - timedelta(seconds=UNKNOWN_AFTER_S),
            limit=UNKNOWN_MAX,
        )
        for row in rows:
            assert row.payment.key.source == Source.STARS
            found.unknown += 1
            office.events.emit(
                EventName.STARS_UNKNOWN,
                cid=row.cid,
                user_id=row.payment.user_id,
                external_id=row.payment.key.external_id,
                stars=row.payment.stars,
                amount_kopecks=row.payment.amount_kopecks,
            )

    def _cid(self) -> Cid:
        return Cid(self._parts.office.sources.token(8))


def _credit(desk: MoneyDesk, payment: Payment) -> bool:
    is_new = desk.credit(payment, found_by="reconciliation")
    if is_new:
        desk.notify(payment.user_id, "paid.text", payment.amount_kopecks)
    payments.confirm(desk.tx, [payment.key], epoch=desk.epoch, now=desk.now)
    return is_new


def _take_back(desk: MoneyDesk, payment: Payment) -> bool:
    gone = desk.take_back(payment, found_by="reconciliation")
    if gone is not None:
        desk.notify(payment.user_id, "paid.went_back", gone.amount_kopecks)
    return gone is not None
