"""A report as the agent writes it: lines that begin with the name of their part, in Markdown that people read as it is.

    **Verdict:** CAUSE FOUND: api-server has run out of database connections. [E1]
    **Cause:** api-server: connection pool too small [E3, E4]
    **Impact:** 33.1 % of its requests fail. [E1]
    **Confidence:** high: the change and the symptom fit.
    **What changed:** `DB_POOL_SIZE` 20 → 1 at 14:03Z. [E3]
    **Next step:** set it back.
    **Evidence**
    - 5 of 5 connections are in use. [E4]
    **Ruled out**
    - payment-svc: it is within its thresholds. [E1]

Refused: JSON, and a tool for reporting. Either costs a turn, and neither can be read while it is written.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from sre_bot.evidence.claims import CITATION, Claim, read_claim
from sre_bot.evidence.exhibit import mentions


class Part(Enum):
    """A part of a report, by the name with which its line begins."""

    VERDICT = "verdict"
    CAUSE = "cause"
    IMPACT = "impact"
    CONFIDENCE = "confidence"
    CHANGED = "what changed"
    NEXT = "next step"
    EVIDENCE = "evidence"
    RULED_OUT = "ruled out"


class Verdict(Enum):
    """What an investigation came to."""

    FOUND = "CAUSE FOUND"
    NOTHING = "NOTHING WRONG"
    INCONCLUSIVE = "INCONCLUSIVE"


class Confidence(IntEnum):
    """How sure a report is."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower()


LISTS = frozenset({Part.EVIDENCE, Part.RULED_OUT})
"""Parts of which every line has to cite something."""
STATEMENTS = frozenset({Part.VERDICT, Part.CAUSE, Part.IMPACT, Part.CHANGED})
"""Parts whose figures and quotations have to be cited."""

_PART = re.compile(
    r"^\s*(?:#{1,4}\s*|[-*]\s+)?(?P<stars>\*{0,2})(?P<name>"
    + "|".join(part.value for part in Part)
    + r")(?P<end>\s*:?\s*\*{2}\s*:?|\s*:|\s*$)\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
_VERDICT = re.compile("|".join(verdict.value for verdict in Verdict), re.IGNORECASE)
_CONFIDENCE = re.compile(r"\b(none|no|low|medium|high)\b", re.IGNORECASE)
_MARK = re.compile(r"\s*⚠️ _not supported by evidence:.*$")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_NOBODY = re.compile(r"^\W*(?:none|unknown|not (?:known|established)|n/a|nothing)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an answer: the part that it belongs to, what it says there, and whether it begins that part."""

    part: Part | None
    text: str
    begins: bool = False


@dataclass(slots=True)
class Report:
    """What a report says.

    Attributes:
        verdict: one of three, or None where it names none of them.
        headline: the verdict in its own words.
        service: the service where it began; empty where no cause is named.
        kind: what kind of cause it is, in the report's words.
        impact: who suffers how much.
        changed: what was changed before.
        confidence: as it is claimed.
        next_step: the one thing to do next.
        claims: the evidence for it.
        ruled_out: what was thought of and is not the cause.
    """

    verdict: Verdict | None = None
    headline: str = ""
    service: str = ""
    kind: str = ""
    impact: str = ""
    changed: str = ""
    confidence: Confidence | None = None
    next_step: str = ""
    claims: list[Claim] = field(default_factory=list)
    ruled_out: list[Claim] = field(default_factory=list)

    def take(self, line: Line, services: Sequence[str]) -> None:
        """Take one line in; of a part that is no list, its first line says what it says."""
        said = strip_citations(line.text)
        if line.part in LISTS and said:
            (self.claims if line.part is Part.EVIDENCE else self.ruled_out).append(read_claim(line.text))
        elif line.begins:
            self._begin(line.part, said, services)

    def _begin(self, part: Part | None, said: str, services: Sequence[str]) -> None:
        match part:
            case Part.VERDICT:
                self.headline, self.verdict = said, read_verdict(said)
            case Part.CAUSE if not _NOBODY.match(said):
                self.service, self.kind = read_cause(said, services)
            case Part.IMPACT:
                self.impact = said
            case Part.CHANGED:
                self.changed = said
            case Part.CONFIDENCE:
                self.confidence = read_confidence(said)
            case Part.NEXT:
                self.next_step = said


def read_report(text: str, services: Sequence[str]) -> Report | None:
    """The last report in a text; None where it has no verdict.

    Args:
        text: Markdown.
        services: names of the services there are.
    """
    report, part = None, None
    for raw in text.splitlines():
        line = read_line(raw, part)
        part = line.part
        if line.part is Part.VERDICT and line.begins:
            report = Report()
        if report:
            report.take(line, services)
    return report


def read_line(raw: str, part: Part | None) -> Line:
    """A line by itself or, where it does not begin a part, as what goes on with the one before it."""
    if found := _PART.match(raw):
        return Line(Part(found["name"].lower()), found["rest"].strip(), begins=True)
    if not raw.strip():
        return Line(part, "")
    return Line(part, _BULLET.sub("", raw).strip())


def read_verdict(text: str) -> Verdict | None:
    """The verdict with which a text begins."""
    found = _VERDICT.search(text[:40])
    return Verdict(found[0].upper()) if found else None


def read_confidence(text: str) -> Confidence | None:
    """The confidence that a text names first."""
    found = _CONFIDENCE.search(text[:60])
    return Confidence["NONE" if found[1].lower() == "no" else found[1].upper()] if found else None


def read_cause(text: str, services: Iterable[str]) -> tuple[str, str]:
    """Service and kind of `api-server: connection pool too small`; of a service that is not known, the first word."""
    plain = text.replace("*", "").replace("`", "").strip()
    head = re.split(r"\s*(?:[:,(–—]|\s-\s)\s*", plain, maxsplit=1)  # noqa: RUF001
    named = next((name for _, name in mentions(plain, services)), "")
    kind = head[1] if len(head) > 1 else plain
    return named or head[0].strip(), kind.strip(" .)")


def headline(line: str) -> str:
    """What a line of a report says where no evidence can be looked at: without ids, marks, and the word for a cause."""
    plain = strip_citations(_MARK.sub("", line))
    return plain.removeprefix(f"{Verdict.FOUND.value}:").strip()


def strip_citations(text: str) -> str:
    """What is said, without the ids of its evidence."""
    return re.sub(r"\s+([.,;:])", r"\1", CITATION.sub("", text)).strip()
