"""Answers of the Bot API, as a test lets the wire say them."""


def ok(result: object) -> dict[str, object]:
    return {"ok": True, "result": result}


def error(code: int, description: str, **parameters: object) -> dict[str, object]:
    body = {"ok": False, "error_code": code, "description": description}
    return body | ({"parameters": parameters} if parameters else {})


def refused(description: str) -> dict[str, object]:
    return error(400, f"Bad Request: {description}")


MESSAGE = ok({"message_id": 55, "date": 1, "chat": {"id": 7, "type": "private"}})
