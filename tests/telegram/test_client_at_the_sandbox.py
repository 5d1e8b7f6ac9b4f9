"""The client and the pretended Telegram mean the same: each is strict where the other writes."""

import io

import msgspec
import trio
from attrs import frozen
from PIL import Image
from trio.testing import MockClock

from tests.sandbox.in_process import TOKEN, Outside, outside
from trt.domain.ids import ChatId, MessageId, UserId
from trt.domain.inputs import (
    ChargeId,
    FileSent,
    PaymentEvent,
    PaymentReceived,
    PaymentRefunded,
    PreCheckout,
)
from trt.sandbox.faults import CutAfter, Slow
from trt.sandbox.telegram_rates import NO_LIMITS
from trt.sandbox.telegram_stars import CheckoutState
from trt.telegram.client import TelegramClient
from trt.telegram.outcomes import (
    AlbumSent,
    AlreadyRefunded,
    CallbackExpired,
    Direction,
    Done,
    FileFlaw,
    LinkMade,
    OutcomeUnknown,
    Rejected,
    Sent,
    UserFile,
)
from trt.telegram.payments import read_payment
from trt.telegram.requests import AlbumItem
from trt.telegram.stars import Invoice
from trt.telegram.updates import Unsupported, read_event

INVOICE = Invoice(title="Пакет", description="100 ₽", payload="order-1", price_stars=50)


@frozen
class File:
    data: bytes
    name: str = "a.png"
    content_type: str = "image/png"


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "PNG")
    return out.getvalue()


def client(out: Outside) -> TelegramClient:
    return TelegramClient(out.http, "https://telegram.test", TOKEN)


def payload(out: Outside, update_id: int | None) -> bytes:
    assert update_id is not None
    return msgspec.json.encode(out.telegram.update(update_id).body)


def told(out: Outside, update_id: int | None) -> PaymentEvent:
    read = read_payment(payload(out, update_id))
    assert not isinstance(read, Unsupported)
    return read[1]


async def test_a_payment_and_its_refund(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        stars, user = client(out).stars, out.started_user()
        assert type(await stars.send_invoice(ChatId(user.user_id), INVOICE, "XTR 50")) is Sent
        checkout = user.pay()
        asked = told(out, checkout.update_id)
        assert isinstance(asked, PreCheckout)
        assert (asked.total_stars, asked.payload) == (50, "order-1")
        assert await stars.answer_pre_checkout_query(asked.query_id) == Done()
        paid = told(out, checkout.payment_update_id)
        assert isinstance(paid, PaymentReceived)
        charge_id = paid.telegram_payment_charge_id
        [line] = await stars.get_star_transactions()
        assert (line.charge_id, line.direction, line.user_id, line.payload) == (
            charge_id,
            Direction.IN,
            user.user_id,
            "order-1",
        )
        assert await stars.get_my_star_balance() == 50
        out.telegram.faults.add("refundStarPayment", CutAfter())
        refund = (UserId(user.user_id), charge_id)
        assert type(await stars.refund_star_payment(*refund)) is OutcomeUnknown
        assert await stars.refund_star_payment(*refund) == AlreadyRefunded()
        refunded = told(out, out.telegram.pending[-1].update_id)
        assert isinstance(refunded, PaymentRefunded)
        assert refunded.telegram_payment_charge_id == charge_id
        lines = await stars.get_star_transactions(offset=1)
        assert [(one.charge_id, one.direction) for one in lines] == [(charge_id, Direction.OUT)]
        unknown = await stars.refund_star_payment(UserId(user.user_id), ChargeId("none"))
        assert type(unknown) is Rejected


async def test_a_payment_that_is_refused_or_answered_too_late(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        stars, user = client(out).stars, out.telegram.user()
        link = await stars.create_invoice_link(INVOICE)
        assert isinstance(link, LinkMade)
        for refusal, state in (("Устарел", CheckoutState.DECLINED), (None, CheckoutState.PAID)):
            checkout = user.pay(link.url)
            asked = told(out, checkout.update_id)
            assert isinstance(asked, PreCheckout)
            outcome = await stars.answer_pre_checkout_query(asked.query_id, refusal=refusal)
            assert (outcome, user.state(checkout)) == (Done(), state)
        out.telegram.faults.add("answerPreCheckoutQuery", Slow(11))
        asked = told(out, user.pay(link.url).update_id)
        assert isinstance(asked, PreCheckout)
        assert type(await stars.answer_pre_checkout_query(asked.query_id)) is CallbackExpired


async def test_paging_misses_no_line_that_comes_meanwhile(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        stars, user = client(out).stars, out.telegram.user()
        for number in range(5):
            user.pay_out_of_the_blue(f"order-{number}", 1)
        seen: list[str | None] = []
        while page := await stars.get_star_transactions(offset=len(seen), limit=2):
            seen += [line.payload for line in page]
            if len(seen) == 4:
                user.pay_out_of_the_blue("order-5", 1)
        assert seen == [f"order-{number}" for number in range(6)]


async def test_the_next_best_way_is_known_from_the_refusal(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock, limits=NO_LIMITS) as out:
        telegram, chat = client(out), ChatId(out.started_user().user_id)
        for data, flaw in (
            (png(9, 9) + bytes(10 * 1024 * 1024), FileFlaw.TOO_BIG),
            (png(2100, 100), FileFlaw.BAD_DIMENSIONS),
            (b"no picture", FileFlaw.WRONG_TYPE),
        ):
            outcome = await telegram.send_photo(chat, File(data))
            assert isinstance(outcome, Rejected)
            assert outcome.flaw is flaw
            assert type(await telegram.send_document(chat, File(data))) is Sent
        outcome = await telegram.send_document(chat, File(bytes(50 * 1024 * 1024 + 1)))
        assert isinstance(outcome, Rejected)
        assert outcome.flaw is FileFlaw.TOO_BIG
        outcome = await telegram.send_photo(chat, "https://nowhere.test/a.png")
        assert isinstance(outcome, Rejected)
        assert outcome.flaw is FileFlaw.UNREACHABLE


async def test_an_album_arrives_whole_or_says_why(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        telegram, user = client(out), out.started_user()
        items = [AlbumItem(kind="photo", file=File(png(4, 4)))] * 3
        outcome = await telegram.send_media_group(ChatId(user.user_id), items, "<b>вот</b>")
        assert outcome == AlbumSent(tuple(MessageId(one.message_id) for one in user.messages[1:]))
        assert [message.text for message in user.messages[1:]] == ["вот", "", ""]
        items[1] = AlbumItem(kind="photo", file=File(png(2100, 4)))
        refused = await telegram.send_media_group(ChatId(user.user_id), items)
        assert isinstance(refused, Rejected)
        assert refused.flaw is FileFlaw.BAD_DIMENSIONS


async def test_a_users_photo_comes_as_bytes(autojump_clock: MockClock) -> None:
    async with outside(autojump_clock) as out:
        telegram, user, picture = client(out), out.telegram.user(), png(4, 4)
        read = read_event(payload(out, user.send_photo(picture, "оживи")))
        assert not isinstance(read, Unsupported)
        sent = read[1]
        assert isinstance(sent, FileSent)
        assert (sent.kind, sent.size_bytes, sent.caption) == ("photo", len(picture), "оживи")
        file = await telegram.download(sent.file_id)
        assert isinstance(file, UserFile)
        assert file.data == picture
        await trio.sleep(2 * 60 * 60)
        assert await telegram.download(sent.file_id) == file
