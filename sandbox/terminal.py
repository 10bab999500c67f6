"""A Slack thread printed in a terminal as it grows.

Slack shows a message that changes in place; a terminal that scrolls cannot. So a line is printed once, when it can no
longer grow: when another line has come below it, or when the reply is complete.
"""

import sys
from typing import Any, TextIO

WORKING = "⏳"  # the bot's last line while it works


class ThreadPrinter:
    """Prints messages of one thread; feed it each message whenever it changes.

    Args:
        names: user and bot ids to what people call them.
        out: where to print.
    """

    def __init__(self, names: dict[str, str], out: TextIO = sys.stdout) -> None:
        self._names = names
        self._out = out
        self._printed: dict[str, list[str]] = {}

    def show(self, message: dict[str, Any]) -> None:
        """Print what is new and final in a message."""
        ts = message["ts"]
        text = message.get("markdown") or message.get("text", "")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith((WORKING, "- 🔄"))]
        growing = WORKING in text
        final = lines[:-1] if growing and lines and not lines[-1].startswith("- ") else lines
        final += [f"📎 {file['title']}" for file in message.get("files", [])]
        if ts not in self._printed:
            self._printed[ts] = []
            author = self._names.get(message.get("user") or message.get("bot_id") or "", "somebody")
            self._line(f"\n  {author}")
        for line in final:
            if line not in self._printed[ts]:
                self._printed[ts].append(line)
                self._line(f"    {line}")

    def _line(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def is_complete(message: dict[str, Any]) -> bool:
    """Whether a reply of the bot has its last line: the footer that counts its tool calls."""
    text = message.get("markdown") or message.get("text", "")
    return WORKING not in text and "tool call" in text.rstrip().splitlines()[-1] if text.strip() else False
