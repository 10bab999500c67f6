"""`python -m sandbox.pagerduty`: the stand-in in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import signal

from aiohttp import web

from sandbox.pagerduty.app import StandIn


def main() -> None:
    """Read the arguments and serve. Prints one line when ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.pagerduty", description="A strict PagerDuty on loopback.")
    parser.add_argument("--host", default="127.0.0.1", choices=("127.0.0.1", "::1", "localhost"))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port))


async def serve(host: str, port: int) -> None:
    """Listen until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(StandIn().application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound_host, bound_port = runner.addresses[0][:2]
    print(f"pagerduty stand-in listening on http://{bound_host}:{bound_port}", flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
