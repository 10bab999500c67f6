"""The claim checker on labelled claims: how many of those that it refuses deserve it, and how many it lets pass."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.tables import Table
from sre_bot.evidence.claims import find_faults, read_claim
from sre_bot.evidence.exhibit import Exhibit

LABELLED = Path(__file__).parents[1] / "tests" / "evidence" / "labelled_claims.json"
HELD_OUT = LABELLED.with_name("held_out_claims.json")
"""Written when the checker was complete, of other results; read once before its mistakes on them were mended."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One claim: what kind it is, what a person says of it, and why the checker refuses it, if it does."""

    kind: str
    text: str
    supported: bool
    faults: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the checker says what the person does."""
        return self.supported is not bool(self.faults)


def judge_all(path: Path = LABELLED) -> list[Labelled]:
    """Every labelled claim with what the checker says of it."""
    labelled = json.loads(path.read_text(encoding="utf-8"))
    exhibits = {entry["number"]: _exhibit(entry) for entry in labelled["exhibits"]}
    return [
        Labelled(
            entry["kind"],
            entry["claim"],
            entry["supported"],
            find_faults(read_claim(entry["claim"]), exhibits, labelled["services"]),
        )
        for entry in labelled["claims"]
    ]


def precision_and_recall(judged: Sequence[Labelled]) -> tuple[float, float]:
    """Of "not supported": the share of the refused that deserve it, and of those that deserve it the refused."""
    refused = [each for each in judged if each.faults]
    wrong = [each for each in judged if not each.supported]
    both = sum(not each.supported for each in refused)
    return both / len(refused) if refused else 1.0, both / len(wrong) if wrong else 1.0


def measure(runs: int) -> list[Table]:
    """By kind of claim, for each set; the time is the best of so many runs over all of them."""
    return [_measure(LABELLED, "by which it was made", runs), _measure(HELD_OUT, "written afterwards", runs)]


def _measure(path: Path, which: str, runs: int) -> Table:
    seconds = []
    judged: list[Labelled] = []
    for _ in range(runs):
        began = perf_counter()
        judged = judge_all(path)
        seconds.append(perf_counter() - began)
    kinds = dict.fromkeys(each.kind for each in judged)
    rows = [_row(kind, [each for each in judged if each.kind == kind]) for kind in kinds]
    rows.append(_row("all", judged))
    precision, recall = precision_and_recall(judged)
    wrong = [f"- {each.text} ({'; '.join(each.faults) or 'taken for supported'})" for each in judged if not each.right]
    note = (
        f'"Not supported": precision {precision:.3f}, recall {recall:.3f}; '
        f"{1000 * min(seconds) / len(judged):.1f} ms a claim. Judged wrongly:\n\n" + "\n".join(wrong)
    )
    header = ("kind", "claims", "not supported", "judged rightly")
    return Table(f"The claim checker on labelled claims, {which}", header, rows, note)


def _row(kind: str, judged: Sequence[Labelled]) -> list[str]:
    return [
        kind,
        str(len(judged)),
        str(sum(not each.supported for each in judged)),
        str(sum(each.right for each in judged)),
    ]


def _exhibit(entry: dict[str, Any]) -> Exhibit:
    return Exhibit(
        number=entry["number"],
        tool=entry["tool"],
        arguments=entry["arguments"],
        text="\n".join(entry["text"]),
        ok=entry["ok"],
        at=datetime(2026, 11, 25, 15, 50, 17, tzinfo=UTC),
    )
