"""The SRE tools as an MCP server over stdio; read-only by default: `claude mcp add sre -- python sre_mcp_server.py`."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # nothing that is imported is garbage: looking for it takes a fifth of the start
    from sre_bot.tools.server import main

    gc.freeze()
    gc.enable()
    sys.exit(main())
