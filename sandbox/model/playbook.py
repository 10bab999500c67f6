"""The script: given a conversation, the next assistant turn.

It works as a careful responder would: everything first, then the worst service, then one answer with the figures that
were read. It holds no state; each stage names the calls that it needs, and a stage is over when each has a result.
"""

from __future__ import annotations

import re
from typing import Any

from .answers import full, no_tools
from .conversation import Conversation, Exchange
from .diagnosis import Diagnosis, diagnose
from .follow_ups import compared, recall
from .turn import Call, Say, Turn

NOTICE = "_This is the scripted offline playbook, not Claude: it follows fixed steps and quotes what the tools return._"

ERROR_RATIO = (
    'sum by (service) (rate(http_requests_total{status=~"5.."}[1m])) / sum by (service) (rate(http_requests_total[1m]))'
)
RUNBOOKS = {
    "pool": "database-connection-exhaustion",
    "latency_p99": "high-latency-cascade",
    "error_rate": "elevated-error-rates",
}
RECALL = re.compile(
    r"\b(why|what|which|how|who|when|where|evidence|sure|confiden\w*|cause|explain|summar\w+)\b", re.IGNORECASE
)
RECHECK = re.compile(
    r"\b(still|now|again|recover\w*|fixed|resolved|better|worse|happening|current\w*|status|healthy|re-?check|check|ok)\b",
    re.IGNORECASE,
)
LONGEST_RECALL = 15  # words; a longer text is a new report, not a question about the last answer

Stage = tuple[str, list[tuple[str, dict[str, Any]]]]


def next_turn(conversation: Conversation) -> Turn:
    """Return what the playbook does next."""
    turn = _decide(conversation)
    if not conversation.opening:
        return turn
    first, *rest = turn.blocks
    said = first.text if isinstance(first, Say) else ""
    return Turn((Say(f"{NOTICE}\n\n{said}".strip()), *rest))


def _decide(conversation: Conversation) -> Turn:
    exchange, before = conversation.current, _known(conversation.earlier)
    if "get_service_health" not in conversation.offered:
        return _say(no_tools())
    if before and not exchange.results and _is_recall(exchange.question):
        return _say(recall(before, exchange.question))
    for text, calls in _stages(exchange, before):
        if turn := _ask(conversation, text, calls):
            return turn
    found = diagnose(exchange.results)
    return _say(compared(found, before) if before and _comparable(found, before) else full(found))


def _stages(exchange: Exchange, before: Diagnosis | None) -> list[Stage]:
    """The calls to make, in order; later stages depend on what the earlier ones found."""
    look: list[tuple[str, dict[str, Any]]] = [("get_service_health", {}), ("get_alerts", {})]
    stages = [("Checking the health of every service first.", look)]
    if not exchange.called("get_service_health"):
        return stages
    found = diagnose(exchange.results)
    if before and _comparable(found, before):
        return stages
    return [*stages, _second_stage(found, exchange)]


def _second_stage(found: Diagnosis, exchange: Exchange) -> Stage:
    if found.verdict == "failing":
        return _dig(found, exchange)
    if found.health.problem:
        return (
            "The metrics cannot be read. Looking at what does not depend on them.",
            [("get_recent_deployments", {}), ("get_logs", {"level": "ERROR"})],
        )
    return (
        "Nothing stands out so far. Looking a second time, over the last hour.",
        [("query_metrics", {"query": ERROR_RATIO, "start": "-1h"}), ("get_recent_deployments", {})],
    )


def _dig(found: Diagnosis, exchange: Exchange) -> Stage:
    name = found.suspect.name if found.suspect else found.firing[0].service
    pool = f'sum by (__name__, service) ({{__name__=~"db_connections_(active|waiting|max)",service="{name}"}})'
    again = exchange.called("get_logs")
    return (
        "The logs point to another runbook."
        if again
        else f"{name} stands out. Reading its errors, pool and deployments.",
        [
            ("get_logs", {"service": name, "level": "ERROR"}),
            ("get_recent_deployments", {}),
            ("query_metrics", {"query": pool}),
            ("query_metrics", {"query": ERROR_RATIO, "start": "-1h"}),
            ("execute_runbook", {"name": _runbook(found), "phase": "investigate", "service": name}),
        ],
    )


def _runbook(found: Diagnosis) -> str:
    if found.pool_exhausted:
        return RUNBOOKS["pool"]
    breached = found.suspect.breached if found.suspect else ()
    return next((RUNBOOKS[signal] for signal in breached if signal in RUNBOOKS), RUNBOOKS["error_rate"])


def _ask(conversation: Conversation, text: str, calls: list[tuple[str, dict[str, Any]]]) -> Turn | None:
    """A turn with the calls that are on offer and have no result yet; None when there is none."""
    made = [(result.tool, result.arguments) for result in conversation.current.results]
    left = [call for call in calls if call[0] in conversation.offered and call not in made]
    if not left:
        return None
    return Turn((Say(text), *(Call(conversation.offered[tool], arguments) for tool, arguments in left)))


def _known(earlier: tuple[Exchange, ...]) -> Diagnosis | None:
    """What was known before this question, if the services were seen."""
    before = diagnose([result for exchange in earlier for result in exchange.results])
    return before if before.health.services else None


def _comparable(found: Diagnosis, before: Diagnosis) -> bool:
    """Whether the new reading needs no investigation: nothing new is failing."""
    if before.verdict == "inconclusive":
        return False
    if found.verdict == "failing":
        return bool(found.suspect and before.suspect and found.suspect.name == before.suspect.name)
    return found.verdict == "healthy"


def _is_recall(question: str) -> bool:
    """A short question about what was already read, rather than about how it is now."""
    words = re.sub(r"<[^>]*>", " ", question)
    short = len(words.split()) <= LONGEST_RECALL
    return short and bool(RECALL.search(words)) and not RECHECK.search(words)


def _say(text: str) -> Turn:
    return Turn((Say(text),))
