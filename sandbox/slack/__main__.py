"""`python -m sandbox.slack`: the stand-in in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence

from aiohttp import web

from sandbox.slack.app import StandIn

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def read_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, or what is given in its place."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.slack", description="A strict Slack on loopback.")
    parser.add_argument("--host", default="127.0.0.1", choices=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--clock-rate", type=float, default=1.0, help="how fast the clock of the rate limits runs, for tests"
    )
    return parser.parse_args(given)


async def serve(arguments: argparse.Namespace) -> None:
    """Listen until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner, url = await open_stand_in(arguments)
    print(f"slack stand-in listening on {url}", flush=True)
    await stop.wait()
    await runner.cleanup()


async def open_stand_in(arguments: argparse.Namespace) -> tuple[web.AppRunner, str]:
    """A new stand-in that listens, and its address."""
    stand_in = StandIn(arguments.clock_rate)
    runner = web.AppRunner(stand_in.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, arguments.host, arguments.port).start()
    host, port = runner.addresses[0][:2]
    return runner, f"http://{host}:{port}"


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(read_arguments()))
