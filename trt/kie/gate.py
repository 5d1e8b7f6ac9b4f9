"""KIEGate: what jobs call KIE through: a fair queue, a circuit breaker, evenly spaced polls."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, assert_never

import trio

from trt.domain.ids import ModelId, Shard, TaskId, UserId
from trt.domain.shard import shard_of
from trt.kie.circuit_breaker import BreakerState, CircuitBreaker, Health, NotNow, Permit
from trt.kie.client import KIEClient
from trt.kie.errors import KIEUnavailable, Trouble
from trt.kie.fair_queue import Ticket
from trt.kie.limiter import LimiterStatistics, LimiterTerms, SubmitLimiter
from trt.kie.outcomes import Busy, Created, CreateOutcome, OutcomeUnknown, Refused, TaskRecord
from trt.kie.poll_pacer import PollPacer


class KIEGate:
    """One per process: KIE's limits are for the whole account.

    The orders of each shard have a share of them to themselves: it moves with the shard's lease,
    and no two leaders ever have to ask each other how much is left.
    """

    def __init__(
        self,
        client: KIEClient,
        *,
        shards: int = 1,
        breaker: CircuitBreaker | None = None,
        pacer: PollPacer | None = None,
    ) -> None:
        self._client = client
        terms = LimiterTerms().shared(shards)
        self._limiters = [SubmitLimiter(terms) for _ in range(shards)]
        self._breaker = breaker or CircuitBreaker()
        self._pacer = pacer or PollPacer()

    @property
    def state(self) -> BreakerState:
        """Whether orders go through."""
        return self._breaker.state

    def statistics(self) -> LimiterStatistics:
        """Return how the queues of orders stand, taken together."""
        each = [limiter.statistics() for limiter in self._limiters]
        return LimiterStatistics(
            waiting=sum(one.waiting for one in each),
            calls_in_window=sum(one.calls_in_window for one in each),
            is_paused=any(one.is_paused for one in each),
        )

    def remember(self, shard: Shard, ages_s: Sequence[float]) -> None:
        """Count the orders of the instance that this one takes a shard over from, by their ages."""
        self._limiters[shard].remember(ages_s)

    # Ordering: queued → wait_turn → (commit that createTask is about to be called) → create_task

    def queued(self, user_id: UserId) -> AbstractContextManager[Ticket]:
        """Stand in the queue for one order; leaving the block leaves the queue."""
        return self._limiter(user_id).queued(user_id)

    def place(self, ticket: Ticket) -> int:
        """Return the 1-based place in the queue, or 0 when the ticket's turn has come."""
        return self._limiter(ticket.user_id).place(ticket)

    async def wait_turn(self, ticket: Ticket) -> None:
        """Wait until this order may go to KIE; cancelling keeps the place while it is `queued`.

        Raises:
            KIEUnavailable: KIE is down, nothing was tried; `retry_after_s` tells the next trial.
        """
        self._check()
        await self._limiter(ticket.user_id).wait_turn(ticket)
        self._check()

    def _limiter(self, user_id: UserId) -> SubmitLimiter:
        return self._limiters[shard_of(user_id, len(self._limiters))]

    def _check(self) -> None:
        wait_s = self._breaker.wait_s(trio.current_time())
        if wait_s is not None:
            raise _circuit_open(wait_s)

    async def create_task(
        self,
        ticket: Ticket,
        model_id: ModelId,
        payload: Mapping[str, Any],
        callback_url: str | None,
    ) -> CreateOutcome:
        """Order a generation whose turn has come: see `KIEClient.create_task`.

        Raises:
            KIEUnavailable: KIE surely took nothing: it was not reached, or not even tried.
        """
        assert ticket.is_called, "wait for your turn"
        permit = self._breaker.admit(trio.current_time())
        if isinstance(permit, NotNow):
            raise _circuit_open(permit.retry_after_s)
        health = Health.NOTHING
        try:
            outcome = await self._client.create_task(model_id, payload, callback_url)
            health = self._health(outcome)
        except KIEUnavailable:
            health = Health.ILL
            raise
        finally:
            self._report(permit, health, ticket.user_id)
        return outcome

    def _health(self, outcome: CreateOutcome) -> Health:
        match outcome:
            case Busy(trouble=Trouble.RATE, retry_after_s=retry_after_s):
                for limiter in self._limiters:  # it was the account that was refused
                    limiter.refused(retry_after_s)
                return Health.WELL
            case Busy() | OutcomeUnknown():
                return Health.ILL
            case Created() | Refused():
                for limiter in self._limiters:
                    limiter.accepted()
                return Health.WELL
            case _:
                assert_never(outcome)

    def _report(self, permit: Permit, health: Health, user_id: UserId) -> None:
        self._breaker.report(trio.current_time(), permit, health, user_id)

    # Polling

    async def record(self, task_id: TaskId, *, is_called_back: bool = False) -> TaskRecord:
        """Return how a task is doing, when it may be asked: see `KIEClient.record`.

        Polls go on while the circuit is open: they change nothing, and tasks end all the same.

        Args:
            task_id: The task.
            is_called_back: KIE has just called back about it: it goes before the routine polls.

        Raises:
            KIEUnavailable: No usable answer; ask again later.
        """
        await self._pacer.wait_turn(task_id, is_called_back=is_called_back)
        try:
            return await self._client.record(task_id)
        except KIEUnavailable as unavailable:
            if unavailable.trouble is Trouble.RATE:
                self._pacer.refused(unavailable.retry_after_s)
            raise


def _circuit_open(retry_after_s: float) -> KIEUnavailable:
    return KIEUnavailable(
        f"createTask: not tried, KIE is down; next trial in {retry_after_s:.1f} s",
        trouble=Trouble.CIRCUIT_OPEN,
        retry_after_s=retry_after_s,
    )
