"""The figures that were read, as lines of an answer. Each line quotes a tool; none is made up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .diagnosis import POOL_MESSAGE, Diagnosis
from .readings import Change, LogPattern, ServiceHealth

WORDS = {
    "error_rate": "error rate",
    "latency_p99": "P99 latency",
    "db_connections": "DB connections in use",
    "db_waiting": "requests waiting for a connection",
    "cpu": "CPU",
    "memory": "memory",
    "up": "up",
    "requests": "requests",
    "restarts": "restarts",
}
WHICH_REQUEST = re.compile(r"^.* request=\w+: ")
HEALTH, DEPLOYED, RANKED = "get_service_health", "get_recent_deployments", "rank_suspects"
CITED = re.compile(r" \[E\d+(?:, E\d+)*\]")
LONGEST_QUOTE = 160
MOST_PATTERNS = 3  # of errors
NOTABLE_RATIO = 0.01  # the specification's warning threshold of the error rate


def cite(found: Diagnosis, *sources: str) -> str:
    """The ids of what a statement rests on, to stand behind it; empty where the results have none."""
    ids = dict.fromkeys(each for source in sources for each in found.sources.get(source, ()))
    return f" [{', '.join(ids)}]" if ids else ""


def without_ids(text: str) -> str:
    """A text for where nobody can look the evidence up."""
    return CITED.sub("", text)


def evidence(found: Diagnosis) -> list[str]:
    """Every line that supports a failing verdict, strongest first."""
    suspect = found.suspect
    health = cite(found, HEALTH)
    return [
        *([f"Health: {suspect.name} {suspect.state}{figures(suspect)}{health}"] if suspect else []),
        *ranking_lines(found),
        *pool_lines(found),
        *query_lines(found),
        *log_lines(found),
        *history_lines(found),
        *alert_lines(found),
        *unseen_lines(found),
    ]


def ranking_lines(found: Diagnosis) -> list[str]:
    """What broke first, and each symptom that was ranked."""
    if not found.ranking.suspects:
        return []
    name, why = found.ranking.suspects[0]
    said = "Broke first" if found.ranking.clear else "Likeliest to have broken first"
    ids = cite(found, RANKED)
    return [f"{said}: {name}, {why}{ids}", *(f"Symptom: {each}{ids}" for each in found.ranking.symptoms)]


def health_lines(found: Diagnosis) -> list[str]:
    """One line per service."""
    health = cite(found, HEALTH)
    return [f"{service.name} {service.state}: {main_figures(service)}{health}" for service in found.health.services]


def ruled_out_lines(found: Diagnosis) -> list[str]:
    """The services that are within their thresholds, so that it is none of them."""
    fine = [service.name for service in found.health.services if service.state == "OK"]
    return (
        [f"{', '.join(fine)}: within {'its' if len(fine) == 1 else 'their'} thresholds{cite(found, HEALTH)}"]
        if fine
        else []
    )


def pool_lines(found: Diagnosis) -> list[str]:
    """The suspect's pool, when it was read."""
    pool = {key: f"{value:g}" for key, value in found.pool.items()}
    if not pool:
        return []
    return [
        f"Pool: {pool.get('active', '?')}/{pool.get('max', '?')} connections in use, {pool.get('waiting', '?')} waiting"
        + cite(found, "db_connections")
    ]


def query_lines(found: Diagnosis) -> list[str]:
    """How long queries take, where that was read: on average by service, and what the database logs of them."""
    times = [f"{sample.labels} {sample.last:.0f} ms" for sample in found.query_times[:4]]
    lines = [f"Mean query time: {', '.join(times)}{cite(found, 'db_query_duration')}"] if times else []
    return [*lines, *_counted(found, "Slow queries", found.slow_logs)]


def log_lines(found: Diagnosis) -> list[str]:
    """The most frequent errors, with the counts of their lines as they were read: a sum stands in no result."""
    errors = [line for line in found.current_logs if line.level == "ERROR"]
    told = _counted(found, "Logs", found.pool_logs or errors or found.logs)
    others = sorted((line for line in errors if line not in found.pool_logs), key=lambda line: -line.count)
    lines = [each for line in others[:MOST_PATTERNS] for each in _counted(found, "Logs", [line])]
    return list(dict.fromkeys([*told, *lines]))[:MOST_PATTERNS]


