"""The requests that a load is made of: one /start each, as Telegram would post it."""

from attrs import frozen

UPDATE_ID_FIRST = 100_000_000
"""Nine digits, and so many ids above it that all requests have the same length."""
UPDATES_MAX = 800_000_000
USER_ID_FIRST = 1_000_000_000

_BODY = (
    b'{"update_id":%d,"message":{"message_id":1,"from":{"id":%d,"is_bot":false,'
    b'"first_name":"Anna","last_name":"Example","username":"anna_example",'
    b'"language_code":"ru","is_premium":true},"chat":{"id":%d,"first_name":"Anna",'
    b'"last_name":"Example","username":"anna_example","type":"private"},"date":1700000000,'
    b'"text":"/start","entities":[{"offset":0,"length":6,"type":"bot_command"}]}}'
)


@frozen(kw_only=True)
class Posts:
    """Makes the bytes of one POST after the other; cheap, because only the ids differ."""

    head: bytes
    users: int

    def request(self, number: int) -> bytes:
        """Return the request of the update with this number, counted from zero."""
        assert 0 <= number < UPDATES_MAX
        user_id = USER_ID_FIRST + number % self.users
        return self.head + _BODY % (UPDATE_ID_FIRST + number, user_id, user_id)


def posts(path: str, secret_token: str, users: int) -> Posts:
    """Return the posts to one webhook.

    Args:
        path: The webhook's path, with its secret.
        secret_token: What goes into X-Telegram-Bot-Api-Secret-Token (Bot API, setWebhook).
        users: How many users take turns.
    """
    length = len(_BODY % (UPDATE_ID_FIRST, USER_ID_FIRST, USER_ID_FIRST))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Telegram-Bot-Api-Secret-Token: {secret_token}\r\nContent-Length: {length}\r\n\r\n"
    )
    return Posts(head=head.encode(), users=users)
