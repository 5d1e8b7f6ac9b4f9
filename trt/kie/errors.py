"""Operating errors of KIE that no caller can turn into an answer to the user."""


class KIEUnavailable(Exception):  # noqa: N818 - a state of the world
    """KIE could not be reached or has a bad moment, and nothing was taken: try again later."""
