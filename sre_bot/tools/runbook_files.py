"""Runbooks as files: Markdown that a person reads in an editor and the tools can run.

A file has front matter (`title`) and the sections Symptoms, Investigation, Remediation and Escalation.

An investigation step is a `###` heading, PromQL in blocks (```promql, the unit, what the figures are; `$service` for
the service), how to read them, and the branches of the decision, which code can follow:

    - When pool in use > 90 %: the pool is exhausted; option 1
    - Otherwise: the pools have room

`When` names one of the step's queries, `<` or `>`, and a number in its unit (`%` for a ratio, `ms`, `/s`, or none).

A remediation option is a numbered item that starts with `Person:`, for a step that a person does, or with `Call:` and
the exact call of a tool in backticks. A file of another shape is refused with its name and line.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from sre_bot.catalog import Unit
from sre_bot.errors import CatalogError

SECTIONS = ("Symptoms", "Investigation", "Remediation", "Escalation")

_OPTION = re.compile(r"\d+\. (Person: \S|Call: `[a-z_]+\([^`]*\)`)")
_BRANCH = re.compile(
    r"- When (?P<query>.+) (?P<sign>[<>]) (?P<limit>-?\d+(?:\.\d+)?)(?: ?(?P<mark>%|ms|/s))?: (?P<then>.+)"
)
_OTHERWISE = "- Otherwise: "
_MARKS: Mapping[Unit, tuple[str, float]] = {"ratio": ("%", 0.01), "ms": ("ms", 1.0), "per_second": ("/s", 1.0)}

Lines = Sequence[tuple[int, str]]
"""Numbered lines of a file."""

_UNIT: TypeAdapter[Unit] = TypeAdapter(Unit)


@dataclass(frozen=True)
class Query:
    """One PromQL expression of a step, what its figures are called and their unit."""

    title: str
    promql: str
    unit: Unit


@dataclass(frozen=True)
class Branch:
    """One branch of a decision: it holds for each series of `query` beyond `limit`, which is in the query's unit."""

    query: Query
    sign: str
    limit: float
    conclusion: str

    def holds(self, value: float) -> bool:
        """Whether a figure points here; NaN never does."""
        return value > self.limit if self.sign == ">" else value < self.limit


@dataclass(frozen=True)
class Step:
    """One step: what is asked, the queries that answer it, how to read the figures, and where they point."""

    question: str
    queries: tuple[Query, ...]
    reading: str
    branches: tuple[Branch, ...]
    otherwise: str


@dataclass(frozen=True)
class Runbook:
    """One runbook; `name` is its file's name without `.md`."""

    name: str
    title: str
    symptoms: str
    steps: tuple[Step, ...]
    remediation: str
    escalation: str


def load_runbooks(folder: Path) -> Mapping[str, Runbook]:
    """Every `*.md` in `folder`, by name; an absent folder holds none.

    Raises:
        CatalogError: names file, line and what is wrong.
    """
    return {path.stem: _load(path) for path in sorted(folder.glob("*.md"))}


def _load(path: Path) -> Runbook:
    try:
        lines = list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: cannot be read: {error}") from error
    title, body = _front_matter(path, lines)
    sections: dict[str, Lines] = {}
    for number, name, content in _split(body, "## "):
        if name not in SECTIONS or name in sections:
            raise CatalogError(
                f"{path}:{number}: unexpected section {name!r}; there are {', '.join(SECTIONS)}, once each"
            )
        sections[name] = content
    if missing := [name for name in SECTIONS if not _text(sections.get(name, ()))]:
        raise CatalogError(f"{path}:1: sections missing or empty: {', '.join(missing)}")
    for number, line in sections["Remediation"]:
        if line[:1] not in ("", " ") and not _OPTION.match(line):
            raise CatalogError(
                f'{path}:{number}: an option must start like `1. Person: …` or `1. Call: `tool(name="value")``'
            )
    return Runbook(
        path.stem,
        title,
        _text(sections["Symptoms"]),
        tuple(_steps(path, sections["Investigation"])),
        _text(sections["Remediation"]),
        _text(sections["Escalation"]),
    )


