"""The shelf keeps what is expected, as much as there is room for, until it is let go."""

from trt.actors.result_shelf import ResultShelf
from trt.kie.outcomes import ResultFile


def file_of(size: int) -> ResultFile:
    return ResultFile(name="result.png", content_type="image/png", data=bytes(size))


def put(shelf: ResultShelf, url: str, size: int) -> bool:
    """Put a file where it is expected; returns whether it is kept."""
    place = shelf.place(url)
    assert place is not None
    shelf.put(place, file_of(size))
    return place.file is not None


def test_only_what_is_expected_has_a_place() -> None:
    shelf = ResultShelf()
    assert shelf.place("a") is None
    shelf.expect(["a"])
    place = shelf.place("a")
    shelf.expect(["a"])  # a second row with the same file
    assert place is not None
    assert shelf.place("a") is place


def test_more_than_there_is_room_for_is_not_kept() -> None:
    shelf = ResultShelf(bytes_max=10)
    shelf.expect(["a", "b", "c"])
    assert [put(shelf, "a", 6), put(shelf, "b", 5), put(shelf, "c", 4)] == [True, False, True]
    assert shelf.room == 0


def test_what_was_sent_makes_room_unless_its_original_still_has_to_go() -> None:
    shelf = ResultShelf(bytes_max=10)
    shelf.expect(["a", "b"])
    assert put(shelf, "a", 5)
    assert put(shelf, "b", 4)
    shelf.forget(["a", "b"], but=["b"])
    assert (shelf.place("a"), shelf.room) == (None, 6)
    assert shelf.place("b") is not None
    shelf.clear()
    assert shelf.room == 10
