"""The steps about money: the wallet, a payment begun, a payment arrived, a receipt, the admin."""

from typing import assert_never

from attrs import evolve

from trt.domain import callback_data as tap
from trt.domain import form, order_steps, wallet_screens
from trt.domain.admin_orders import ADMIN_COMMANDS
from trt.domain.inputs import FileSent
from trt.domain.money_news import AdminReport, Credited, PaymentList, WentBack
from trt.domain.reasons import Reason
from trt.domain.replies import ScreenId, SendInvoice
from trt.domain.scene import Scene
from trt.domain.till import Buyer
from trt.domain.turn import Accepted, Announce, HandIn, Turn


def tapped(scene: Scene, data: tap.MoneyTap) -> Turn:
    """Carry out a button about money."""
    match data:
        case tap.OpenBalance():
            return wallet(scene, "balance_cb")
        case tap.OpenTopUp():
            return top_up(scene, "topup_cb")
        case tap.PickPackage(source, size):
            return pick(scene, source, size)
        case tap.DecideReceipt():
            told = admin(scene, "receipt_cb")
            return told or scene.outdated("receipt_cb", Reason.UNKNOWN_CALLBACK)
        case _:
            assert_never(data)


def commanded(scene: Scene, command: str) -> Turn | None:
    """Carry out a command about money; None if it is none, or none for this user."""
    match command:
        case "balance":
            return wallet(scene, "balance_cmd")
        case "topup":
            return top_up(scene, "topup_cmd")
        case "paysupport":
            return pay_support(scene)
        case "terms":
            return scene.show("terms_cmd", wallet_screens.legal(scene.copy, "legal.terms"))
        case _:
            return admin(scene, "admin_cmd") if command in ADMIN_COMMANDS else None


def wallet(scene: Scene, handler: str) -> Turn:
    """Show what there is and what moved it."""
    situation = scene.situation
    screen = wallet_screens.wallet(
        situation.catalogue,
        scene.copy,
        situation.balance_kopecks,
        situation.reserved_kopecks,
        situation.statement,
    )
    return scene.show(handler, screen)


def top_up(scene: Scene, handler: str) -> Turn:
    """Show the ways to pay, and how much the open order lacks."""
    situation = scene.situation
    draft = scene.session.draft
    screen = wallet_screens.top_up(
        situation.till,
        scene.copy,
        situation.balance_kopecks,
        _missing_kopecks(scene),
        None if draft is None else draft.draft_id,
    )
    return scene.show(handler, screen)


def _missing_kopecks(scene: Scene) -> int:
    draft, situation = scene.session.draft, scene.situation
    card = None if draft is None else situation.catalogue.find(draft.model_id)
    if draft is None or card is None:
        return 0
    values = form.mend(card, draft).values
    return form.missing_kopecks(card, values, situation.balance_kopecks) or 0


def pick(scene: Scene, source: str, size: int) -> Turn:
    """Begin a payment."""
    situation = scene.situation
    choice = situation.till.choice(source, size)
    if choice is None:
        return scene.outdated("pick_package_cb", Reason.STATE_MISMATCH)
    provider, package = choice
    buyer = Buyer(
        user_id=scene.person.user_id,
        order_id=situation.fresh_order_id,
        now=situation.now,
        copy=scene.copy,
    )
    begun = provider.begin(package, buyer)
    if isinstance(begun, SendInvoice):
        outcome = Accepted("pick_package_cb")
        return Turn(session=scene.session, effects=(*scene.answer(), begun), outcome=outcome)
    draft = scene.session.draft
    draft_id = None if draft is None else draft.draft_id
    turn = scene.show("pick_package_cb", wallet_screens.transfer(begun, scene.copy, draft_id))
    return evolve(turn, effects=(*turn.effects, Announce(topup=begun.topup)))


def receipt(scene: Scene, sent: FileSent) -> Turn | None:
    """Take a photo or a document as the receipt that is awaited; None when none is."""
    topup = scene.situation.open_topup
    if topup is None or scene.session.screen_id is not ScreenId.TRANSFER:
        return None
    if sent.kind not in {"photo", "document"}:
        return None
    turn = scene.show("receipt", wallet_screens.receipt_taken(scene.copy))
    handed = HandIn(topup=topup, file_id=sent.file_id, is_photo=sent.kind == "photo")
    return evolve(turn, effects=(*turn.effects, handed))


def news(scene: Scene) -> Turn:
    """Tell that a payment has arrived or went back; an order that lacked it goes on."""
    copy, balance_kopecks = scene.copy, scene.situation.balance_kopecks
    match scene.situation.money_news:
        case Credited(amount_kopecks=amount_kopecks):
            key = "paid.text"
            words = wallet_screens.money_words(copy, key, amount_kopecks, balance_kopecks)
            if scene.session.draft is not None:
                return order_steps.resume(scene, "payment", words)
        case WentBack(amount_kopecks=amount_kopecks):
            key = "paid.went_back"
        case _:
            outcome = Accepted("payment", Reason.NOOP)
            return Turn(session=scene.session, effects=(), outcome=outcome)
    screen = wallet_screens.money_notice(copy, key, amount_kopecks, balance_kopecks, None)
    turn = scene.show("payment", screen)
    # It is no place to be: whatever was asked before is still being asked.
    return evolve(turn, session=scene.session)


def admin(scene: Scene, handler: str) -> Turn | None:
    """Tell the admin how the order ended; None to everybody else."""
    told = scene.situation.money_news
    if not isinstance(told, AdminReport | PaymentList):
        return None
    turn = scene.show(handler, wallet_screens.admin_answer(told, scene.copy), is_new=True)
    return evolve(turn, session=scene.session)


def pay_support(scene: Scene) -> Turn:
    """Say what to do when something is wrong with a payment (Telegram's terms, 6.2)."""
    contact = scene.situation.till.support_contact or scene.copy.plain("legal.nobody")
    screen = wallet_screens.legal(
        scene.copy, "legal.paysupport", contact=contact, user=scene.person.user_id
    )
    return scene.show("paysupport_cmd", screen)
