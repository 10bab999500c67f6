"""Active alerts of Prometheus' alerting rules, firing before pending; says so when no rule exists or one is broken."""

from collections.abc import Sequence

from sre_bot.clients.prometheus import Alert, AlertRule
from sre_bot.tools.figures import figure
from sre_bot.tools.moments import clock, span
from sre_bot.tools.spec import shorten

_SHOWN = 30
_SEVERITIES = ("critical", "warning")


def report_alerts(rules: Sequence[AlertRule], service: str | None, now: float) -> str:
    """One line per alert: service, severity, state, name, since when, figure, what it means, runbook, escalation."""
    if not rules:
        return "NO RULES LOADED: Prometheus has no alerting rules, so the absence of alerts says nothing."
    broken = [f"rule {rule.name} FAILED to evaluate: {shorten(rule.error, 200)}" for rule in rules if rule.error]
    active = [(rule.name, alert) for rule in rules for alert in rule.alerts]
    if service is not None:
        active = [entry for entry in active if entry[1].labels.get("service") == service]
    return "\n".join([_summary(rules, active, service, now), *broken, *_lines(active, now)])


def _summary(rules: Sequence[AlertRule], active: Sequence[tuple[str, Alert]], service: str | None, now: float) -> str:
    last = max(rule.evaluated for rule in rules)
    evaluated = (
        f"{len(rules)} rules evaluated, last at {clock(last, now)}"
        if last
        else f"{len(rules)} rules, none yet evaluated"
    )
    whose = f" for {service}" if service else ""
    firing = sum(alert.state == "firing" for _, alert in active)
    pending = len(active) - firing
    if not active:
        return f"No alert is firing{whose} ({evaluated})."
    shown = f", {_SHOWN} of {len(active)} shown; ask for one service" if len(active) > _SHOWN else ""
    return f"{firing} firing, {pending} pending{whose} ({evaluated}{shown})"


def _lines(active: Sequence[tuple[str, Alert]], now: float) -> list[str]:
    return [_line(name, alert, now) for name, alert in sorted(active, key=_importance)[:_SHOWN]]


def _importance(entry: tuple[str, Alert]) -> tuple[bool, int, float]:
    _, alert = entry
    severity = alert.labels.get("severity", "")
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return alert.state != "firing", rank, alert.since


def _line(name: str, alert: Alert, now: float) -> str:
    service = alert.labels.get("service", "(no service)")
    severity = alert.labels.get("severity", "(no severity)").upper()
    since = f"since {clock(alert.since, now)} ({span(now - alert.since)})"
    parts = [f"{service} {severity} {alert.state} {name} {since} value {figure(alert.value)}"]
    notes = alert.annotations
    if meaning := notes.get("summary") or notes.get("description"):
        parts.append(shorten(meaning, 240))
    parts += [f"{key} {shorten(notes[key], 120)}" for key in ("runbook", "escalation") if notes.get(key)]
    return "; ".join(parts)
