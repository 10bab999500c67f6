"""The card of a proposal: the exact call, what it changes, whom it touches, the way back, the check, who may decide.

Everything is shown literally, as preformatted text that Slack does not parse, and comes from the sealed plan: nothing
on the card was worded by the model for the card. Two buttons while it is pending; their number is all they carry. Where
the change did not help, the card shows the sealed way back (`rollback.py`).
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import SreBotError
from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.slack.cards import closing
from sre_bot.slack.cards.rollback import ROLL_BACK, render_way_back
from sre_bot.slack.cards.sealed import Block, file_name, is_cut, labelled, parts_of, section, visible
from sre_bot.slack.clicks import clicked, number_clicked, number_on
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import NOTIFICATION_LIMIT, literal, plain, to_mrkdwn
from sre_bot.slack.wording import cut, date, one_line
from sre_bot.workflows.people import Decisions, ProposalCard

log = logging.getLogger(__name__)

APPROVE = "proposal_approve"
REJECT = "proposal_reject"
REASON = "proposal_reason"

LINE = 600
OUTCOME = 2_900
REASON_LIMIT = 1_000
FORGED = "That is no proposal's button, so nothing was decided. Use the card in the thread."
NOBODY = "⚠️ *Nobody may approve here*: whoever runs me sets SLACK_APPROVERS to the ids of users or user groups."

SIGNS = {
    ApprovalState.PROPOSED: "✋",
    ApprovalState.PENDING: "✋",
    ApprovalState.APPROVED: "👍",
    ApprovalState.EXECUTING: "⏳",
    ApprovalState.CONSUMED: "⏳",
    ApprovalState.REJECTED: "🚫",
    ApprovalState.EXPIRED: "⌛",
    ApprovalState.SUCCEEDED: "✅",
    ApprovalState.FAILED: "❌",
}
WORDS = {
    ApprovalState.PROPOSED: "Proposal",
    ApprovalState.PENDING: "Waits for your decision",
    ApprovalState.APPROVED: "Approved",
    ApprovalState.EXECUTING: "Is carried out",
    ApprovalState.CONSUMED: "Is carried out",
    ApprovalState.REJECTED: "Rejected",
    ApprovalState.EXPIRED: "Void",
    ApprovalState.SUCCEEDED: "Carried out",
    ApprovalState.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True)
class ProposalSheet:
    """A proposal as one message."""

    card: ProposalCard
    short: bool = False

    @property
    def running(self) -> bool:
        """A decision is never mere progress."""
        return False

    def content(self) -> dict[str, Any]:
        """The blocks, and a line for notifications."""
        text = plain(_headline(self.card.approval), NOTIFICATION_LIMIT)
        return {"text": text, "blocks": render_short(self.card) if self.short else render(self.card)}


def render(card: ProposalCard) -> list[Block]:
    """The whole card."""
    approval = card.approval
    blocks = [_header(approval)]
    for label, text in parts_of(approval).items():
        blocks += labelled(label, text, _file(approval))
    return [*blocks, *_facts(card), *_ending(card)]


def render_short(card: ProposalCard) -> list[Block]:
    """What is left of it where Slack refuses more: the beginning of all that is approved, and who may decide."""
    approval = card.approval
    blocks = [_header(approval)]
    for label, text in parts_of(approval).items():
        blocks += labelled(label, text, _file(approval) if is_cut(approval) else "", most=1)
    return [*blocks, *_ending(card)]


def _file(approval: Approval) -> str:
    """The file that has what is cut here; a proposal may be void because there is none."""
    return "" if approval.state is ApprovalState.EXPIRED else file_name(approval)


def _headline(approval: Approval) -> str:
    summary = visible(approval.plan.summary or approval.tool)
    return f"{SIGNS[approval.state]} {WORDS[approval.state]}: #{approval.id} {summary}"


def _shown(text: str) -> str:
    """Somebody's words on a line of mrkdwn."""
    return literal(one_line(text, LINE))


def _header(approval: Approval) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": one_line(_headline(approval), 150)}}


def _facts(card: ProposalCard) -> Iterator[Block]:
    plan = card.approval.plan
    facts = [
        ("Whom it touches", "; ".join(plan.affects)),
        ("The way back", plan.rollback),
        ("What will prove it", plan.check),
    ]
    lines = [f"*{label}:* {literal(cut(visible(text), LINE))}" for label, text in facts if text]
    if lines:
        yield section("\n".join(lines))


def _ending(card: ProposalCard) -> Iterator[Block]:
    """Who decides until when, with the buttons; or who decided, and what came of it."""
    approval = card.approval
    if approval.state is ApprovalState.PENDING:
        who = f"*May decide:* {_shown(card.approvers)}" if card.approvers else NOBODY
        until = f"until {date(approval.expires_at)}; then it is void"
        yield section(f"{who}, {until}.\nOr type `approve {approval.id}` or `reject {approval.id} why` in this thread.")
        yield {"type": "actions", "elements": [_approve(approval), _reject(approval)]}
        return
    by = f" by {_shown(card.decider)}" if card.decider else ""
    why = f": {_shown(approval.reason)}" if approval.reason else ""
    yield section(f"*{WORDS[approval.state]}*{by}{why}")
    yield from labelled("What it did", approval.outcome[:OUTCOME])
    yield from labelled("What the figures say", approval.verdict)
    yield from render_way_back(card)
    yield from closing.offer(card)


