"""The smallest server that the MCP SDK's own introduction makes, to be measured beside ours."""

from mcp.server import MCPServer

server = MCPServer("one-tool")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


if __name__ == "__main__":
    server.run()
