"""The result shelf: files that were fetched at once and wait in memory until they are sent."""

from collections.abc import Collection, Sequence

import trio
from attrs import Factory, define

from trt.kie.outcomes import ResultFile

SHELF_BYTES_MAX = 100_000_000
"""Two of the largest files that may be sent; whatever finds no room is fetched when it is sent."""


@define
class Place:
    """What is kept of one address; whoever fetches it holds the lock."""

    lock: trio.Lock = Factory(trio.Lock)
    file: ResultFile | None = None


@define
class ResultShelf:
    """Keeps the files that wait to be sent, as many as there is room for."""

    bytes_max: int = SHELF_BYTES_MAX
    _places: dict[str, Place] = Factory(dict)

    def expect(self, urls: Sequence[str]) -> None:
        """Make places: what is fetched from these addresses is to be kept."""
        for url in urls:
            self._places.setdefault(url, Place())

    def place(self, url: str) -> Place | None:
        """Return the place of an address, if it is expected."""
        return self._places.get(url)

    def put(self, place: Place, file: ResultFile) -> None:
        """Keep a file, if there is room."""
        if len(file.data) <= self.room:
            place.file = file

    @property
    def room(self) -> int:
        """How many bytes may still be kept."""
        files = [place.file for place in self._places.values()]
        return self.bytes_max - sum(len(file.data) for file in files if file is not None)

    def forget(self, urls: Sequence[str], but: Collection[str] = ()) -> None:
        """Let go of what needs to be sent no more."""
        for url in urls:
            if url not in but:
                self._places.pop(url, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._places.clear()
