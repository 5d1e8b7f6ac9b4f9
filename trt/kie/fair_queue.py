"""A queue that is fair between users: pure, and in the order of arrival within one user."""

from collections import deque

from attrs import define

from trt.domain.ids import UserId


@define(eq=False)
class Ticket:
    """A place in the queue for one order."""

    user_id: UserId
    is_called: bool = False
    """Its turn has come; it is no longer in the queue."""


class FairQueue:
    """Round robin over the users who wait, so that nobody's ten orders delay another's first.

    Between two orders of a user at most one order of each other user is called.
    """

    def __init__(self) -> None:
        self._ring: dict[UserId, deque[Ticket]] = {}
        """Who waits, in the order of their turns; nobody is in it with nothing to call."""

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return sum(map(len, self._ring.values()))

    def join(self, ticket: Ticket) -> None:
        """Take a place: behind the user's own tickets, a new user behind everybody."""
        self._ring.setdefault(ticket.user_id, deque()).append(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; nothing happens if the ticket was called or has left before."""
        own = self._ring.get(ticket.user_id)
        if own is not None and ticket in own:
            own.remove(ticket)
            if not own:
                del self._ring[ticket.user_id]

    def call_next(self) -> Ticket | None:
        """Call the ticket whose turn it is, or return None if nobody waits."""
        for user_id, own in self._ring.items():
            del self._ring[user_id]
            ticket = own.popleft()
            if own:
                self._ring[user_id] = own  # at the end of the ring
            ticket.is_called = True
            return ticket
        return None

    def place(self, ticket: Ticket) -> int:
        """Return the 1-based place as things stand, or 0 if the ticket does not wait.

        Users who come later can put at most one order before each of this user's.
        """
        own = self._ring.get(ticket.user_id)
        if own is None or ticket not in own:
            return 0
        rounds = own.index(ticket)
        place = rounds + 1
        is_before = True
        for user_id, theirs in self._ring.items():
            if user_id == ticket.user_id:
                is_before = False
            else:
                place += min(len(theirs), rounds + is_before)
        return place
