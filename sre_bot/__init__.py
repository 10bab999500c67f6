"""A Slack-native incident responder: the model proposes, people decide, code enforces."""

__version__ = "0.1.0"
