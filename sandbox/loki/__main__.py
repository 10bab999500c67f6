"""`python -m sandbox.loki`: the stand-in in a process of its own, until SIGINT or SIGTERM."""

import argparse
import asyncio
import signal

from aiohttp import web

from sandbox.loki.web import MAX_ENTRIES, Access, LokiServer


def main() -> None:
    """Read the arguments and serve. Prints one line when ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.loki", description="A strict Loki on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--tenants", action="store_true", help="several tenants: X-Scope-OrgID is required")
    parser.add_argument("--basic", metavar="USER:PASSWORD", help="a gateway asks for basic authentication")
    parser.add_argument("--bearer", metavar="TOKEN", help="a gateway asks for a bearer token")
    parser.add_argument("--max-entries", type=int, default=MAX_ENTRIES, help="lines that one query may ask for")
    arguments = parser.parse_args()
    authorization = f"Bearer {arguments.bearer}" if arguments.bearer else ""
    if arguments.basic:
        authorization = Access.basic(*arguments.basic.split(":", 1))
    server = LokiServer(Access(arguments.tenants, authorization), arguments.max_entries)
    asyncio.run(serve(server, arguments.port))


async def serve(server: LokiServer, port: int) -> None:
    """Serve on loopback until a signal asks for the end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    host, bound = runner.addresses[0][:2]
    print(f"loki stand-in listening on http://{host}:{bound}", flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
