"""A client, and the wire that it talks over."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.wire import Wire
from trt.telegram.client import TelegramClient

TOKEN = "123456789:CANARY-token-CANARY-token-CANARY-tok"
"""A canary: it must turn up in no repr, no message of an exception and no outcome."""


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def telegram(wire: Wire) -> AsyncIterator[TelegramClient]:
    async with httpx.AsyncClient(transport=wire) as http:
        yield TelegramClient(http, "https://telegram.test/", TOKEN)
