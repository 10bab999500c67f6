"""A report examined line by line while it is written, and what it comes to when it is complete.

A line is judged when it ends: the results that it cites were read before it was written. What was shown is never taken
back, so a mark stands at the end of its line. The verdict comes first and what supports it later; whether it stands is
known at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sre_bot.evidence.claims import Claim, find_faults, read_claim
from sre_bot.evidence.exhibit import Exhibit, named_services
from sre_bot.evidence.report import LISTS, STATEMENTS, Confidence, Line, Part, Report, Verdict, read_line

MARK = " ⚠️ _not supported by evidence: {why}_"
_WHY_LIMIT = 160  # characters


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim, the part of the report in which it stands, and what is wrong with it."""

    part: Part | None
    claim: Claim
    faults: tuple[str, ...]

    @property
    def mark(self) -> str:
        """What is added to its line; empty where it is supported."""
        if not self.faults:
            return ""
        why = "; ".join(self.faults)
        return MARK.format(why=why if len(why) <= _WHY_LIMIT else f"{why[: _WHY_LIMIT - 1]}…")


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a report comes to.

    Attributes:
        said: the verdict that it names, None where it names none.
        verdict: the one that stands.
        reason: why that is another; empty where it is not.
        claimed: the confidence that it names.
        confidence: the one that its evidence bears.
        judged: its claims.
    """

    said: Verdict | None
    verdict: Verdict | None
    reason: str
    claimed: Confidence | None
    confidence: Confidence
    judged: Sequence[Judged]

    @property
    def failed(self) -> int:
        """How many claims are not supported."""
        return sum(bool(each.faults) for each in self.judged)

    @property
    def words(self) -> str:
        """A line of Markdown for below the report."""
        count = len(self.judged)
        if self.reason:
            return f"⚠️ **{Verdict.INCONCLUSIVE.value}: {self.reason}** {self._share(count)}"
        if not self.failed:
            return f"✅ _{self._share(count)}_" if count else ""
        lowered = ""
        if self.claimed is not None and self.confidence < self.claimed:
            lowered = f" Confidence is {self.confidence.word}, not {self.claimed.word}."
        return f"⚠️ **{self._share(count)}**{lowered}"

    def _share(self, count: int) -> str:
        stand = count - self.failed
        if count == 1:
            return f"The one claim is {'' if stand else 'not '}borne out by the evidence that it cites."
        return f"{stand} of {count} claims are borne out by the evidence that they cite."


@dataclass(slots=True)
class Examiner:
    """Follows one answer.

    Args:
        services: names of the services there are.
    """

    services: Sequence[str]
    report: Report | None = None
    judged: list[Judged] = field(default_factory=list)
    headline: str = ""
    """The line with the verdict, as it was written."""
    _part: Part | None = None

    def read(self, raw: str) -> Claim | None:
        """Take a line in that is complete; gives the claim in it that has to be judged, if it makes one."""
        line = read_line(raw, self._part)
        self._part = line.part
        if line.part is Part.VERDICT and line.begins:
            self.report, self.judged, self.headline = Report(), [], raw
        if self.report:
            self.report.take(line, self.services)
        claim = read_claim(line.text)
        return claim if self._is_claim(line, claim) else None

    def judge(self, claim: Claim, exhibits: Mapping[int, Exhibit]) -> Judged:
        """Judge the claim of the line that was read last."""
        judged = Judged(self._part, claim, find_faults(claim, exhibits, self.services))
        self.judged.append(judged)
        return judged

    def conclude(self) -> Assessment | None:
        """What the report comes to; None where there was no report."""
        if self.report is None:
            return None
        said = self.report.verdict or (Verdict.FOUND if self.report.service else None)
        reason = self._refute(said, self.report)
        claimed = self.report.confidence
        confidence = Confidence.NONE if reason else self._bear(claimed)
        verdict = Verdict.INCONCLUSIVE if reason else said
        return Assessment(self.report.verdict, verdict, reason, claimed, confidence, tuple(self.judged))

    def _is_claim(self, line: Line, claim: Claim) -> bool:
        if not claim.text or line.part in (Part.CONFIDENCE, Part.NEXT):
            return False
        if self.report and line.part in LISTS:
            return True
        if self.report and line.part in STATEMENTS:
            return claim.says_something_checkable
        return bool(claim.cites)

    def _refute(self, said: Verdict | None, report: Report) -> str:
        """Why the verdict does not stand; empty where it does."""
        if said is Verdict.NOTHING and not any(self._supported()):
            return "nothing that is said is supported by evidence, so it is not known that nothing is wrong."
        if said is not Verdict.FOUND:
            return ""
        if not report.service:
            return "the report names no service as the cause."
        if any(each.part is Part.CAUSE and each.faults for each in self.judged):
            return f"that {report.service} is the cause is not supported by evidence."
        named = {number for each in self.judged if each.part is Part.CAUSE for number in each.claim.cites}
        if not any(_is_about(claim, report.service) or named & set(claim.cites) for claim in self._supported()):
            return f"no claim about {report.service} is supported by evidence."
        return ""

    def _supported(self) -> list[Claim]:
        return [each.claim for each in self.judged if each.part is Part.EVIDENCE and not each.faults]

    def _bear(self, claimed: Confidence | None) -> Confidence:
        """The confidence that is left: a step less where a claim failed, low where half of them did."""
        start = Confidence.MEDIUM if claimed is None else claimed
        failed = sum(bool(each.faults) for each in self.judged)
        if not failed:
            return start
        return min(Confidence.LOW, start) if 2 * failed >= len(self.judged) else Confidence(max(start - 1, 0))


def _is_about(claim: Claim, service: str) -> bool:
    return bool(named_services(claim.text, [service]))
