"""Operating errors of the Bot API that no caller can turn into an answer to the user."""


class TelegramUnavailable(Exception):  # noqa: N818 - a state of the world
    """Telegram could not be reached or has a bad moment, and nothing was done: try again later."""


class TelegramUnauthorized(Exception):  # noqa: N818 - a state of the world
    """Telegram does not know our token: nothing works until an operator puts in the right one."""
