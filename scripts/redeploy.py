"""Redeploys a service of the simulated fleet, as a person or the bot does: `python scripts/redeploy.py URL SERVICE`."""

import argparse
import json
import sys
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT = 60.0  # seconds; a redeploy takes one or two


def main() -> int:
    """Redeploy; prints what the fleet answers, and gives 1 where it refuses or cannot be reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the fleet, such as http://127.0.0.1:8000")
    parser.add_argument("service")
    parser.add_argument("--author", default="")
    parser.add_argument("--reason", default="")
    arguments = parser.parse_args()
    if not arguments.url.startswith(("http://", "https://")):
        parser.error("the fleet's address begins with http:// or https://")
    body = json.dumps({"author": arguments.author, "reason": arguments.reason}).encode()
    order = Request(f"{arguments.url}/redeploy/{quote(arguments.service, safe='')}", body)  # noqa: S310  (looked at above)
    try:
        with build_opener(ProxyHandler({})).open(order, timeout=TIMEOUT) as answer:  # no proxy leads to a simulation
            print(answer.read().decode())
            return 0
    except HTTPError as error:
        said = f"the fleet refused ({error.code}): {error.read().decode(errors='replace')}"
    except (OSError, HTTPException) as error:
        said = f"the fleet at {arguments.url} cannot be reached: {error}"
    print(said, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
