"""A request's body, as it came, within bounds of size and time."""

import asyncio

from aiohttp import web

from sre_bot.webhooks.refusals import TurnedAway


async def read_body(request: web.Request, limit: int, seconds: float) -> bytes:
    """Read the whole body without ever holding more than `limit` bytes and what one read gives.

    Raises:
        TurnedAway: it is larger (413), or not all of it came in time (408) or at all (400).
    """
    too_large = TurnedAway(413, "too_large", f"The body is larger than {limit >> 10} KiB.")
    if (request.content_length or 0) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise TurnedAway(408, "slow", f"The body did not arrive within {seconds:g} s.") from None
    except (web.RequestPayloadError, ConnectionError):
        raise TurnedAway(400, "broken", "The body ended before its end.") from None
    return bytes(body)
