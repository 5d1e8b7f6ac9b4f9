"""JobBoard: what is known of jobs beside their rows, for whoever looks; in memory only."""

from collections.abc import Mapping

from trt.domain.ids import JobId, ModelId
from trt.domain.job_timing import Forecast


class JobBoard:
    """Places in the queue before KIE, and how long each model takes.

    Read inside transactions too, which may run in another thread: each entry is put in one step.
    """

    def __init__(self) -> None:
        self._places: dict[JobId, int] = {}
        self._forecasts: Mapping[ModelId, Forecast] = {}

    def stands(self, job_id: JobId, place: int) -> None:
        """Note at which place of the queue a job waits."""
        self._places[job_id] = place

    def leaves(self, job_id: JobId) -> None:
        """Note that a job no longer waits."""
        self._places.pop(job_id, None)

    def place(self, job_id: JobId) -> int | None:
        """Return a waiting job's place in the queue as it was last seen."""
        return self._places.get(job_id)

    def learn(self, forecasts: Mapping[ModelId, Forecast]) -> None:
        """Take over how long the models take now."""
        self._forecasts = forecasts

    def forecast(self, model_id: ModelId) -> Forecast | None:
        """Return how long a model takes, as measured; None if too few of its jobs are known."""
        return self._forecasts.get(model_id)
