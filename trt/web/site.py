"""The ASGI application: two hot routes by hand, the rest by Quart."""

from collections.abc import Callable
from typing import Any

from quart import Response
from quart_trio import QuartTrio

from trt.web.callbacks import Callbacks
from trt.web.health import Vitals, health
from trt.web.http import ASGIApp, Receive, Scope, Send
from trt.web.webhook import Webhook


def site(
    *,
    webhook: Webhook | None,
    callbacks: Callbacks,
    vitals: Callable[[], Vitals],
    metrics: Callable[[], str],
) -> ASGIApp:
    """Return the application that a server runs.

    Args:
        webhook: The route for updates, or None with BOT_MODE=polling.
        callbacks: The route for KIE's callbacks.
        vitals: Reads what /health is made of.
        metrics: Renders the Prometheus text.
    """
    # Quart's own ASGI types are narrower than the protocol that it speaks.
    pages: Any = _pages(vitals, metrics)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if scope["type"] != "http":
            await pages(scope, receive, send)
        elif webhook is not None and path.startswith("/webhook/"):
            await webhook(scope, receive, send)
        elif path.startswith(callbacks.prefix):
            await callbacks(scope, receive, send)
        else:
            await pages(scope, receive, send)

    return app


def _pages(vitals: Callable[[], Vitals], metrics: Callable[[], str]) -> QuartTrio:
    pages = QuartTrio("trt")

    @pages.get("/")
    @pages.get("/health")
    async def read_health() -> dict[str, object]:
        return health(vitals())

    @pages.get("/livez")
    async def read_livez() -> dict[str, object]:
        return {"ok": True}

    @pages.get("/readyz")
    async def read_readyz() -> tuple[dict[str, object], int]:
        now = health(vitals())
        return {"ok": now["ok"], "mode": now["mode"]}, 200 if now["ok"] else 503

    @pages.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return pages
