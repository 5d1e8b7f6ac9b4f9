"""What `trt bench chaos` does to everybody: drawn from a seed, and drawn again the same way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from random import Random

from attrs import define, field, frozen
from typing_extensions import override

from trt.sources import Sources

ORDER_EVERY_S = 0.7
"""KIE takes 20 orders in 10 s (docs.kie.ai) and we use 18 in 11 s, tries included."""
KILL_EVERY_S_MIN = 2.5
"""On average, when there are few jobs for many kills; a lease without a server takes 2 s to end."""
HOLDER_SHARE = 0.75
"""Of the kills strike whoever is active, the others anybody: also who is just starting."""
IMPATIENT_SHARE = 0.1
"""Of the people press the button that starts the order twice."""
FAILURE_SHARE = 0.05
"""Of the generations fail at KIE."""
SILENT_SHARE = 1 / 3
"""Of the lost answers are silence until the caller has given up; the others are a cut."""


class Misfortune(StrEnum):
    """What becomes of one call."""

    NONE = "none"
    TOO_MANY = "429"
    SERVER_ERROR = "5xx"
    CUT = "cut off before"
    LOST = "answer lost"
    """The call is executed, and its answer never comes."""


@frozen(kw_only=True)
class Odds:
    """How often each misfortune strikes a kind of call."""

    too_many: float = 0.02
    server_error: float = 0.02
    cut: float = 0.01
    lost: float = 0.02

    def at(self, drawn: float) -> Misfortune:
        """Return the misfortune for a number drawn from 0 to 1."""
        for share, misfortune in (
            (self.too_many, Misfortune.TOO_MANY),
            (self.server_error, Misfortune.SERVER_ERROR),
            (self.cut, Misfortune.CUT),
            (self.lost, Misfortune.LOST),
        ):
            if drawn < share:
                return misfortune
            drawn -= share
        return Misfortune.NONE


USUAL = Odds()
ODDS: Mapping[str, Odds] = {
    "createTask": Odds(lost=0.03),
    # A 429 for a file would be no answer of KIE's but of whatever serves its files.
    "results": Odds(too_many=0.0, server_error=0.03),
}


@frozen(kw_only=True)
class ChaosPlan:
    """The same plan has the same kills, people and misfortunes; when they meet is up to chance."""

    seed: int
    jobs: int
    kills: int
    silence_s: float = 35.0
    """How long a silent answer keeps its caller waiting: longer than we wait for any but a file."""
    order_every_s: float = ORDER_EVERY_S
    """On average."""
    submit_grace_s: float = 20.0
    """SUBMIT_GRACE_S of the instances: callbacks that come are quick here."""

    def __attrs_post_init__(self) -> None:
        assert self.jobs > 0
        assert self.kills >= 0
        assert self.order_every_s > 0

    @property
    def over_s(self) -> float:
        """Return about how long people order and instances are killed."""
        return max(self.jobs * self.order_every_s, self.kills * KILL_EVERY_S_MIN)

    def kill_pauses_s(self) -> Iterator[float]:
        """Yield the pause before each kill: at random, and so sometimes in a row."""
        return self._pauses_s("kills", self.kills)

    def order_pauses_s(self) -> Iterator[float]:
        """Yield the pause before each order."""
        return self._pauses_s("orders", self.jobs)

    def chance(self, what: str) -> Random:
        """Return a stream of numbers of its own for each kind of thing."""
        return Random(f"{self.seed} {what}")  # noqa: S311 - a plan, not a secret

    def _pauses_s(self, what: str, number: int) -> Iterator[float]:
        """Yield exponential pauses, stretched so that together they last as long as the plan."""
        chance = self.chance(what)
        drawn = [chance.expovariate(1.0) for _ in range(number + 1)]
        return (one * self.over_s / sum(drawn) for one in drawn[:-1])


@define(eq=False)
class Luck:
    """Draws what becomes of each call: the third createTask fares the same under the same seed."""

    _plan: ChaosPlan
    _odds: Mapping[str, Odds] = field(default=ODDS)
    struck: Counter[tuple[str, Misfortune]] = field(factory=Counter)
    """How often each misfortune was drawn, by the name of the call."""
    _streams: dict[str, Random] = field(factory=dict)

    def draw(self, call: str) -> Misfortune:
        """Return what becomes of the next call of this name."""
        drawn = self._odds.get(call, USUAL).at(self._stream(call).random())
        self.struck[call, drawn] += 1
        return drawn

    def happens(self, what: str, share: float) -> bool:
        """Return whether the next thing of this kind happens."""
        return self._stream(what).random() < share

    def chance_of(self, what: str) -> float:
        """Return the next number from 0 to 1 for this kind of thing."""
        return self._stream(what).random()

    def times(self, misfortune: Misfortune) -> int:
        """Return how often a misfortune struck, all calls taken together."""
        return sum(number for (_, drawn), number in self.struck.items() if drawn is misfortune)

    def _stream(self, what: str) -> Random:
        if what not in self._streams:
            self._streams[what] = self._plan.chance(what)
        return self._streams[what]


@frozen
class ChanceSources(Sources):
    """Time and ids as everywhere; chance from the plan."""

    _sources: Sources
    _chance: Random

    @override
    def now(self) -> datetime:
        return self._sources.now()

    @override
    def random(self) -> Random:
        return self._chance

    @override
    def token(self, length: int) -> str:
        return self._sources.token(length)
