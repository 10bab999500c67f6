"""What a question asks for, from its words alone; quoted text of others asks for nothing."""

from __future__ import annotations

import re
from typing import Literal

Wish = Literal["verdict", "rolled back", "page", "close", "fix", "recall", "look"]

QUOTED = re.compile(r"<(quoted-\w+)[^>]*>.*?</\1>", re.DOTALL)
HEADER = re.compile(r"\[[^\]]*\]|<[^>]*>")
VERDICT = re.compile(r"^Code has compared the figures before and after proposal #(?P<number>\d+)", re.MULTILINE)
ROLLED_BACK = re.compile(
    r"^A person decided to roll back proposal #(?P<number>\d+)\b.*?\bIt is (?P<state>\w+): (?P<became>.*)", re.MULTILINE
)
PAGE = re.compile(r"\b(?:page|call|wake|alert)\b.*\bon-?\s?call\b", re.IGNORECASE | re.DOTALL)
CLOSE = re.compile(r"\b(?:close (?:this |it |the )?(?:incident )?out|post-?mortem)\b", re.IGNORECASE)
FIX = re.compile(
    r"\b(?:(?:fix|revert|undo|propose) (?:it|that|this)\b|roll (?:it )?back|set it back|try again|once more|go ahead)",
    re.IGNORECASE,
)
RECALL = re.compile(
    r"\b(why|what|which|how|who|when|where|evidence|sure|confiden\w*|cause|explain|summar\w+)\b", re.IGNORECASE
)
RECHECK = re.compile(
    r"\b(still|now|again|recover\w*|fixed|resolved|better|worse|happening|current\w*|status|healthy|re-?check|check|ok)\b",
    re.IGNORECASE,
)
LONGEST = 15  # words; a longer text is a new report, not a short wish


def wish(question: str) -> Wish:
    """What is asked for; `look` where it is to look into something."""
    if VERDICT.search(question):
        return "verdict"
    if ROLLED_BACK.search(question):
        return "rolled back"
    words = HEADER.sub(" ", QUOTED.sub(" ", question))
    if CLOSE.search(words):
        return "close"
    if len(words.split()) > LONGEST:
        return "look"
    for found, pattern in (("page", PAGE), ("fix", FIX)):
        if pattern.search(words):
            return found  # type: ignore[return-value]
    return "recall" if RECALL.search(words) and not RECHECK.search(words) else "look"
