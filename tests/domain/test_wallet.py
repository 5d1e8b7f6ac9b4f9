"""What the dialog says about money."""

from attrs import evolve

from tests.domain.talk import NOW, TILL, Talk, labels, ready, reason, shown
from trt.domain.ids import ModelId, UserId
from trt.domain.inputs import (
    ChargeId,
    FileId,
    FileSent,
    MediaSent,
    PaymentReceived,
    PaymentRefunded,
)
from trt.domain.money_news import AdminReport, Credited, MoneyNews, NothingNew, WentBack
from trt.domain.payments import Source, TopUp
from trt.domain.reasons import Reason
from trt.domain.replies import AnswerCallback, ScreenId, SendInvoice
from trt.domain.statement import LineState, StatementLine
from trt.domain.till import TransferProvider
from trt.domain.turn import Announce, HandIn, Turn

PAID = PaymentReceived(
    currency="XTR",
    total_stars=100,
    payload="",
    telegram_payment_charge_id=ChargeId("stx"),
    provider_payment_charge_id="",
)
REFUNDED = PaymentRefunded(
    currency="XTR",
    total_stars=100,
    payload="",
    telegram_payment_charge_id=ChargeId("stx"),
    provider_payment_charge_id="",
)
PHOTO = FileSent(
    file_id=FileId("file-1"), kind="photo", size_bytes=1, mime_type="image/jpeg", caption=""
)


def hears(talk: Talk, news: MoneyNews, *, refunded: bool = False) -> Turn:
    talk.situation = evolve(talk.situation, money_news=news)
    turn = talk.do(REFUNDED if refunded else PAID)
    talk.situation = evolve(talk.situation, money_news=None)
    return turn


def with_transfers(talk: Talk) -> Talk:
    provider = TransferProvider(requisites="Card 1 & 2", amounts_kopecks=(10_000,))
    till = evolve(TILL, transfer=provider, admin_id=UserId(5))
    talk.situation = evolve(talk.situation, till=till)
    return talk


def test_the_wallet_is_a_statement() -> None:
    talk = Talk(balance_kopecks=9_937)

    def line(
        code: str, kopecks: int, state: LineState = LineState.DONE, model: str | None = None
    ) -> StatementLine:
        return StatementLine(
            at=NOW,
            code=code,
            state=state,
            amount_kopecks=kopecks,
            model_id=None if model is None else ModelId(model),
        )

    talk.situation = evolve(
        talk.situation,
        reserved_kopecks=63,
        statement=(
            line("reserve", -63, LineState.HELD, "z-image"),
            line("reserve", 0, LineState.UNDONE, "gone<b>"),
            line("payment", 10_140),
            line("welcome", 10_000),
        ),
    )
    text = shown(talk.command("balance")).text
    assert "99,37 ₽" in text
    for said in (
        "02.01 06:04 · −0,63 ₽ · Z-Image 🔒",
        "02.01 06:04 · 0 ₽ · gone&lt;b&gt; ↩️",
        "02.01 06:04 · <b>+101,40 ₽</b> · пополнение",
        "<b>+100 ₽</b> · подарок",
    ):
        assert said in text, text


def test_a_package_is_an_invoice_with_an_offer_that_we_signed() -> None:
    talk = Talk()
    turn = talk.command("topup")
    assert labels(turn)[:2] == ["⭐ 50 · 50,70 ₽", "⭐ 100 · 101,40 ₽"]
    turn = talk.press("topup:stars:100")
    [answer, invoice] = turn.effects
    assert isinstance(answer, AnswerCallback)
    assert isinstance(invoice, SendInvoice)
    offer = TILL.stars.seal.read(invoice.payload)
    assert offer is not None
    assert (invoice.price_stars, offer.stars, offer.amount_kopecks) == (100, 100, 10_140)
    assert (offer.expires_at - NOW).total_seconds() > 23 * 3600
    assert "⭐100" in invoice.pay_text


def test_a_package_that_is_not_sold_any_more_is_outdated() -> None:
    for data in ("topup:stars:77", "topup:transfer:10000", "topup:gold:1"):
        assert reason(Talk().tap(data)) is Reason.STATE_MISMATCH


