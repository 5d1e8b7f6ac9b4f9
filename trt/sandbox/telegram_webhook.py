"""Delivers updates to the bot's webhook the way Telegram's own server does.

Rules from the source of the official Bot API server (WebhookActor.cpp): any 2xx is delivered,
updates of one queue go one after the other, queues go in parallel, a failure is tried again until
the update expires.
"""

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx
import msgspec
import trio
from attrs import define, frozen

from trt.sandbox.telegram_rates import Limits
from trt.sandbox.telegram_refusal import Refused
from trt.sandbox.telegram_updates import PostedUpdate, Updates
from trt.sandbox.telegram_wire import JSON, unix
from trt.sandbox.wire_log import Direction, Service, WireLog
from trt.sources import Sources

PORTS = frozenset({80, 88, 443, 8443})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CONNECTIONS_DEFAULT = 40
CONNECTIONS_MAX = 100
SECRET_LENGTH_MAX = 256
RETRY_AFTER_S_MAX = 3_600
_DELAYS_S = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_DELAY_S_LAST = (60.0, 120.0)
_SECRET = re.compile(r"[A-Za-z0-9_-]*")


@frozen(kw_only=True, repr=False)
class Webhook:
    """Where updates go."""

    url: str
    secret: str = ""
    max_connections: int = CONNECTIONS_DEFAULT


def checked_webhook(url: str, secret: str, max_connections: int | None) -> Webhook:
    """Return the webhook if Telegram would take it; plain http only to this machine.

    Raises:
        Refused: the address, the port or the secret is not allowed (Bot API, setWebhook).
    """
    if len(secret) > SECRET_LENGTH_MAX:
        raise Refused(400, "Bad Request: secret token is too long")
    if not _SECRET.fullmatch(secret):
        raise Refused(400, "Bad Request: secret token contains unallowed characters")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused(400, "Bad Request: invalid webhook URL specified") from None
    if not host or parts.scheme not in {"http", "https"}:
        raise Refused(400, "Bad Request: invalid webhook URL specified")
    if host not in LOOPBACK:
        if parts.scheme != "https":
            why = "An HTTPS URL must be provided for webhook"
            raise Refused(400, f"Bad Request: bad webhook: {why}")
        if port is not None and port not in PORTS:
            why = "Webhook can be set up only on ports 80, 88, 443 or 8443"
            raise Refused(400, f"Bad Request: bad webhook: {why}")
    connections = max_connections or CONNECTIONS_DEFAULT
    return Webhook(
        url=url, secret=secret, max_connections=max(1, min(connections, CONNECTIONS_MAX))
    )


@frozen(kw_only=True)
class _Attempt:
    status: int | None
    error: str
    retry_after_s: float | None = None

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and httpx.codes.is_success(self.status)


@define
class _LastError:
    at: datetime
    message: str


class Deliverer:
    """Owns the webhook; one task per queue that has something in it."""

    def __init__(
        self,
        updates: Updates,
        *,
        sources: Sources,
        http: httpx.AsyncClient,
        limits: Limits,
        wire: WireLog | None,
    ) -> None:
        self.webhook: Webhook | None = None
        self._updates = updates
        self._sources = sources
        self._http = http
        self._limits = limits
        self._wire = wire
        self._connections = trio.CapacityLimiter(CONNECTIONS_DEFAULT)
        self._busy: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self._changed = trio.Event()
        self._last_error: _LastError | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                self._wake_all()
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    def set(self, webhook: Webhook | None) -> None:
        """Deliver to `webhook` from now on; what failed before is tried again at once."""
        self.webhook = webhook
        self._last_error = None
        if webhook is not None:
            self._connections.total_tokens = webhook.max_connections
        self._changed.set()
        self._changed = trio.Event()
        self._wake_all()

    def wake(self, queue: str) -> None:
        """Something was put into `queue`."""
        if self._nursery is None or self.webhook is None or queue in self._busy:
            return
        self._busy.add(queue)
        self._nursery.start_soon(self._drain, queue)

    def info(self) -> JSON:
        """Return the Bot API's WebhookInfo."""
        info: JSON = {
            "url": self.webhook.url if self.webhook else "",
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates.pending()),
        }
        if self.webhook is not None:
            info["max_connections"] = self.webhook.max_connections
        if self._updates.allowed is not None:
            info["allowed_updates"] = sorted(self._updates.allowed)
        if self._last_error is not None:
            info["last_error_date"] = unix(self._last_error.at)
            info["last_error_message"] = self._last_error.message
        return info

    def _wake_all(self) -> None:
        for queue in list(self._updates.queues):
            self.wake(queue)

    async def _drain(self, queue: str) -> None:
        try:
            while (update := self._updates.head(queue, self._sources.now())) is not None:
                if self.webhook is None:
                    return
                await self._deliver(update)
        finally:
            self._busy.discard(queue)

    async def _deliver(self, update: PostedUpdate) -> None:
        """Try once; on failure wait for the next turn, or drop what would come too late."""
        changed = self._changed
        async with self._connections:
            webhook = self.webhook
            if webhook is None:
                return
            attempt = await self._post(webhook, update)
        now = self._sources.now()
        update.attempts.append(attempt.status)
        if not self._updates.is_waiting(update):
            return
        if attempt.is_delivered:
            self._updates.confirm(update, now)
            return
        update.failures += 1
        self._last_error = _LastError(now, attempt.error)
        delay_s = self._delay_s(update, attempt)
        if now + timedelta(seconds=delay_s) >= update.expires_at:
            self._updates.drop(update, now)
            return
        with trio.move_on_after(delay_s):
            await changed.wait()

    def _delay_s(self, update: PostedUpdate, attempt: _Attempt) -> float:
        if attempt.retry_after_s is not None:
            return attempt.retry_after_s
        if update.failures <= len(_DELAYS_S):
            return _DELAYS_S[update.failures - 1]
        return self._sources.random().uniform(*_DELAY_S_LAST)

    async def _post(self, webhook: Webhook, update: PostedUpdate) -> _Attempt:
        began_at, began = self._sources.now(), trio.current_time()
        attempt = _Attempt(status=None, error="Read timeout expired")
        headers = {"Content-Type": "application/json", "Connection": "keep-alive"}
        if webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
        with trio.move_on_after(self._limits.webhook_timeout_s):
            try:
                response = await self._http.post(
                    webhook.url,
                    content=msgspec.json.encode(update.body),
                    headers=headers,
                    timeout=None,
                    follow_redirects=False,
                )
                attempt = _read(response)
            except httpx.ConnectError:
                attempt = _Attempt(status=None, error="Connection refused")
            except httpx.HTTPError:
                attempt = _Attempt(status=None, error="Connection closed")
        if self._wire is not None:
            self._wire.record(
                at=began_at,
                direction=Direction.TO_BOT,
                service=Service.TELEGRAM,
                what=update.kind,
                status=attempt.status,
                duration_s=trio.current_time() - began,
                summary=f"update {update.update_id}, attempt {len(update.attempts) + 1}"
                + (f": {attempt.error}" if attempt.error else ""),
            )
        return attempt


def _read(response: httpx.Response) -> _Attempt:
    if response.is_success:
        return _Attempt(status=response.status_code, error="")
    error = f"{response.status_code} {response.reason_phrase}"
    retry_after = response.headers.get("Retry-After", "")
    return _Attempt(
        status=response.status_code,
        error=f"Wrong response from the webhook: {error}",
        retry_after_s=float(min(int(retry_after), RETRY_AFTER_S_MAX))
        if retry_after.isdecimal()
        else None,
    )
