"""The Web API: one module for each family of methods, one decorated coroutine for each method.

Importing the families fills the table; a new one is one more line here.
"""

from sandbox.slack.web_api import assistant, chat, connections, conversations, files, reactions, streams, users, views
from sandbox.slack.web_api.call import METHODS

__all__ = [
    "METHODS", "assistant", "chat", "connections", "conversations", "files", "reactions", "streams", "users", "views",
]  # fmt: skip
