"""How an incident is closed out: the post-mortem's text, from what a conversation has read, and what it resolves."""

from __future__ import annotations

import re

from .acts import CHANGES, OUTCOME, Arguments
from .conversation import Conversation
from .diagnosis import Diagnosis
from .evidence import bullets, evidence, main_figures, setting, without_ids

INCIDENTS = re.compile(r"PagerDuty incidents: (?P<ids>[\w, -]+)\.")
OWN_INCIDENT = re.compile(r"^id (?P<id>\w+),", re.MULTILINE)
TO_RESOLVE = re.compile(r'resolve_incident="(?P<ids>[^"]+)"')
ONLY_RESOLVE = re.compile(r'pagerduty_update_incident once, with incident="(?P<id>[^"]+)", action="resolve"')


def incident_of(conversation: Conversation) -> str:
    """The newest PagerDuty incident that this conversation is about; empty where none is known."""
    found = ""
    for exchange in conversation.exchanges:
        if named := INCIDENTS.search(exchange.question):
            found = named["ids"].split(",")[-1].strip()
        for result in exchange.results:
            if result.tool == "pagerduty_create_incident" and (made := OWN_INCIDENT.search(result.text)):
                found = made["id"]
    return found


def only_resolve(conversation: Conversation) -> Arguments | None:
    """The arguments of `pagerduty_update_incident`, where all that is left to do is to resolve; the bot said so."""
    orders = (exchange.question for exchange in reversed(conversation.exchanges))
    order = next((text for text in orders if ONLY_RESOLVE.search(text) or TO_RESOLVE.search(text)), "")
    if not (found := ONLY_RESOLVE.search(order)):
        return None
    note = "The figures are back within their thresholds; the change that did it is in the thread."
    return {"incident": found["id"], "action": "resolve", "note": note}


def _to_resolve(conversation: Conversation) -> str:
    """The incidents that the page's publication is to resolve: those that the bot named last, or the one known."""
    named = (TO_RESOLVE.search(exchange.question) for exchange in reversed(conversation.exchanges))
    return next((match["ids"] for match in named if match), incident_of(conversation))


def postmortem(conversation: Conversation, known: Diagnosis, properties: frozenset[str]) -> Arguments:
    """The arguments of `confluence_create_postmortem`, from what was read and what became of it."""
    suspect, change = known.suspect, known.change
    name = suspect.name if suspect else "the services"
    cause = (
        f"{setting(change)} in the deployment of {change.service} at {change.time}" if change else "Not established."
    )
    arguments = {
        "title": f"{name}: {setting(change).replace('`', '') if change else 'incident'}",
        "summary": f"{name} failed. Cause: {cause}",
        "impact": f"{name}: {main_figures(suspect)}." if suspect else "Not measured.",
        "root_cause": without_ids(f"{cause}\n\n{bullets(evidence(known))}"),
        "what_went_well": "The symptom was measured, and the record of deployments named the change.",
        "action_items": "- [ ] owner: bound this setting, or review its changes before they are deployed",
        "labels": f"incident,{name}",
    }
    if "resolve_incident" not in properties:
        return arguments | {
            "timeline": bullets(_timeline(conversation, known)),
            "resolution": _resolution(conversation),
        }
    # Where the bot keeps a record, the timeline and what was done are taken from that.
    resolved = _to_resolve(conversation)
    return arguments | ({"resolve_incident": resolved} if resolved else {})


def _timeline(conversation: Conversation, known: Diagnosis) -> list[str]:
    lines = [f"{known.change.time} deployed: {setting(known.change)}"] if known.change else []
    lines += [f"{alert.since} {alert.name} fires for {alert.service}" for alert in known.firing]
    outcomes = (OUTCOME.search(exchange.question) for exchange in conversation.exchanges)
    return [*lines, *(f"afterwards, by the figures: {each[0]}" for each in outcomes if each)]


def _resolution(conversation: Conversation) -> str:
    results = [result for exchange in conversation.exchanges for result in exchange.results]
    done = [result for result in results if result.tool in CHANGES and not result.failed]
    lines = [f"`{each.arguments.get('key')}={each.arguments.get('value')}` and redeployed" for each in done]
    return bullets(lines) or "Nothing was changed through the bot."
