"""Who gives an order on this machine, for the record."""

import os
import pwd
import socket


def operator_name() -> str:
    """Say who sits here, as well as the machine knows."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user without a name
        name = f"uid {uid}"
    return f"{name} at {socket.gethostname()}"
