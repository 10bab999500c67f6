"""The conversation with Claude: one Slack thread is one session, whatever process happens to hold it."""
