"""Where the data files are: inside the installed wheel, or beside the package in a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def asset(name: str) -> Path:
    """Return the folder `registry` or `migrations`.

    Raises:
        FileNotFoundError: Neither the wheel nor the checkout has it: the installation is broken.
    """
    for folder in (_PACKAGE / "_assets" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"The folder {name!r} is missing; install the package again.")
