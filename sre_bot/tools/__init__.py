"""What the model may do: one file per group, and a tool is one decorated method of a group.

Every list of tools (the MCP server's, the bot's allow-list, the lines in Slack) is derived from the decorated methods.
"""
