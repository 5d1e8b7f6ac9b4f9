"""KIE's envelope: HTTP 200 around a code of its own."""

from trt.sandbox.http import Reply, json_reply


class Declined(Exception):  # noqa: N818 - a refusal is not an error of the server
    """A call is answered with a code other than 200; raised deep inside, written at the door."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


def envelope(code: int, msg: str, data: object = None) -> Reply:
    """Return the answer: the HTTP status is 200 whatever the code says, as at the real KIE."""
    return json_reply(200, {"code": code, "msg": msg, "data": data}, charset=";charset=UTF-8")
