"""Runbooks as files: Markdown that a person reads in an editor and the tools can run.

A file has front matter (`title`) and the sections Symptoms, Investigation, Remediation and Escalation. An investigation
step is a `###` heading, PromQL in blocks (```promql, the unit, what the figures are; `$service` for the service), and
how to read them. A remediation option is a list item that starts with `Person:` or `Call:`, so that nobody has
to guess who does it. A file of another shape is refused with its name and line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from sre_bot.catalog import Unit
from sre_bot.errors import CatalogError

SECTIONS = ("Symptoms", "Investigation", "Remediation", "Escalation")
ACTORS = ("Person:", "Call:")

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
class Step:
    """One step: what is asked, the queries that answer it, and how to read the figures."""

    question: str
    queries: tuple[Query, ...]
    reading: str


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
        if line.startswith("- ") and not line[2:].startswith(ACTORS):
            raise CatalogError(f"{path}:{number}: an option must start with {' or '.join(ACTORS)}")
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
        yield Step(heading.lstrip("0123456789. "), queries, " ".join(_text(prose).split()))


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
