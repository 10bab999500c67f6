"""What the playbook asks people to let it do, and what it says of what became of that.

A proposal is a tool call like any other; that a person decides is not the playbook's doing. It proposes one thing once:
what was decided against is not proposed again unless somebody asks for it.
"""

from __future__ import annotations

import re
from typing import Any

from .conversation import Conversation, Exchange, Result
from .diagnosis import Diagnosis
from .evidence import bullets, evidence, main_figures, quote, setting, without_ids
from .readings import Change, first_line
from .wishes import ROLLED_BACK, VERDICT

CHANGES = ("update_service_config", "redeploy_service")
GATED = (*CHANGES, "pagerduty_create_incident", "pagerduty_update_incident", "confluence_create_postmortem")
REJECTED = re.compile(r"A person rejected this: (?P<reason>.*?)\. Nothing was executed", re.DOTALL)
OUTCOME = re.compile(r"^(?P<verdict>RECOVERED|NOT RECOVERED|INCONCLUSIVE): (?P<why>.+)$", re.MULTILINE)
BUTTON = re.compile(r"the button “(?P<button>[^”]+)” on the card of proposal #\d+")
LINK = re.compile(r"https?://\S+")
LONGEST_TITLE = 120

Arguments = dict[str, Any]


def decided(exchange: Exchange) -> Result | None:
    """The outcome of what was proposed in an exchange, where there is one."""
    return next((result for result in reversed(exchange.results) if result.tool in GATED), None)


def proposed_before(conversation: Conversation) -> bool:
    """Whether a change was proposed in this conversation already."""
    return any(result.tool in CHANGES for exchange in conversation.exchanges for result in exchange.results)


def carried_out(conversation: Conversation) -> bool:
    """Whether a change that was proposed in this conversation was made."""
    results = (result for exchange in conversation.exchanges for result in exchange.results if result.tool in CHANGES)
    return any(not result.failed and not REJECTED.search(result.text) for result in results)


def to_undo(found: Diagnosis) -> Change | None:
    """The change to undo: an established cause, in a file that still says so; the way back is what the record shows."""
    change = found.cause.change if found.cause else None
    if change is None or change.before.startswith("("):
        return None
    written = found.settings.get(change.key, change.after)
    return change if written == change.after else None


def undo(change: Change) -> Arguments:
    """The arguments of `update_service_config` that put a setting back, with its redeploy as one act."""
    return {"service": change.service, "key": change.key, "value": change.before, "redeploy": True}


def page(found: Diagnosis) -> Arguments:
    """The arguments of `pagerduty_create_incident` for what is failing."""
    name = found.suspect.name if found.suspect else found.firing[0].service
    what = f"{name}: {main_figures(found.suspect)}" if found.suspect else f"{name}: {found.firing[0].name} fires"
    cause = f"Cause: {setting(found.cause.change)} at {found.cause.change.time}." if found.cause else "Cause: unknown."
    return {
        "title": quote(what, LONGEST_TITLE),
        "details": without_ids("\n".join([cause, bullets(evidence(found))])),
        "urgency": "high",
    }


def after(result: Result, incident: str) -> str:
    """What is said when a decision has come, and what was decided on has run or has not."""
    if rejected := REJECTED.search(result.text):
        return (
            f"Rejected: “{quote(rejected['reason'], 200)}”. Nothing was changed, and I propose nothing again by "
            "myself. What I found stands; when the reason no longer holds, say “propose it again”."
        )
    if result.failed:
        return f"It was not done: {quote(first_line(result.text), 300)}"
    return _done(result, incident)


def _done(result: Result, incident: str) -> str:
    if result.tool in CHANGES:
        told = [line for line in result.text.splitlines() if line.startswith(("CHANGED", "UNCHANGED", "REDEPLOYED"))]
        return (
            f"Done as approved.\n{bullets([quote(line) for line in told])}\n\nWhether it helped is not for me to say: "
            "code compares the figures with those from before once the rates have had their minute, and the card shows "
            "its verdict."
        )
    if result.tool == "confluence_create_postmortem":
        link = LINK.search(result.text)
        resolved = f" PagerDuty incident {incident} is resolved." if incident and incident in result.text else ""
        return f"The post-mortem is published: {link[0] if link else quote(first_line(result.text))}{resolved}"
    return f"Done as approved: {quote(first_line(result.text))}"


def judged(question: str, incident: str) -> str:
    """What is said of the verdict of code."""
    number, found = VERDICT.search(question), OUTCOME.search(question)
    if not (number and found):
        return "The verdict cannot be read, so I take it for INCONCLUSIVE: look at the card."
    which, why = f"proposal #{number['number']}", quote(found["why"], 240)
    if found["verdict"] == "RECOVERED":
        return f"**RECOVERED** after {which}: {why}. {_offer(question, incident)}"
    if found["verdict"] == "NOT RECOVERED":
        return f"**NOT RECOVERED** after {which}: {why}. Ask “is it still happening?” and I look at every figure again."
    return f"**INCONCLUSIVE** after {which}: {why}. That is no recovery; ask “is it still happening?” in a minute."


def rolled_back(question: str) -> str:
    """What is said when a person has taken a change back by the button, without the conversation."""
    found = ROLLED_BACK.search(question)
    if not found:
        return "A rollback was decided; the card says what became of it."
    return f"Proposal #{found['number']} was rolled back, and that {found['state']}: {quote(found['became'], 240)}"


def _offer(question: str, incident: str) -> str:
    """How the incident is closed out: by the button that the bot names, or in words."""
    if button := BUTTON.search(question):
        return f"To close it out, use the button “{button['button']}” on the card, or say “close out”."
    resolve = f" and to resolve PagerDuty incident {incident}" if incident else ""
    return f"Say “close out” and I propose to publish the post-mortem{resolve}."
