"""The tools' texts, read into values: the one place that knows how the `sre` tools word their results.

Tolerant on purpose: it looks for key phrases, skips lines that it does not know, and never fills a gap. What cannot
be read becomes a `problem` in the tool's own words. The forms read here are:

    health       api-server CRITICAL (Main API gateway; Platform team, #platform-oncall)
                   error_rate 33.1 % CRITICAL (> 5 %)
                   OK: cpu 12 %, memory 30 %            context: db_waiting 37, restarts 2
                 OK (…) | error_rate | cpu | …          over rows like    auth-svc OK | 0 % | 12 % | …
    alerts       api-server CRITICAL firing HighErrorRate since 14:04:00Z (1 m) value 0.33; summary; runbook x
                 or, of several, the first three words above lines that begin with the alert's name
    deployments  api-server 14:03:12Z (2 m ago) version 7 by ci: reason; DB_POOL_SIZE 20 → 1
    ranking      CLEAR: api-server broke first …, then symptom: … and rows like    1. api-server: score 1.00, …
    runbook      lines that begin with => : what the figures point to
    settings     DB_POOL_SIZE=1 | integer 1 to 200 | Database connections per worker
    logs         api-server ERROR x124 14:03:20Z-14:05:01Z could not obtain a database connection
    metrics      api-server db_connections_active 5     or     api-server last 0.33 mean 0.1 max 0.35 at 14:05Z | …
                 or, of one that never changed, api-server 0 throughout
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .conversation import Result

SEVERITIES = ("OK", "NO DATA", "WARNING", "CRITICAL")  # in rising order

_UNSEEN = re.compile(
    r"\b(UNREACHABLE|NOT CONFIGURED|NO RULES LOADED|internal error|timed out|Connection closed|No such tool)\b"
)
_SERVICE = re.compile(rf"^(?P<name>[\w.-]+):? (?P<state>{'|'.join(SEVERITIES)})\b(?! (?:firing|pending))")
_FIGURE = re.compile(
    r"(?P<name>\b[a-z][a-z0-9_]*):? (?P<value>NO DATA"
    r"|[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?: ?(?:%|ms|s|/s|[KMGTP]?i?B)(?!\w))?)"
)
_BREACH = re.compile(r"^\s+(?P<name>[a-z][a-z0-9_]*)\b.*\b(?:WARNING|CRITICAL)\b")
_ALERTING = re.compile(r"^(?P<service>\S+) (?P<severity>\w+) (?P<state>firing|pending)\b")
_ALERT = re.compile(r" (?P<name>[^\s;]+) since (?P<since>[\d: -]+Z)")
_DEPLOYMENT = re.compile(
    r"^(?P<service>[\w.-]+) (?P<time>(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d)?Z)(?: \((?P<ago>[^)]*)\))?"
)
_SIGNED = re.compile(r"\bby (?P<author>[^:;]+): (?P<reason>[^;]+)")
_SETTING = re.compile(r"^(?P<key>[A-Za-z_]\w*)=(?P<value>\S+) \| ", re.MULTILINE)
_RANKED = re.compile(r"^(?P<verdict>CLEAR|AMBIGUOUS): ")
_LEAD = re.compile(r"^\d\. (?P<service>[\w.-]+): (?P<why>.+)$", re.MULTILINE)
_SYMPTOM = re.compile(r"^(?:symptom: |also )(?P<text>.+)$", re.MULTILINE)
_OVER = "back to usual by now"
_CONCLUSION = re.compile(r"^\s*=> (?P<text>.+)$", re.MULTILINE)
_CHANGE = re.compile(r"(?P<key>[A-Za-z][\w.]*) (?P<before>\([a-z]+\)|[^\s;]+) (?:→|->) (?P<after>\([a-z]+\)|[^\s;]+)")
_LOG = re.compile(r"^(?P<service>[\w.-]+) (?P<level>[A-Z]+) \u00d7?x?(?P<count>[\d,]+) (?P<when>\S+) (?P<message>.+)$")
_WINDOW = re.compile(r"^(?P<labels>.*?)\s*last (?P<last>\S+) mean \S+ max (?P<max>\S+)(?: at (?P<at>[\d: -]+Z))?")
_POINT = re.compile(r"^(?P<labels>.+?) (?P<value>[+-]?(?:\d[\d.]*(?:e[+-]?\d+)?|Inf|NaN))(?: throughout)?$")
_CELLS = " | "
_UNMEASURED = ("n/a", "")


@dataclass(frozen=True)
class ServiceHealth:
    """One service: its state (one of SEVERITIES), its figures as worded by the tool, and the signals in breach."""

    name: str
    state: str
    figures: dict[str, str]
    breached: tuple[str, ...]

    def value(self, signal: str) -> float | None:
        """The number of a signal, in the unit in which the tool wrote it; None when absent."""
        return number(self.figures.get(signal, ""))

    @property
    def rank(self) -> int:
        """The place of its state in SEVERITIES."""
        return SEVERITIES.index(self.state)


@dataclass(frozen=True)
class Health:
    """All services that were read; `problem` is set when that was none."""

    services: tuple[ServiceHealth, ...]
    problem: str = ""

    def named(self, name: str) -> ServiceHealth | None:
        """The service of this name."""
        return next((service for service in self.services if service.name == name), None)


@dataclass(frozen=True)
class Alert:
    """One active alert."""

    service: str
    severity: str
    state: str
    name: str
    since: str


@dataclass(frozen=True)
class Ranking:
    """Which services broke first, the likeliest first, each with why; `clear` where the ranking is sure of the first.

    Empty where nothing was significant, or where what was is over.
    """

    suspects: tuple[tuple[str, str], ...] = ()
    symptoms: tuple[str, ...] = ()
    clear: bool = False

    @property
    def first(self) -> str:
        """The likeliest service."""
        return self.suspects[0][0] if self.suspects else ""


@dataclass(frozen=True)
class Change:
    """One setting that a deployment changed."""

    service: str
    time: str
    key: str
    before: str
    after: str
    author: str = ""
    reason: str = ""


@dataclass(frozen=True)
class LogPattern:
    """Log lines that are alike, with the times of day of the first and the last of them."""

    service: str
    level: str
    count: int
    message: str
    first: str
    last: str


@dataclass(frozen=True)
class Sample:
    """One series of a query: its labels as written, newest and largest value, and when it was largest."""

    labels: str
    last: float
    largest: float
    at: str


def problem_of(result: Result) -> str:
    """What kept a tool from seeing, in its own words (one line); empty when it saw."""
    if result.failed or _UNSEEN.search(first_line(result.text)):
        return first_line(result.text) or "failed without a word"
    return ""


def read_health(result: Result) -> Health:
    """Read `get_service_health`."""
    services: list[ServiceHealth] = []
    columns: list[str] = []
    for first, *rest in _blocks(result.text):
        head = _SERVICE.match(first)
        if head and _CELLS in first:
            services.append(_row(head["name"], head["state"], columns, first))
        elif head:
            services.append(_service(head["name"], head["state"], rest))
        elif _CELLS in first:
            columns = first.split(_CELLS)
    if services and not result.failed:
        return Health(tuple(services))
    return Health((), problem_of(result) or f"not understood: {first_line(result.text)}")


def read_alerts(text: str) -> list[Alert]:
    """Read `get_alerts`; firing and pending ones."""
    alerts: list[Alert] = []
    for first, *rest in _blocks(text):
        if head := _ALERTING.match(first):
            named = [_ALERT.match(first, head.end()), *(_ALERT.match(line, 1) for line in rest)]
            about = head["service"], head["severity"], head["state"]
            alerts += [Alert(*about, found["name"], found["since"].strip()) for found in named if found]
    return alerts


def read_changes(text: str) -> list[Change]:
    """Read `get_recent_deployments`: every setting changed, newest deployment first."""
    changes: list[Change] = []
    for line in text.splitlines():
        if head := _DEPLOYMENT.match(line):
            by = _SIGNED.search(line, head.end())
            signature = (by["author"].strip(), by["reason"].strip()) if by else ("", "")
            changes += [
                Change(head["service"], head["time"], change["key"], change["before"], change["after"], *signature)
                for change in _CHANGE.finditer(line, head.end())
            ]
    return changes


def read_ranking(text: str) -> Ranking:
    """Read `rank_suspects`."""
    head = _RANKED.match(text)
    symptoms = tuple(found["text"] for found in _SYMPTOM.finditer(text))
    if not head or not symptoms or _OVER in symptoms[0]:
        return Ranking()
    suspects = tuple((found["service"], found["why"]) for found in _LEAD.finditer(text))
    return Ranking(suspects, symptoms, clear=head["verdict"] == "CLEAR")


def read_conclusions(text: str) -> list[str]:
    """Read `execute_runbook`: what its figures point to, step by step."""
    return [found["text"] for found in _CONCLUSION.finditer(text)]


def read_settings(text: str) -> dict[str, str]:
    """Read `read_service_config`: the values that stand in the file."""
    return {found["key"]: found["value"] for found in _SETTING.finditer(text)}


def seconds_from(early: str, late: str) -> float | None:
    """Seconds from one time of day, such as 15:49:26Z, to another one that is less than half a day away."""
    found = [re.fullmatch(r"(\d\d):(\d\d):(\d\d)Z", each) for each in (early, late)]
    first, second = (int(m[1]) * 3600 + int(m[2]) * 60 + int(m[3]) if m else None for m in found)
    if first is None or second is None:
        return None
    return (second - first + 43_200) % 86_400 - 43_200


def read_deployments(text: str) -> list[str]:
    """The lines of `get_recent_deployments` that name a deployment."""
    return [line for line in text.splitlines() if _DEPLOYMENT.match(line)]


def read_logs(text: str) -> list[LogPattern]:
    """Read `get_logs`, in its order."""
    found = (_LOG.match(line) for line in text.splitlines())
    return [_pattern(match) for match in found if match]


def read_samples(text: str) -> list[Sample]:
    """Read `query_metrics`, instant or range; the header line and legends are not samples."""
    samples: list[Sample] = []
    for line in text.splitlines()[1:]:
        if window := _WINDOW.match(line):
            last, largest = number(window["last"]), number(window["max"])
            if last is not None and largest is not None:
                samples.append(Sample(window["labels"], last, largest, (window["at"] or "").strip()))
        elif (point := _POINT.match(line)) and (value := number(point["value"])) is not None:
            samples.append(Sample(point["labels"], value, value, ""))
    return samples


def number(text: str) -> float | None:
    """The number at the head of `33.1 %` or `2,310 ms`; None for NO DATA and NaN."""
    match = re.match(r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?", text)
    return float(match[0].replace(",", "")) if match else None


def first_line(text: str) -> str:
    """The first line that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _pattern(match: re.Match[str]) -> LogPattern:
    times = re.split("[–-]", match["when"])  # noqa: RUF001  (the tool writes an en dash)
    count = int(match["count"].replace(",", ""))
    return LogPattern(match["service"], match["level"], count, match["message"], times[0], times[-1])


def _service(name: str, state: str, lines: Iterable[str]) -> ServiceHealth:
    figures: dict[str, str] = {}
    breached: list[str] = []
    for line in lines:
        if breach := _BREACH.match(line):
            breached.append(breach["name"])
        # Thresholds stand in brackets; they are no figures of the service.
        for figure in _FIGURE.finditer(re.sub(r"\([^)]*\)", "", line)):
            figures.setdefault(figure["name"], figure["value"].strip())
    return ServiceHealth(name, state, figures, tuple(breached))


def _row(name: str, state: str, columns: list[str], line: str) -> ServiceHealth:
    """A row of the table: its figures by the columns' names."""
    cells = dict(zip(columns[1:], line.split(_CELLS)[1:], strict=False))
    return ServiceHealth(name, state, {key: cell for key, cell in cells.items() if cell not in _UNMEASURED}, ())


def _blocks(text: str) -> list[list[str]]:
    """A line at the margin with the indented lines below it."""
    blocks: list[list[str]] = []
    for line in text.splitlines():
        if line[:1].isspace() and blocks:
            blocks[-1].append(line)
        elif line.strip():
            blocks.append([line])
    return blocks