def _front_matter(path: Path, lines: Lines) -> tuple[str, Lines]:
    """The title, and the lines behind the front matter."""
    fences = [index for index, (_, line) in enumerate(lines) if line == "---"][:2]
    if len(fences) < 2 or fences[0]:
        raise CatalogError(f"{path}:1: must start with front matter: ---, title: …, ---")
    try:
        data = yaml.safe_load(_text(lines[1 : fences[1]]))
    except yaml.YAMLError as error:
        raise CatalogError(f"{path}:2: front matter is not valid YAML: {error}") from error
    if not isinstance(data, dict) or set(data) != {"title"} or not isinstance(data["title"], str):
        raise CatalogError(f"{path}:2: front matter must have the key `title`, a text, and no other")
    return data["title"], lines[fences[1] + 1 :]


def _split(lines: Lines, marker: str) -> Iterator[tuple[int, str, Lines]]:
    """(line, heading, content) of each part that starts with a heading of this level."""
    starts = [index for index, (_, line) in enumerate(lines) if line.startswith(marker)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        number, heading = lines[start]
        yield number, heading.removeprefix(marker).strip(), lines[start + 1 : end]


def _steps(path: Path, lines: Lines) -> Iterator[Step]:
    if not any(line.startswith("### ") for _, line in lines):
        raise CatalogError(f"{path}:{lines[0][0]}: Investigation must consist of steps, each under a ### heading")
    for _, heading, content in _split(lines, "### "):
        prose: list[tuple[int, str]] = []
        queries = tuple(_queries(path, content, prose))
        decided = [(number, line) for number, line in prose if line.startswith("- ")]
        branches = tuple(_branches(path, decided, queries))
        otherwise = [line.removeprefix(_OTHERWISE) for _, line in decided if line.startswith(_OTHERWISE)]
        reading = " ".join(_text([each for each in prose if each not in decided]).split())
        yield Step(heading.lstrip("0123456789. "), queries, reading, branches, " ".join(otherwise))


def _branches(path: Path, lines: Lines, queries: Sequence[Query]) -> Iterator[Branch]:
    by_title = {query.title: query for query in queries}
    for number, line in lines:
        if line.startswith(_OTHERWISE):
            continue
        match = _BRANCH.fullmatch(line)
        query = by_title.get(match["query"]) if match else None
        mark, factor = _MARKS.get(query.unit, ("", 1.0)) if query else ("", 1.0)
        if match is None or query is None or (match["mark"] or "") != mark:
            raise CatalogError(
                f"{path}:{number}: a branch must be `- When QUERY > NUMBER: …` or `- Otherwise: …`, on one line, with "
                f"a query of this step ({', '.join(by_title) or 'it has none'}) and its unit"
                + (f" ({mark})" if mark else "")
            )
        yield Branch(query, match["sign"], float(match["limit"]) * factor, match["then"])


def _queries(path: Path, lines: Lines, prose: list[tuple[int, str]]) -> Iterator[Query]:
    """The PromQL blocks; what stands outside of them is appended to `prose`."""
    rest = iter(lines)
    for number, line in rest:
        if not line.startswith("```"):
            prose.append((number, line))
            continue
        language, unit, title = (*line.removeprefix("```").split(maxsplit=2), "", "", "")[:3]
        block: list[tuple[int, str]] = []
        for inner in rest:
            if inner[1].startswith("```"):
                break
            block.append(inner)
        try:
            query = Query(title, _text(block), _UNIT.validate_python(unit))
        except ValidationError as error:
            raise CatalogError(f"{path}:{number}: {unit!r} is no unit: {', '.join(get_args(Unit))}") from error
        if language != "promql" or not (query.title and query.promql):
            raise CatalogError(f"{path}:{number}: a block must be ```promql, a unit and a title, and hold a query")
        yield query


def _text(lines: Lines) -> str:
    return "\n".join(line for _, line in lines).strip()
