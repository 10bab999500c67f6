"""What the card of an act shows of its way back: one button while it may still be taken, and later what became of it.

The call and the diff stand above the button and come from the rollback's own sealed plan; the question that follows a
click says the call again. The button carries the number of the rollback, which is decided like every other proposal.
"""

import json
from collections.abc import Iterator

from sre_bot.incidents.model import Approval, ApprovalState
from sre_bot.slack.cards.sealed import CALL, DIFF, Block, call_text, file_name, labelled, section, visible
from sre_bot.slack.mrkdwn import literal
from sre_bot.slack.wording import cut, date, one_line
from sre_bot.workflows.people import ProposalCard

ROLL_BACK = "proposal_roll_back"
LINE = 600
CONFIRM_LIMIT = 300  # characters. Slack: confirmation dialog object, `text`


def render_way_back(card: ProposalCard) -> Iterator[Block]:
    """The way back of the card's act; nothing where none was sealed."""
    rollback = card.way_back
    if rollback is None or rollback.state is ApprovalState.PROPOSED:
        return
    if rollback.state is not ApprovalState.PENDING:
        yield section(_became(rollback))
        return
    yield section(f"*The way back is ready as #{rollback.id}:* {literal(cut(visible(rollback.plan.summary), LINE))}")
    yield from labelled(CALL, call_text(rollback), file_name(rollback))
    yield from labelled(DIFF, rollback.plan.diff, file_name(rollback))
    may = f"*May decide:* {literal(cut(card.approvers, LINE))}" if card.approvers else "*Nobody may approve here*"
    yield section(
        f"{may}, until {date(rollback.expires_at)}; then it is void. Or type `approve {rollback.id}` in this thread."
    )
    yield {"type": "actions", "elements": [_button(rollback)]}


def _became(rollback: Approval) -> str:
    why = f": {literal(cut(rollback.reason, LINE))}" if rollback.reason else ""
    match rollback.state:
        case ApprovalState.REJECTED:
            return f"🚫 *The way back #{rollback.id} was rejected*{why}"
        case ApprovalState.EXPIRED:
            return f"⌛ *The way back #{rollback.id} is void*{why}. Ask me to propose it."
    return f"↩️ *Rollback #{rollback.id} is {rollback.state}*: its own card below has the outcome."


def _button(rollback: Approval) -> Block:
    arguments = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(rollback.arguments.items())
    )
    call = f"{rollback.tool}({arguments})"
    return {
        "type": "button",
        "action_id": ROLL_BACK,
        "style": "danger",
        "value": str(rollback.id),
        "text": {"type": "plain_text", "text": "Roll back …"},
        "accessibility_label": f"Roll back proposal {rollback.rolls_back}",
        "confirm": {
            "title": {"type": "plain_text", "text": f"Roll back #{rollback.rolls_back}?"},
            "text": {"type": "plain_text", "text": one_line(visible(call), CONFIRM_LIMIT)},
            "confirm": {"type": "plain_text", "text": "Roll back"},
            "deny": {"type": "plain_text", "text": "Not yet"},
            "style": "danger",
        },
    }
