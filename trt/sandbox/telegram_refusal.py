"""Telegram says no."""


class Refused(Exception):  # noqa: N818 - a refusal is not an error of the server
    """A call is answered `ok: false`; raised deep in a method, written out at the server's door."""

    def __init__(self, code: int, description: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after_s = retry_after_s
