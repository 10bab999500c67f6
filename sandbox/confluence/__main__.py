"""`python -m sandbox.confluence`: the stand-in in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from aiohttp import web

from sandbox.confluence.app import StandIn

LOOPBACK = ("127.0.0.1", "::1", "localhost")
INDEX_LAG = 0.2  # seconds; Confluence's own is seconds to minutes


def read_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.confluence", description="A strict Confluence on loopback."
    )
    parser.add_argument("--host", default="127.0.0.1", choices=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--index-lag", type=float, default=INDEX_LAG, help="seconds before a new page can be searched")
    return parser.parse_args()


async def serve(arguments: argparse.Namespace) -> None:
    """Listen until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stand_in = StandIn(arguments.index_lag)
    runner = web.AppRunner(stand_in.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, arguments.host, arguments.port).start()
    host, port = runner.addresses[0][:2]
    print(f"confluence stand-in listening on http://{host}:{port}", flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(read_arguments()))