def _counted(found: Diagnosis, label: str, lines: Sequence[LogPattern]) -> list[str]:
    if not lines:
        return []
    chosen = max(lines, key=lambda line: line.count)
    said = f"{chosen.count} {chosen.level} lines like “{_message(chosen)}” ({chosen.service})"
    return [f"{label}: {said}{cite(found, 'get_logs')}"]


def history_lines(found: Diagnosis) -> list[str]:
    """The error ratio over the last hour, where it is notable."""
    return [
        f"Error ratio of {sample.labels} over 1 h: {percent(sample.last)} now, {percent(sample.largest)} at most"
        + cite(found, "http_requests_total")
        for sample in found.error_history[:4]
        if sample.largest > NOTABLE_RATIO or found.verdict == "healthy"
    ]


def alert_lines(found: Diagnosis) -> list[str]:
    """The alerts that fire."""
    if not found.firing:
        return []
    alerts = [f"{a.name} on {a.service} ({a.severity.lower()}, since {a.since or '?'})" for a in found.firing[:4]]
    return [f"Alerts firing: {', '.join(alerts)}{cite(found, 'get_alerts')}"]


def deployment_lines(found: Diagnosis) -> list[str]:
    """The newest deployment, in the tool's words."""
    newest = found.deployments[0] if found.deployments else ""
    return [f"Newest deployment: {quote(newest)}{cite(found, DEPLOYED)}"] if newest else []


def unseen_lines(found: Diagnosis) -> list[str]:
    """What could not be seen, and why."""
    tools: dict[str, list[str]] = {}
    for tool, why in found.unseen:
        tools.setdefault(why, []).append(tool)
    return [
        f"Could not see ({', '.join(dict.fromkeys(names))}): {quote(why)}{cite(found, why)}"
        for why, names in tools.items()
    ]


def settings_changed(found: Diagnosis, changes: tuple[Change, ...]) -> str:
    """The newest changes, for **What changed**."""
    shown = [f"{change.service} at {change.time}{_by(change)}: {setting(change)}" for change in changes[:3]]
    if not shown:
        return "no setting, in the deployments that I could read."
    return f"{'; '.join(shown)}.{cite(found, DEPLOYED)}"


def percent(ratio: float) -> str:
    """A share in three digits, so that a small one is not said to be none."""
    return f"{100 * ratio:.3g}%"


def _by(change: Change) -> str:
    return f" by {change.author} (“{quote(change.reason, 80)}”)" if change.author and change.reason else ""


def setting(change: Change) -> str:
    """One change: key, before, after."""
    return f"`{change.key}` {change.before} → {change.after}"


def figures(service: ServiceHealth) -> str:
    """The figures in breach, with queue and restarts, each after a comma."""
    signals = [*service.breached, *(s for s in ("db_waiting", "restarts") if (service.value(s) or 0) > 0)]
    return "".join(f", {WORDS.get(s, s)} {service.figures.get(s, 'NO DATA')}" for s in signals)


def bullets(lines: list[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def quote(text: str, limit: int = LONGEST_QUOTE) -> str:
    """At most `limit` characters of the words of others."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _message(line: LogPattern) -> str:
    """The part of a log line that says what failed, without the request it happened to."""
    match = re.search(rf"[^:;]*(?:{POOL_MESSAGE.pattern}).*", line.message, re.IGNORECASE)
    return quote(match[0].strip() if match else WHICH_REQUEST.sub("", line.message))


def main_figures(service: ServiceHealth) -> str:
    """What users feel, and the pool; signals that the tool did not show are left out."""
    shown = (signal for signal in ("error_rate", "latency_p99", "db_connections") if signal in service.figures)
    return ", ".join(f"{WORDS[signal]} {service.figures[signal]}" for signal in shown)
