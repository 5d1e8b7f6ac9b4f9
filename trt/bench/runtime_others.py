"""What `trt bench runtime` measures of pykka and thespian, which are installed for it alone."""

from importlib import import_module
from time import perf_counter
from typing import Any

from trt.bench.runtime_bare import TIMEOUT_S

# Not dependencies, so imported by name and untyped: what is absent cannot be type-checked.


def pykka_tell(count: int) -> float:
    """Return messages handled per second by a `ThreadingActor`."""
    adder = _pykka_adder()
    try:
        began = perf_counter()
        for _ in range(count):
            adder.tell(1)
        total = adder.ask(0)
        spent_s = perf_counter() - began
    finally:
        adder.stop()
    assert total == count, "every message was handled once"
    return count / spent_s


def pykka_ask(count: int) -> float:
    """Return answers per second of a `ThreadingActor`, each with a timeout."""
    adder = _pykka_adder()
    try:
        began = perf_counter()
        for _ in range(count):
            adder.ask(1, timeout=TIMEOUT_S)
        return count / (perf_counter() - began)
    finally:
        adder.stop()


def pykka_spawn(count: int) -> float:
    """Return `ThreadingActor`s per second, each started and stopped before the next."""
    pykka: Any = import_module("pykka")
    began = perf_counter()
    for _ in range(count):
        pykka.ThreadingActor.start().stop()
    return count / (perf_counter() - began)


def _pykka_adder() -> Any:
    pykka: Any = import_module("pykka")

    class Adder(pykka.ThreadingActor):  # type: ignore[misc]
        """Answers with the sum so far."""

        def __init__(self) -> None:
            super().__init__()
            self.total = 0

        def on_receive(self, message: int) -> int:
            """Take one message."""
            self.total += message
            return self.total

    return Adder.start()


def thespian_tell(count: int) -> float:
    """Return messages handled per second in thespian's one-process system, its fastest."""
    system, adder = _thespian_adder()
    try:
        began = perf_counter()
        for _ in range(count):
            system.tell(adder, 1)
        total = system.ask(adder, (0,), TIMEOUT_S)
        spent_s = perf_counter() - began
    finally:
        system.shutdown()
    assert total == count, "every message was handled once"
    return count / spent_s


def thespian_ask(count: int) -> float:
    """Return answers per second in thespian's one-process system, each with a timeout."""
    system, adder = _thespian_adder()
    try:
        began = perf_counter()
        for _ in range(count):
            system.ask(adder, (1,), TIMEOUT_S)
        return count / (perf_counter() - began)
    finally:
        system.shutdown()


def _thespian_adder() -> tuple[Any, Any]:
    actors: Any = import_module("thespian.actors")

    class Adder(actors.ActorTypeDispatcher):  # type: ignore[misc]
        """Answers with the sum so far."""

        total = 0

        def receiveMsg_int(self, message: int, _: Any) -> None:  # noqa: N802 - its API
            """Take one message that asks nothing."""
            self.total += message

        def receiveMsg_tuple(self, message: tuple[int], sender: Any) -> None:  # noqa: N802
            """Take one question."""
            self.total += message[0]
            self.send(sender, self.total)

    system = actors.ActorSystem("simpleSystemBase")
    return system, system.createActor(Adder)
