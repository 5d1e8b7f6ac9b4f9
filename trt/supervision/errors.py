"""What can go wrong between actors: the few words that senders and parents have to know.

No text here shows a message: messages may carry secrets. The undelivered message itself is the
attribute `message`.
"""


class Undelivered(Exception):  # noqa: N818 - it states what happened to the message
    """Abstract root: the message was not handled, and is handed back in `message`."""

    def __init__(self, address: str, message: object) -> None:
        super().__init__(f"{address}: {type(message).__name__}")
        self.address = address
        self.message = message


class MailboxFull(Undelivered):
    """The bounded mailbox has no room; try later, or refuse your own caller."""


class ActorStopped(Undelivered):
    """The actor has stopped for good, or is about to; nobody will read the message."""


class ActorCrashed(Undelivered):
    """The actor crashed on this question so often that it was put aside as poison."""


class MessageDropped(Undelivered):
    """The mailbox had no room and gave the place of this message to a newer one."""


class AskCycle(Undelivered):
    """The actor waits, perhaps through others, for the one that asks: both would wait for ever."""

    def __init__(self, address: str, message: object, path: tuple[str, ...]) -> None:
        super().__init__(address, message)
        self.path = path
        self.args = (f"{address}: {type(message).__name__}: {' → '.join(path)}",)


class DirectoryFull(Undelivered):
    """The directory already runs as many actors as it may; the key got none."""


class AskTimedOut(Exception):  # noqa: N818 - it states what happened to the question
    """No answer came before the deadline; the question may or may not have been handled."""

    def __init__(self, address: str, question: object, timeout_s: float) -> None:
        super().__init__(f"{address}: {type(question).__name__} within {timeout_s} s")
        self.address = address
        self.timeout_s = timeout_s


class RestartLimitExceeded(Exception):  # noqa: N818 - it states what happened
    """A supervisor or a directory gave up: more restarts than its budget allows.

    The error of the last crash is the `__cause__`.
    """

    def __init__(self, path: str, restarts: int, within_s: float) -> None:
        super().__init__(f"{path}: more than {restarts} restarts within {within_s} s")
        self.path = path


class StartFailed(Exception):  # noqa: N818 - it states what happened
    """A child crashed before it was ready; its error is the `__cause__`."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: crashed before it was ready")
        self.path = path


class StartTimedOut(Exception):  # noqa: N818 - it states what happened
    """A child was not ready within its `start_timeout_s`."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__(f"{path}: not ready within {timeout_s} s")
        self.path = path


class ExitedUnexpectedly(Exception):  # noqa: N818 - it states what happened
    """A permanent child returned although nobody had asked it to stop."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: a permanent child returned")
        self.path = path
