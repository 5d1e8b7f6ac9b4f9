"""What the printed bodies are made of; the tables stand in printed_orders, _records and _files.

Every body that KIE is known to have answered with is in them: documented, recorded, or told by
others. A row is a name, the HTTP status, the body as text, and what it has to mean.
"""

TASK = "366e2065ed94e590a9e1201e1f1e1704"
CDN = "https://tempfile.aiquickdraw.com"
FILES = "https://tempfile.redpandaai.co"
HTML_502 = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>cloudflare</body></html>"
SERVER = "Server exception, please try again later"
TOO_FAST = "Your call frequency is too high. Please try again later."
INTERNAL = '"failCode":"500","failMsg":"Internal server error"'


def error(code: int, msg: str) -> str:
    """Return an envelope that holds nothing."""
    return f'{{"code":{code},"msg":"{msg}","data":null}}'


def data(fields: str, code: int = 200, msg: str = "success") -> str:
    """Return an envelope around a record."""
    return f'{{"code":{code},"msg":"{msg}","data":{{{fields}}}}}'
