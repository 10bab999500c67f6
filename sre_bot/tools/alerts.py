"""Alerts as Prometheus evaluates them and as Alertmanager routes them, in one list.

Prometheus knows the figure, what is pending and which rule is broken; Alertmanager knows what is silenced, until when
and by whom, and what is inhibited. An alert that fires in one and is unknown to the other is said to be so. When one of
the two cannot be read the other is reported, with what that leaves open.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from sre_bot.clients.alertmanager import RoutedAlert, Routing, Silence
from sre_bot.clients.prometheus import Alert, AlertRule
from sre_bot.errors import BackendError
from sre_bot.tools.figures import figure
from sre_bot.tools.moments import clock, span
from sre_bot.tools.sources import AlertSource, RoutingSource
from sre_bot.tools.spec import excerpt, shorten

_SHOWN = 30
_SHOWN_NOTES = 5
_SHOWN_SILENCES = 2  # of one alert
_SEVERITIES = ("critical", "warning")

T = TypeVar("T")


@dataclass(frozen=True)
class _Row:
    """One alert; `rule` or `routed` is None where that side does not have it, or could not be asked."""

    name: str
    rule: Alert | None
    routed: RoutedAlert | None

    @property
    def side(self) -> Alert | RoutedAlert:
        side = self.rule or self.routed
        assert side is not None  # noqa: S101  (a row is made from one of them)
        return side

    @property
    def service(self) -> str | None:
        return self.side.labels.get("service")

    @property
    def firing(self) -> bool:
        """Alertmanager holds an alert for minutes after Prometheus is silent; then its word counts."""
        return self.rule is None or self.rule.state == "firing"

    @property
    def quiet(self) -> bool:
        return self.routed is not None and self.routed.quiet

    @property
    def head(self) -> str:
        """`api-server CRITICAL firing`."""
        service = shorten(self.service or "(no service)", 80)
        severity = shorten(self.side.labels.get("severity", "(no severity)"), 40).upper()
        return f"{service} {severity} {'firing' if self.firing else 'pending'}"

    @property
    def escalation(self) -> str:
        told = self.side.annotations.get("escalation")
        return f"escalation {excerpt(told, 120)}" if told else ""


@dataclass(frozen=True)
class _View:
    """What the two sides said; None is a side that was not read, an empty one is a side without alerts."""

    rules: Sequence[AlertRule] | None
    routing: Routing | None


async def report_alerts(rules: AlertSource, routing: RoutingSource | None, service: str | None, now: float) -> str:
    """Per alert: service, severity, state, name, since when, figure, what it means, runbook, escalation.

    Args:
        rules: evaluates.
        routing: decides who is notified; None where there is no Alertmanager.
        service: None for all.
        now: seconds since the epoch.

    Raises:
        BackendError: nothing could be read.
    """
    evaluated, routed = await asyncio.gather(_ask(rules.alert_rules()), _ask(routing.routing() if routing else None))
    problems = []
    if isinstance(evaluated, BackendError):
        if routing is None or isinstance(routed, BackendError):
            raise evaluated
        problems.append(f"PROMETHEUS NOT READ, so pending alerts and figures are missing: {evaluated}")
        evaluated = None
    if isinstance(routed, BackendError):
        problems.append(f"ALERTMANAGER NOT READ, so what is silenced is unknown: {routed}")
        routed = None
    view = _View(evaluated, routed)
    rows = [row for row in _join(view) if service in (None, row.service)]
    return "\n".join(
        [_summary(rows, view, service, now), *problems, *_broken(view), *_lines(rows, view, now), *_idle(view, now)]
    )


async def _ask(question: Awaitable[T] | None) -> T | BackendError | None:
    try:
        return await question if question else None
    except BackendError as error:
        return error


def _join(view: _View) -> list[_Row]:
    """Rows of both sides, alerts of one name at a time."""
    evaluated: defaultdict[str, list[Alert]] = defaultdict(list)
    routed: defaultdict[str, list[RoutedAlert]] = defaultdict(list)
    for rule in view.rules or ():
        evaluated[rule.name] += rule.alerts
    for alert in view.routing.alerts if view.routing else ():
        routed[alert.name].append(alert)
    return [row for name in {**evaluated, **routed} for row in _pair(name, evaluated[name], routed[name])]


def _pair(name: str, evaluated: Sequence[Alert], routed: Sequence[RoutedAlert]) -> Iterator[_Row]:
    labelled: list[Alert | RoutedAlert] = [*evaluated, *routed]
    common = sorted(set.intersection(*(set(alert.labels) for alert in labelled))) if labelled else []
    waiting: defaultdict[tuple[str, ...], list[RoutedAlert]] = defaultdict(list)
    for held in routed:
        waiting[tuple(held.labels[label] for label in common)].append(held)
    for active in evaluated:
        # Looked up by what all have in common: comparing each with each takes seconds in a storm.
        candidates = waiting[tuple(active.labels[label] for label in common)] if active.state == "firing" else []
        found = next((each for each in candidates if _same(active, each)), None)
        if found:
            candidates.remove(found)
        yield _Row(name, active, found)
    yield from (_Row(name, None, held) for rest in waiting.values() for held in rest)


def _same(evaluated: Alert, routed: RoutedAlert) -> bool:
    """Whether no label contradicts: on the way Prometheus may add labels (external_labels) and drop some."""
    return all(routed.labels.get(name, value) == value for name, value in evaluated.labels.items())


def _summary(rows: Sequence[_Row], view: _View, service: str | None, now: float) -> str:
    if view.rules is not None and not view.rules and not rows:
        return "NO RULES LOADED: Prometheus has no alerting rules, so the absence of alerts says nothing."
    whose = f" for {service}" if service else ""
    about = _sources(view, now)
    if not rows and view.rules is None:
        return f"NO DATA: Alertmanager holds no alert{whose}, and whether the rules are evaluated is unknown."
    if not rows:
        return f"No alert is firing{whose} ({about})."
    firing = [row for row in rows if row.firing]
    quiet = sum(row.quiet for row in firing)
    count = f"{len(firing)} firing" + (f", {quiet} of them silenced or inhibited" if quiet else "")
    shown = f"; {_SHOWN} of {len(rows)} shown; ask for one service" if len(rows) > _SHOWN else ""
    return f"{count}, {len(rows) - len(firing)} pending{whose} ({about}{shown})"


def _sources(view: _View, now: float) -> str:
    if view.rules is None:
        return "from Alertmanager alone"
    last = max((rule.evaluated for rule in view.rules), default=0.0)
    evaluated = f" evaluated, last at {clock(last, now)}" if last else ", none yet evaluated"
    return f"{len(view.rules)} rules{evaluated}" + ("; with Alertmanager" if view.routing else "")


def _broken(view: _View) -> list[str]:
    failed = [rule for rule in view.rules or () if rule.error]
    told = [f"rule {rule.name} FAILED to evaluate: {shorten(rule.error, 200)}" for rule in failed[:_SHOWN_NOTES]]
    more = len(failed) - len(told)
    return [*told, f"and {more} more rules FAILED to evaluate"] if more else told


def _lines(rows: Sequence[_Row], view: _View, now: float) -> list[str]:
    """A line per alert; what several in a row have in common stands once, in a line above them."""
    lines: list[str] = []
    for (head, escalation), alike in groupby(_ordered(rows)[:_SHOWN], lambda row: (row.head, row.escalation)):
        told = [_facts(row, view, now) for row in alike]
        if len(told) == 1:
            lines.append("; ".join(filter(None, [f"{head} {told[0]}", escalation])))
        else:
            lines.append("; ".join(filter(None, [head, escalation])))
            lines += [f"  {each}" for each in told]
    return lines


def _ordered(rows: Sequence[_Row]) -> list[_Row]:
    """By importance; equally severe ones of a service stand together, where its first one belongs."""
    ordered = sorted(rows, key=_importance)
    first: dict[tuple[object, ...], int] = {}
    for place, row in enumerate(ordered):
        first.setdefault((row.quiet, row.head, row.escalation), place)
    return sorted(ordered, key=lambda row: first[row.quiet, row.head, row.escalation])


def _importance(row: _Row) -> tuple[bool, bool, int, float]:
    severity = row.side.labels.get("severity", "")
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return not row.firing, row.quiet, rank, row.side.since


def _facts(row: _Row, view: _View, now: float) -> str:
    """What tells an alert from others of its service."""
    value = f" value {figure(row.rule.value)}" if row.rule else ""
    since = f"since {clock(row.side.since, now)} ({span(max(0.0, now - row.side.since))})"
    parts = [f"{shorten(row.name, 80)} {since}{value}", *_routed(row, view, now)]
    notes = row.side.annotations
    if meaning := notes.get("summary") or notes.get("description"):
        parts.append(excerpt(meaning, 240))
    parts += [f"runbook {shorten(notes['runbook'], 120)}"] if notes.get("runbook") else []
    return "; ".join(parts)


def _routed(row: _Row, view: _View, now: float) -> list[str]:
    """What Alertmanager makes of the alert; nothing where it notifies as usual."""
    if row.routed is None:
        return ["NOT IN ALERTMANAGER: nobody is notified"] if view.routing and row.firing else []
    strange = view.rules is not None and row.rule is None
    told = ["NOT IN PROMETHEUS: ended there, or sent by somebody else"] if strange else []
    told += [_silence(silence, now) for silence in row.routed.silences[:_SHOWN_SILENCES]]
    if row.routed.inhibited_by:
        told.append(f"INHIBITED by {shorten(', '.join(row.routed.inhibited_by[:_SHOWN_NOTES]), 160)}")
    return told


def _silence(silence: Silence, now: float) -> str:
    if not silence.until:
        return "SILENCED (by a silence that has just ended)"
    left = f"until {clock(silence.until, now)} ({span(max(0.0, silence.until - now))} left)"
    return f"SILENCED {left} by {shorten(silence.author, 60)}: {excerpt(silence.comment, 120) or 'no comment'}"


def _idle(view: _View, now: float) -> list[str]:
    """Silences that would keep the next alert quiet."""
    idle = sorted(view.routing.idle_silences, key=lambda silence: silence.until) if view.routing else []
    told = [f"no alert matches {shorten(each.matchers, 160)} {_silence(each, now)}" for each in idle[:_SHOWN_NOTES]]
    more = len(idle) - len(told)
    return [*told, f"and {more} more silences without an alert"] if more else told
