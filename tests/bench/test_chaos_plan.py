"""The plan of `trt bench chaos`: everything in it comes from the seed, and all of it happens."""

from collections import Counter

import pytest

from trt.bench.chaos_plan import ODDS, ChaosPlan, Luck, Misfortune, Odds

PLAN = ChaosPlan(seed=7, jobs=300, kills=40)
CALLS = ("createTask", "sendMessage", "recordInfo")


def drawn(luck: Luck, call: str, number: int) -> list[Misfortune]:
    return [luck.draw(call) for _ in range(number)]


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    again = ChaosPlan(seed=7, jobs=300, kills=40)
    other = ChaosPlan(seed=8, jobs=300, kills=40)
    for plan, is_same in ((again, True), (other, False)):
        assert (list(plan.kill_pauses_s()) == list(PLAN.kill_pauses_s())) is is_same
        assert (list(plan.order_pauses_s()) == list(PLAN.order_pauses_s())) is is_same
        mine, theirs = drawn(Luck(PLAN), "createTask", 500), drawn(Luck(plan), "createTask", 500)
        assert (mine == theirs) is is_same


def test_the_fate_of_a_call_does_not_depend_on_the_calls_of_other_names() -> None:
    alone, among = Luck(PLAN), Luck(PLAN)
    expected = drawn(alone, "sendPhoto", 200)
    found = []
    for _ in range(200):
        among.draw("editMessageText")
        among.happens("silence", 0.5)
        found.append(among.draw("sendPhoto"))
    assert found == expected


def test_kills_fall_at_random_all_along_the_orders() -> None:
    kills, orders = list(PLAN.kill_pauses_s()), list(PLAN.order_pauses_s())
    assert (len(kills), len(orders)) == (40, 300)
    mean_s = PLAN.over_s / 40
    assert 0.5 * PLAN.over_s < sum(kills) < PLAN.over_s
    assert 0.8 * PLAN.over_s < sum(orders) < PLAN.over_s
    assert min(kills) < mean_s / 5, "some come in a row"
    assert max(kills) > 2 * mean_s, "and some leave it in peace for a while"


@pytest.mark.parametrize("call", CALLS)
def test_each_misfortune_strikes_as_often_as_planned(call: str) -> None:
    luck, number = Luck(PLAN), 20_000
    counted = Counter(drawn(luck, call, number))
    odds = ODDS.get(call, Odds())
    for misfortune, share in (
        (Misfortune.TOO_MANY, odds.too_many),
        (Misfortune.SERVER_ERROR, odds.server_error),
        (Misfortune.CUT, odds.cut),
        (Misfortune.LOST, odds.lost),
    ):
        assert counted[misfortune] == pytest.approx(share * number, rel=0.25)
        assert luck.times(misfortune) == counted[misfortune]
