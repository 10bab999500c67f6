"""The webhook listener alone in a process: `python -m benchmarks.webhook_listener SECRET [DATABASE_URL]`.

Without a database it accepts everything and keeps nothing: what HTTP, the signature and the parsing cost by themselves.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.paging import Delivery
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks import Inbox, Limits, Listener

UNLIMITED = Limits(burst=10**9, per_second=10**9, concurrent=10**6, answer=60.0)


class Forgetful:
    """An inbox that keeps nothing."""

    async def record(self, delivery: Delivery) -> bool:
        """Say that it is new."""
        return bool(delivery.key)


@asynccontextmanager
async def _inbox(url: str | None) -> AsyncIterator[Inbox]:
    if url is None:
        yield Forgetful()
        return
    ledger = await Ledger.open(url)
    try:
        yield ledger.deliveries
    finally:
        await ledger.close()


async def _ready() -> dict[str, str]:
    return {}


async def serve(secret: str, url: str | None) -> None:
    """Listen until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = WebhookSettings.model_validate({"WEBHOOK_PORT": "0", "PAGERDUTY_WEBHOOK_SECRET": secret})
    async with _inbox(url) as inbox:
        listener = Listener(settings, inbox, _ready, lambda: None, limits=UNLIMITED)
        await listener.open()
        print(f"listening on {listener.address}", flush=True)
        await stop.wait()
        await listener.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
