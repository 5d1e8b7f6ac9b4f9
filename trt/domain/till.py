"""The till: the ways to pay that are open, and what begins when one is chosen."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from attrs import field, frozen
from typing_extensions import override

from trt.domain.copy import Copy
from trt.domain.ids import UserId
from trt.domain.payments import OFFER_LIFE_S, Offer, OrderId, Seal, Source, StarRate, TopUp
from trt.domain.replies import SendInvoice

STARS_MAX: Final = 10_000
"""Of one package; Telegram allows more, nobody buys more at once by mistake."""


@frozen(kw_only=True)
class Package:
    """So much money for so much of what a provider takes."""

    size: int
    """In the provider's unit: Stars, or kopecks."""
    amount_kopecks: int


@frozen(kw_only=True)
class Buyer:
    """Who pays, when, under which number."""

    user_id: UserId
    order_id: OrderId
    now: datetime
    copy: Copy


@frozen(kw_only=True)
class TransferAsked:
    """Show where to transfer, and expect a receipt."""

    topup: TopUp
    requisites: str


class Provider(Protocol):
    """A way to pay."""

    @property
    def source(self) -> Source:
        """What its payments are filed under."""
        ...

    @property
    def packages(self) -> Sequence[Package]:
        """What it sells, the smallest first."""
        ...

    def begin(self, package: Package, buyer: Buyer) -> SendInvoice | TransferAsked:
        """Return what to show to somebody who chose a package."""
        ...


@frozen(kw_only=True)
class StarsProvider(Provider):
    """Telegram Stars: the invoice carries an offer that we signed."""

    seal: Seal = field(repr=False)
    rate: StarRate
    sizes: Sequence[int]

    @property
    @override
    def source(self) -> Source:
        return Source.STARS

    @property
    @override
    def packages(self) -> Sequence[Package]:
        return [Package(size=size, amount_kopecks=self.rate.worth(size)) for size in self.sizes]

    @override
    def begin(self, package: Package, buyer: Buyer) -> SendInvoice:
        copy, amount = buyer.copy, buyer.copy.money(package.amount_kopecks)
        offer = Offer(
            order_id=buyer.order_id,
            stars=package.size,
            amount_kopecks=package.amount_kopecks,
            expires_at=buyer.now + timedelta(seconds=OFFER_LIFE_S),
        )
        return SendInvoice(
            title=copy.plain("invoice.title", amount=amount),
            description=copy.plain("invoice.description", amount=amount),
            payload=self.seal.payload(offer),
            price_stars=package.size,
            pay_text=copy.plain("invoice.pay", stars=package.size),
        )


@frozen(kw_only=True)
class TransferProvider(Provider):
    """By hand to the operator's account; credited when the admin has seen the money."""

    requisites: str = field(repr=False)
    amounts_kopecks: Sequence[int]

    @property
    @override
    def source(self) -> Source:
        return Source.TRANSFER

    @property
    @override
    def packages(self) -> Sequence[Package]:
        return [Package(size=kopecks, amount_kopecks=kopecks) for kopecks in self.amounts_kopecks]

    @override
    def begin(self, package: Package, buyer: Buyer) -> TransferAsked:
        topup = TopUp(
            order_id=buyer.order_id,
            user_id=buyer.user_id,
            amount_kopecks=package.amount_kopecks,
        )
        return TransferAsked(topup=topup, requisites=self.requisites)


@frozen(kw_only=True)
class Till:
    """Everything about money that an installation decides."""

    stars: StarsProvider
    transfer: TransferProvider | None
    """None, as usual: Telegram's terms want digital goods to be sold for Stars alone."""
    admin_id: UserId | None
    """Who may give and take money in the chat, and sees receipts."""
    support_contact: str
    """Whom /paysupport names; empty when nobody is."""

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The open ways to pay."""
        return (self.stars,) if self.transfer is None else (self.stars, self.transfer)

    def choice(self, source: str, size: int) -> tuple[Provider, Package] | None:
        """Return what a button names; None if it is not sold any more."""
        for provider in self.providers:
            for package in provider.packages:
                if (provider.source, package.size) == (source, size):
                    return provider, package
        return None

    def is_admin(self, user_id: UserId) -> bool:
        """Return whether this is the one who may move other people's money."""
        return user_id == self.admin_id
