"""A tool process that costs nothing: an MCP server over stdio that lists the read tools and answers every call alike.

For tests of sessions, pools and turns, which start dozens of them and are not about what tools answer. The real one
takes more than a second of processor time to start, most of it in imports.
"""

import json
import sys
from pathlib import Path
from typing import Any

NAMES = ("get_service_health", "get_logs", "plot_metrics", "read_service_config")
SERVER: dict[str, Any] = {
    "type": "stdio",
    "command": sys.executable,
    "args": ["-S", str(Path(__file__).resolve())],
    "env": {},
}
ANSWER = "UNREACHABLE: nothing is measured here."


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        about = {"name": "sre", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": [{"name": name, "description": name, "inputSchema": {"type": "object"}} for name in NAMES]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": ANSWER}], "isError": True}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(request["method"], request.get("params", {}))
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n")
            sys.stdout.flush()
