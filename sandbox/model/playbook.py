"""The script: given a conversation, the next assistant turn.

It works as a careful responder would: everything first, then the worst service, then one answer with the figures that
were read, and the one change that would put it right, which a person decides on. It holds no state; each stage names
the calls that it needs, and a stage is over when each has a result.
"""

from __future__ import annotations

from typing import Any

from .acts import after, carried_out, decided, judged, page, proposed_before, rolled_back, to_undo, undo
from .answers import full, no_tools
from .closing import incident_of, only_resolve, postmortem
from .conversation import Conversation, Exchange
from .diagnosis import Diagnosis, diagnose
from .follow_ups import compared, recall
from .turn import Call, Say, Turn
from .wishes import wish

NOTICE = "_This is the scripted offline playbook, not Claude: it follows fixed steps and quotes what the tools return._"

ERROR_RATIO = (
    'sum by (service) (rate(http_requests_total{status=~"5.."}[1m])) / sum by (service) (rate(http_requests_total[1m]))'
)
QUERY_TIME = (
    "sum by (service) (rate(db_query_duration_milliseconds_sum[1m])) "
    "/ sum by (service) (rate(db_query_duration_milliseconds_count[1m]))"
)
POOL, LATENCY, ERRORS = "database-connection-exhaustion", "high-latency-cascade", "elevated-error-rates"
SLOW_SIGNALS = ("latency_p99", "cpu", "memory")
LOOK: list[tuple[str, dict[str, Any]]] = [("get_service_health", {}), ("get_alerts", {})]
RANK: list[tuple[str, dict[str, Any]]] = [("rank_suspects", {})]

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
    exchange = conversation.current
    if outcome := decided(exchange):
        return _say(after(outcome, incident_of(conversation)))
    wanted = wish(exchange.question)
    if wanted == "verdict":
        return _say(judged(exchange.question, incident_of(conversation)))
    if wanted == "rolled back":
        return _say(rolled_back(exchange.question))
    if "get_service_health" not in conversation.offered:
        return _say(no_tools())
    before = _known(conversation.earlier)
    if wanted == "close":
        return _close(conversation)
    if wanted == "recall" and before and not exchange.results:
        return _say(recall(before, exchange.question))
    if wanted == "page":
        return _page(conversation)
    anew = wanted == "fix" or _is_back(exchange)
    return _investigate(conversation, None if anew else before, again=anew)


def _investigate(conversation: Conversation, before: Diagnosis | None, *, again: bool) -> Turn:
    exchange = conversation.current
    for text, calls in _stages(conversation, before):
        if turn := _ask(conversation, text, calls):
            return turn
    found = diagnose(exchange.results)
    if before and _comparable(found, before):
        return _say(compared(found, before, changed=carried_out(conversation)))
    change = to_undo(found) if again or not proposed_before(conversation) else None
    if change and (tool := conversation.offered.get("update_service_config")):
        return Turn((Say(full(found, change)), Call(tool, undo(change))))
    return _say(full(found))


def _page(conversation: Conversation) -> Turn:
    """Page whoever is on call, where something is wrong by a reading of now."""
    if turn := _ask(conversation, "Looking first, so that the page says what is wrong.", LOOK):
        return turn
    found = diagnose([*(r for e in conversation.earlier for r in e.results), *conversation.current.results])
    if found.verdict != "failing":
        return _say(f"I propose no page.\n\n{full(found)}")
    if tool := conversation.offered.get("pagerduty_create_incident"):
        arguments = page(found)
        words = f"I propose to page whoever is on call: “{arguments['title']}”. A person decides on the card below."
        return Turn((Say(words), Call(tool, arguments)))
    return _say("I cannot page anybody: PagerDuty is not configured here. The catalog names whom to call instead.")


def _close(conversation: Conversation) -> Turn:
    """Propose the post-mortem, from what this conversation has read while it failed."""
    each = (diagnose(exchange.results) for exchange in reversed(conversation.earlier))
    known = next((found for found in each if found.verdict == "failing"), None)
    resolve, resolving = only_resolve(conversation), conversation.offered.get("pagerduty_update_incident")
    if resolve and resolving:
        words = f"I propose to resolve PagerDuty incident {resolve['incident']}. A person decides on the card below."
        return Turn((Say(words), Call(resolving, resolve)))
    if known is None:
        return _say("There is nothing to close out: no failure was found in this thread.")
    tool = conversation.offered.get("confluence_create_postmortem")
    if not tool:
        return _say(f"Confluence is not configured here, so this is all there is:\n\n{full(known)}")
    arguments = postmortem(conversation, known, conversation.properties.get(tool, frozenset()))
    words = f"I propose to publish the post-mortem “{arguments['title']}”. A person decides on the card below."
    return Turn((Say(words), Call(tool, arguments)))


def _stages(conversation: Conversation, before: Diagnosis | None) -> list[Stage]:
    """The calls to make, in order; later stages depend on what the earlier ones found."""
    exchange = conversation.current
    stages: list[Stage] = [("Checking the health of every service first.", LOOK)]
    if not exchange.called("get_service_health"):
        return stages
    found = diagnose(exchange.results)
    if before and _comparable(found, before):
        return stages
    if found.verdict == "failing" and "rank_suspects" in conversation.offered:
        stages.append(("Something is wrong. Ranking which service broke first.", RANK))
        if not exchange.called("rank_suspects"):
            return stages
    stages.append(_second_stage(found, exchange))
    if found.verdict == "failing" and "update_service_config" in conversation.offered and (change := to_undo(found)):
        file = [("read_service_config", {"service": change.service})]
        stages.append((f"Reading the configuration of {change.service} before I propose a change.", file))
    return stages


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
        [
            ("query_metrics", {"query": ERROR_RATIO, "start": "-1h"}),
            ("get_recent_deployments", {}),
            ("get_logs", {"level": "ERROR"}),
        ],
    )


def _dig(found: Diagnosis, exchange: Exchange) -> Stage:
    name = found.suspect.name if found.suspect else found.firing[0].service
    pool = f'sum by (__name__, service) ({{__name__=~"db_connections_(active|waiting|max)",service="{name}"}})'
    runbook = _runbook(found)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_logs", {"service": name, "level": "ERROR"}),
        ("get_recent_deployments", {}),
        ("query_metrics", {"query": pool}),
        ("query_metrics", {"query": ERROR_RATIO, "start": "-1h"}),
        ("execute_runbook", {"name": runbook, "phase": "investigate", "service": name}),
    ]
    if runbook == LATENCY:
        calls += [("query_metrics", {"query": QUERY_TIME}), ("get_logs", {"service": "postgres", "level": "WARN"})]
    if not exchange.called("get_logs"):
        return f"{name} stands out. Reading its errors, pool and deployments.", calls
    return f"The evidence points on, to the runbook {runbook}.", calls


def _runbook(found: Diagnosis) -> str:
    """Exhausted connections come before latency, and latency before errors, since each causes the next; a pool that has
    the size it had is exhausted by something else."""
    cut = found.cause and found.cause.kind == "pool"
    if found.pool_exhausted and (cut or POOL not in found.followed):
        return POOL
    breached = found.suspect.breached if found.suspect else ()
    if found.pool_exhausted or any(signal in breached for signal in SLOW_SIGNALS):
        return LATENCY
    return ERRORS


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


def _is_back(exchange: Exchange) -> bool:
    """Whether it is about something that was over: what was found then may be another cause than now's."""
    return "has come back" in exchange.question


def _say(text: str) -> Turn:
    return Turn((Say(text),))
