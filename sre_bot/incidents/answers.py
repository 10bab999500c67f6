"""What an answer of the agent says in one line: the cause that it names, or else how it begins."""

import re

from sre_bot.evidence.report import headline

LINE = 200
"""Characters of such a line."""

_CAUSE = re.compile(r"^(?:[^\w\n]|_)*(?:root cause|cause|verdict)[\W_]+(.+)$", re.IGNORECASE | re.MULTILINE)


def named_cause(answer: str) -> str:
    """What an answer calls the cause or its verdict; empty where it names none."""
    named = _CAUSE.search(answer)
    return plain_line(named[1]) if named else ""


def plain_line(text: str) -> str:
    """The first line of a text without the marks around it, cut."""
    line = headline(next(iter(text.strip().splitlines()), "").strip(" *_#>-:"))
    return line if len(line) <= LINE else f"{line[: LINE - 1]}…"
