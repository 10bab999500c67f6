"""`python -m benchmarks [NAME …]`: Markdown on stdout, ready for docs/benchmarks.md; progress on stderr."""

import argparse
import sys
from collections.abc import Callable

from benchmarks import (
    approval,
    chaos,
    claims,
    conversations,
    demo,
    fleet,
    idle,
    latency,
    mcp_servers,
    replicas,
    storm,
    tools,
    webhooks,
    writer,
)
from benchmarks.machine import describe_machine
from benchmarks.tables import Table

MEASUREMENTS: dict[str, Callable[[int], list[Table]]] = {
    "latency": latency.measure,
    "approval": approval.measure,
    "conversations": conversations.measure,
    "mcp": mcp_servers.measure,
    "tools": tools.measure,
    "webhooks": webhooks.measure,
    "writer": writer.measure,
    "chaos": chaos.measure,
    "storm": storm.measure,
    "replicas": replicas.measure,
    "idle": idle.measure,
    "fleet": fleet.measure,
    "demo": demo.measure,
    "claims": claims.measure,
}
RUNS = {
    "latency": 3,
    "approval": 2,
    "conversations": 2,
    "mcp": 7,
    "tools": 5,
    "writer": 1,
    "fleet": 2,
    "demo": 1,
    "claims": 5,
    "webhooks": 3,
    "chaos": 1,
    "storm": 3,
    "replicas": 5,
    "idle": 1,
}


def main() -> int:
    """Measure what was named, in the order of the document; everything where nothing was named."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(MEASUREMENTS)}; default all")
    parser.add_argument("--runs", type=int, help="how often each is repeated, in place of its own number")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(MEASUREMENTS):
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}; there are {', '.join(MEASUREMENTS)}")
    if arguments.runs is not None and arguments.runs < 1:
        parser.error("--runs must be at least 1")
    print(describe_machine(), flush=True)
    for name, measure in MEASUREMENTS.items():
        if name in (arguments.names or MEASUREMENTS):
            runs = arguments.runs or RUNS[name]
            print(f"\nMeasuring {name} …", file=sys.stderr, flush=True)
            for table in measure(runs):
                print(f"\n{table.markdown()}", flush=True)
            print(f"\n`make bench ARGS='{name} --runs {runs}'`", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
