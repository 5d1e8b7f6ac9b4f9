"""The timings of the lease, and the relations between them without which it promises nothing."""

from attrs import asdict, evolve, frozen

from trt.domain.ids import Shard


@frozen(kw_only=True)
class LeaseTerms:
    """How long each side waits; whoever makes impossible ones is stopped at once."""

    name: str = "shard-0"
    ttl_s: float = 2.0
    """How long a silent holder is left in peace, by the clock that all instances share."""
    renew_every_s: float = 0.5
    trust_s: float = 1.5
    """How long the holder trusts its last renewal, by its own clock; it stops itself then."""
    look_every_s: float = 0.05
    """How often a waiting instance looks whether the lease is free, if no bell tells it before."""
    stop_lost_s: float = 0.4
    """How long the active branch may go on after the trust ran out; then it is cut off."""

    def __attrs_post_init__(self) -> None:
        times_s = asdict(self, filter=lambda attribute, _: attribute.name != "name")
        broken = broken_rules(**times_s)
        assert not broken, broken

    def of(self, shard: Shard) -> "LeaseTerms":
        """Return the terms of the lease of one shard."""
        return evolve(self, name=f"shard-{shard}")


def broken_rules(
    *,
    ttl_s: float,
    renew_every_s: float,
    trust_s: float,
    look_every_s: float,
    stop_lost_s: float,
    renewal_s: float = 0.0,
) -> tuple[str, ...]:
    """Return what is impossible about some timings, each with its mend, by the variables' names.

    The first five are those of `LeaseTerms`; `renewal_s` is how long a database may take for one
    renewal before that is given up.
    """
    renewals = (
        f"LEASE_RENEW_S ({renew_every_s:g}) must be less than half of LEASE_TRUST_S "
        f"({trust_s:g}), or one lost renewal deposes a healthy holder: renew more often, or trust "
        "for longer."
    )
    trust = (
        f"LEASE_TRUST_S ({trust_s:g}) must be less than LEASE_TTL_S ({ttl_s:g}) by "
        f"{stop_lost_s:g} or more, in which a holder that lost it stops, or two instances act at "
        "once: trust for less, or let the lease last longer."
    )
    answers = (
        f"LEASE_TRUST_S ({trust_s:g}) must be more than {renewal_s:g}, which one renewal may take "
        "on this database, or a healthy holder stops while it waits for the answer: trust for "
        "longer."
    )
    looks = (
        f"LEASE_LOOK_S ({look_every_s:g}) must be less than LEASE_TTL_S ({ttl_s:g}), or a crash "
        "goes unnoticed for longer than the lease lasts: look more often."
    )
    rules = (
        (renewals, 0 < 2 * renew_every_s < trust_s),
        # Decimal fractions as people write them are sums that binary ones miss by a hair.
        (trust, trust_s < ttl_s and 0 <= stop_lost_s <= ttl_s - trust_s + 1e-9),
        (answers, renewal_s < trust_s),
        (looks, 0 < look_every_s < ttl_s),
    )
    return tuple(text for text, holds in rules if not holds)