def _approve(approval: Approval) -> Block:
    return _button(APPROVE, "Approve", "primary", approval) | {
        "confirm": {
            "title": {"type": "plain_text", "text": f"Approve #{approval.id}?"},
            "text": {"type": "plain_text", "text": one_line(visible(approval.plan.summary or approval.tool), 290)},
            "confirm": {"type": "plain_text", "text": "Approve"},
            "deny": {"type": "plain_text", "text": "Not yet"},
        }
    }


def _reject(approval: Approval) -> Block:
    return _button(REJECT, "Reject …", "danger", approval)


def _button(action: str, text: str, style: str, approval: Approval) -> Block:
    return {
        "type": "button",
        "action_id": action,
        "style": style,
        "value": str(approval.id),
        "text": {"type": "plain_text", "text": text},
        "accessibility_label": f"{text} proposal {approval.id}",
    }


# --- What its buttons do ---------------------------------------------------------------------------------------------


def register(app: AsyncApp, decisions: Decisions, door: Door) -> None:
    """Bind the buttons and the question for a reason. Who may decide is not known here.

    Args:
        app: the Bolt app.
        decisions: takes the decision of whoever may.
        door: keeps out who may not speak to the bot at all.
    """

    @app.action(APPROVE)
    @app.action(ROLL_BACK)
    async def on_approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await _take(decisions, door, body, _read_click(body), approve=True)

    @app.action(REJECT)
    async def on_reject(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        click = _read_click(body)
        event = clicked(body, click.channel, click.thread_ts)
        if why := await door.refuse(event, {"team_id": body["team"]["id"]}) or ("" if click.number else FORGED):
            await door.tell(event, why)
            return
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=_ask_why(click))
        except SlackApiError as error:
            log.warning("nobody could be asked for a reason: %s", error.response.get("error"))
            await door.tell(event, f"Type `reject {click.number} why` in the thread instead.")

    @app.view(REASON)
    async def on_reason(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        click = _read_place(body["view"].get("private_metadata", ""))
        reason = body["view"]["state"]["values"]["reason"]["text"]["value"] or ""
        if click.number:
            await _take(decisions, door, body, click, approve=False, reason=reason)


@dataclass(frozen=True, slots=True)
class Click:
    """Where somebody clicked, and the number on the button; 0 where there is none."""

    channel: str
    thread_ts: str
    card_ts: str
    number: int


def _read_click(body: dict[str, Any]) -> Click:
    message = body.get("message") or body.get("container", {})
    ts = str(message.get("ts") or message.get("message_ts") or "")
    return Click(body["channel"]["id"], str(message.get("thread_ts") or ts), ts, number_clicked(body))


def _read_place(metadata: str) -> Click:
    """The click that a question for a reason came from, as the question carried it."""
    try:
        place = json.loads(metadata)
        return Click(str(place["channel"]), str(place["thread"]), str(place["card"]), number_on(place["proposal"]))
    except (ValueError, KeyError, TypeError):
        log.warning("a reason came without the place that it belongs to")
        return Click("", "", "", 0)


async def _take(
    decisions: Decisions, door: Door, body: dict[str, Any], click: Click, *, approve: bool, reason: str = ""
) -> None:
    event = clicked(body, click.channel, click.thread_ts)
    sentence = await door.refuse(event, {"team_id": body["team"]["id"]}) or ("" if click.number else FORGED)
    if not sentence:
        try:
            sentence = await decisions.decide(
                click.number,
                body["user"]["id"],
                approve=approve,
                reason=one_line(reason, REASON_LIMIT),
                thread=f"{click.channel}/{click.thread_ts}",
                card=click.card_ts,
            )
        except SreBotError as error:
            sentence = str(error)
    await door.tell(event, to_mrkdwn(sentence))


def _ask_why(click: Click) -> Block:
    number = str(click.number)
    place = {"channel": click.channel, "thread": click.thread_ts, "card": click.card_ts, "proposal": number}
    return {
        "type": "modal",
        "callback_id": REASON,
        "private_metadata": json.dumps(place),
        "title": {"type": "plain_text", "text": f"Reject #{number}"},
        "submit": {"type": "plain_text", "text": "Reject"},
        "close": {"type": "plain_text", "text": "Not yet"},
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "optional": True,
                "label": {"type": "plain_text", "text": "Why? The agent reads this."},
                "element": {
                    "type": "plain_text_input",
                    "action_id": "text",
                    "multiline": True,
                    "max_length": REASON_LIMIT,
                },
            }
        ],
    }
