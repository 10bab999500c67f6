"""The SRE tools as an MCP server over stdio; read-only by default: `claude mcp add sre -- python sre_mcp_server.py`."""

import sys

from sre_bot.tools.server import main

if __name__ == "__main__":
    sys.exit(main())
