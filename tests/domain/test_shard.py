"""A user stays in one shard for ever, and the shards are about equally full."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trt.domain.ids import UserId
from trt.domain.shard import SHARDS_MAX, shard_of


@given(st.integers(1, 2**52), st.integers(1, SHARDS_MAX))
def test_a_user_has_one_shard_among_those_there_are(user_id: int, shards: int) -> None:
    shard = shard_of(UserId(user_id), shards)
    assert 0 <= shard < shards
    assert shard == shard_of(UserId(user_id), shards)


def test_the_derivation_never_changes() -> None:
    assert [shard_of(UserId(user_id), 8) for user_id in (1, 2, 1001, 7_000_000_000)] == [7, 5, 1, 7]


def test_the_shards_are_about_equally_full() -> None:
    users = Counter(shard_of(UserId(user_id), 8) for user_id in range(1, 8001))
    assert min(users.values()) > 900
    assert max(users.values()) < 1100


@pytest.mark.parametrize("shards", [0, SHARDS_MAX + 1])
def test_an_impossible_number_of_shards_is_a_bug(shards: int) -> None:
    with pytest.raises(AssertionError):
        shard_of(UserId(1), shards)