def test_what_lacks_money_offers_to_top_up_and_names_what_is_missing() -> None:
    talk = ready(balance_kopecks=1000)
    talk.press("confirm:")
    turn = talk.press("topup")
    assert "Для заказа не хватает: <b>4,04 ₽</b>" in shown(turn).text
    talk.press("keep:")
    assert talk.session.screen_id is ScreenId.CONFIRM


def test_after_a_payment_the_order_that_lacked_money_is_shown_again_and_not_started() -> None:
    talk = ready(balance_kopecks=1000)
    talk.press("confirm:")
    talk.press("topup")
    talk.situation = evolve(talk.situation, balance_kopecks=11_140)
    turn = hears(talk, Credited(amount_kopecks=10_140))
    assert shown(turn).screen_id is ScreenId.CONFIRM
    assert "Оплата получена: <b>101,40 ₽</b>" in shown(turn).text
    assert "Останется" in shown(turn).text
    talk.press("confirm:")
    assert talk.session.draft is None


def test_without_an_order_a_payment_is_confirmed_and_nothing_is_forgotten() -> None:
    talk = Talk(balance_kopecks=10_140)
    turn = hears(talk, Credited(amount_kopecks=10_140))
    assert "Теперь на балансе 101,40 ₽" in shown(turn).text
    assert talk.session.screen_id is ScreenId.MAIN_MENU


def test_a_payment_that_was_told_before_is_not_told_again() -> None:
    talk = ready()
    turn = hears(talk, NothingNew())
    assert turn.effects == ()
    assert talk.session.draft is not None


def test_a_payment_that_went_back_is_told() -> None:
    turn = hears(Talk(balance_kopecks=0), WentBack(amount_kopecks=10_140), refunded=True)
    assert "Платёж на 101,40 ₽ возвращён" in shown(turn).text


def test_a_transfer_shows_where_to_and_waits_for_a_receipt() -> None:
    talk = with_transfers(Talk())
    talk.command("topup")
    turn = talk.press("topup:transfer:")
    [announced] = [effect for effect in turn.effects if isinstance(effect, Announce)]
    assert announced.topup.amount_kopecks == 10_000
    assert "Card 1 &amp; 2" in shown(turn).text
    talk.situation = evolve(talk.situation, open_topup=announced.topup)
    turn = talk.do(PHOTO)
    [handed] = [effect for effect in turn.effects if isinstance(effect, HandIn)]
    assert (handed.topup, handed.file_id, handed.is_photo) == (announced.topup, "file-1", True)
    assert not [effect for effect in talk.do(PHOTO).effects if isinstance(effect, HandIn)]


def test_a_photo_is_a_receipt_only_while_one_is_awaited() -> None:
    talk = with_transfers(Talk())
    topup = TopUp(order_id=talk.situation.fresh_order_id, user_id=UserId(1), amount_kopecks=10_000)
    talk.situation = evolve(talk.situation, open_topup=topup)
    assert reason(talk.do(PHOTO)) is Reason.UNSUPPORTED_UPDATE
    talk.command("topup")
    talk.press("topup:transfer:")
    assert reason(talk.do(MediaSent(kind="sticker"))) is Reason.UNSUPPORTED_UPDATE


def test_what_the_admin_did_is_told_to_nobody_else() -> None:
    talk = Talk()
    assert reason(talk.command("credit")) is Reason.UNSUPPORTED_UPDATE
    assert reason(talk.tap("receipt:0123456789abcdef:ok")) is Reason.UNKNOWN_CALLBACK
    talk.situation = evolve(talk.situation, money_news=AdminReport(key="admin.usage"))
    assert "/refund" in shown(talk.command("credit")).text


def test_terms_privacy_and_help_with_payments_are_there_in_both_languages() -> None:
    for language in ("ru", "en"):
        talk = Talk(language_code=language)
        assert "@support" in shown(talk.command("paysupport")).text
        assert "<code>1</code>" in shown(talk.command("paysupport")).text
        assert "/paysupport" in shown(talk.command("terms")).text
        assert "/paysupport" in shown(talk.command("privacy")).text


def test_stars_are_the_only_way_that_is_open_by_default() -> None:
    assert [provider.source for provider in TILL.providers] == [Source.STARS]
