"""What can be said of the settings and the registry without asking anybody."""

from collections.abc import Sequence

from trt.catalog.problems import RegistryProblems
from trt.domain.model_card import Catalogue
from trt.ops.finding import Finding, fail, ok
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


def check_registry(catalogue: Catalogue | RegistryProblems | None) -> list[Finding]:
    """Return one finding per fault in the model data; nothing when it could not be read."""
    match catalogue:
        case None:
            return []
        case RegistryProblems(problems=problems):
            mend = "mend the file; `trt registry check` tells when it is well"
            return [fail(_REGISTRY, str(problem), mend) for problem in problems]
        case _:
            return [ok(_REGISTRY, f"{count(len(catalogue.models), 'model')} can be sold")]
