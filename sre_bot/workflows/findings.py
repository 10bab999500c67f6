"""What answers say, part by part: prompt.md asks the model for a verdict, a confidence and one next step, by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_bot.evidence.report import headline
from sre_bot.incidents.model import Turn, TurnState

LINE = 300  # characters of one part

_PART = re.compile(
    r"^(?:[^\w\n]|_)*(?P<name>root cause|cause|verdict|impact|confidence|what changed|next step)"
    r"[ \t]*[*_:\n-][\s*_:>-]*(?P<words>\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
VERDICTS = ("verdict", "root cause", "cause")


@dataclass(frozen=True, slots=True)
class Findings:
    """The newest answer that has a verdict, or else the first line of the newest one.

    Attributes:
        at: when it was given.
        parts: its parts by name, in lower case; the first is the verdict.
        since: the first line of a newer answer that has none; empty where there is none.
    """

    at: datetime | None
    parts: dict[str, str]
    since: str = ""


def read_findings(turns: Sequence[Turn]) -> Findings:
    """What the answers of a thread come to; without parts where nothing was answered."""
    answered = [turn for turn in turns if turn.state is TurnState.ANSWERED and turn.answer.strip()]
    for turn in reversed(answered):
        parts = _parts(turn.answer)
        if verdict := next((parts.pop(name) for name in VERDICTS if name in parts), ""):
            rest = {name: words for name, words in parts.items() if name not in VERDICTS}
            newest = answered[-1]
            since = "" if turn is newest else _cut(newest.answer.strip().splitlines()[0])
            return Findings(turn.ended_at, {"verdict": verdict, **rest}, since)
    if answered:
        newest = answered[-1]
        return Findings(newest.ended_at, {"answer": _cut(newest.answer.strip().splitlines()[0])})
    return Findings(None, {})


def _parts(answer: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _PART.finditer(answer):
        found.setdefault(part["name"].lower(), _cut(part["words"]))
    return {name: words for name, words in found.items() if words}


def _cut(words: str) -> str:
    plain = headline(words.strip(" *_#>-:"))
    return plain if len(plain) <= LINE else f"{plain[: LINE - 1]}…"
