"""From the vendor's credits to the kopecks that a user pays."""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from attrs import frozen
from typing_extensions import override

USD_PER_CREDIT: Final = Decimal("0.005")
"""KIE's price of a credit (docs.kie.ai, price list)."""
_KOPECKS_PER_RUB: Final = 100


@frozen(kw_only=True)
class Tariff:
    """What turns the vendor's price into ours."""

    usd_to_rub: Decimal
    multiplier: Decimal
    """The sale price as a multiple of what the vendor takes."""

    @override
    def __str__(self) -> str:
        return f"credits x {USD_PER_CREDIT} USD x {self.usd_to_rub} RUB x {self.multiplier}"

    def price_kopecks(self, price_credits: Decimal) -> int:
        """Return credits x 0.005 USD x rate x multiplier, rounded up to a whole kopeck.

        Up, so that rounding never sells below the multiplier and nothing priced is ever free.
        """
        rubles = price_credits * USD_PER_CREDIT * self.usd_to_rub * self.multiplier
        return int((rubles * _KOPECKS_PER_RUB).to_integral_value(rounding=ROUND_CEILING))
