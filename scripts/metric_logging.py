"""Starts the simulated fleet: metrics for Prometheus, logs, deployments, on one port."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from aiohttp import web  # noqa: E402 - the checkout is not an installed package

from sandbox.fleet.demand import REQUESTS_PER_SECOND  # noqa: E402
from sandbox.fleet.deployments import DeploymentRecord  # noqa: E402
from sandbox.fleet.environment import DeployError  # noqa: E402
from sandbox.fleet.fleet import Fleet  # noqa: E402
from sandbox.fleet.web import FleetServer  # noqa: E402


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0: any free port, printed when ready")
    parser.add_argument("--env-file", type=Path, default=ROOT / "config" / "api-server.env")
    parser.add_argument("--state-dir", type=Path, default=ROOT / "var" / "fleet", help="keeps the deployments")
    parser.add_argument(
        "--requests-per-second", type=float, default=REQUESTS_PER_SECOND, help="of the clients, on average"
    )
    parser.add_argument("--seed", type=int, help="replay the same pauses and work of requests")
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM. Raises DeployError and OSError when it cannot start."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    fleet = Fleet(Random(arguments.seed), arguments.requests_per_second)
    server = FleetServer(fleet, DeploymentRecord(arguments.state_dir), arguments.env_file)
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, arguments.host, arguments.port).start()
        await server.start()
        host, port = runner.addresses[0][:2]
        print(f"fleet listening on http://{host}:{port}", flush=True)
        await stopped.wait()
    finally:
        await fleet.stop()
        await runner.cleanup()


def main() -> int:
    """Run; one sentence on stderr and status 2 when the fleet cannot start."""
    try:
        asyncio.run(run(parse_arguments()))
    except (DeployError, OSError, OverflowError) as error:
        print(f"The fleet cannot start: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
