"""What can be said of the settings and the registry without asking anybody."""

from collections.abc import Sequence
from typing import assert_never

from trt.catalog.loader import Stock
from trt.catalog.problems import BlockedModel, RegistryProblems
from trt.domain.reasons import Reason
from trt.ops.finding import Finding, fail, ok, warn
from trt.ops.wording import count

_CONFIGURATION = "configuration"
_REGISTRY = "registry"


def check_configuration(problems: Sequence[str]) -> list[Finding]:
    """Return one finding per variable that is missing or wrong."""
    found = [_problem(problem) for problem in problems]
    return found or [ok(_CONFIGURATION, "every variable is usable")]


def _problem(problem: str) -> Finding:
    what, _, mend = problem.partition(": ")
    return fail(_CONFIGURATION, what, mend or "correct it; docs/runbook.md lists every variable")


def check_registry(stock: Stock | RegistryProblems | None) -> list[Finding]:
    """Return one finding per fault in the model data; nothing when it could not be read."""
    match stock:
        case None:
            return []
        case RegistryProblems(problems=problems):
            mend = "mend the file; `trt registry check` tells when it is well"
            return [fail(_REGISTRY, str(problem), mend) for problem in problems]
        case Stock(catalogue=catalogue, blocked=blocked):
            sold = ok(_REGISTRY, f"{count(len(catalogue.models), 'model')} can be sold")
            return [sold, *map(_blocked, blocked)]
        case _:
            assert_never(stock)


def _blocked(model: BlockedModel) -> Finding:
    mend = "mend its prices and restart; `trt registry check` tells when they are well"
    return warn(
        _REGISTRY, f"{model.model_id} is not sold ({Reason.PRICING_BLOCKED}): {model}", mend
    )
