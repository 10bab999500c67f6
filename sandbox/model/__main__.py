"""`python -m sandbox.model`: run the stand-in until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import signal

from aiohttp import web

from .delivery import Pace
from .server import ModelServer


def main() -> None:
    """Read the arguments and serve. Prints one line when ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.model", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--delay-ms", type=float, default=0, help="before the first token of every reply")
    parser.add_argument("--chars-per-second", type=float, default=0, help="0: no limit")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.host, arguments.port, Pace(arguments.delay_ms, arguments.chars_per_second)))


async def serve(host: str, port: int, pace: Pace) -> None:
    """Serve until a signal asks for the end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(ModelServer(pace).application(), handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    bound_host, bound_port = runner.addresses[0][:2]
    print(f"model stand-in listening on http://{bound_host}:{bound_port}", flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
