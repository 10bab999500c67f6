"""`python -m sre_bot export INCIDENT`: an incident's whole record as JSON on standard output."""

import argparse
import asyncio
import json
import sys

from sre_bot.errors import SreBotError
from sre_bot.incidents.export import export_incident
from sre_bot.settings import load_ledger_settings, read_environment


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit status: 1 where there is nothing to export, 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m sre_bot", description="The bot's records.")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="everything that is known of an incident, as JSON")
    export.add_argument(
        "incident", help="PagerDuty's id (Q1ABCDEF), pd:ID, am:FINGERPRINT:START, case:NUMBER, or CHANNEL/THREAD_TS"
    )
    chosen = parser.parse_args(arguments)
    try:
        record = asyncio.run(export_incident(load_ledger_settings(read_environment()).database_url, chosen.incident))
    except SreBotError as error:
        print(error, file=sys.stderr)  # noqa: T201  (a person at a terminal)
        return 2
    if record is None:
        print(f"The ledger knows no incident {chosen.incident!r}; it may be older than what is kept.", file=sys.stderr)  # noqa: T201
        return 1
    json.dump(record, sys.stdout, indent=2, ensure_ascii=False)
    print()  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
