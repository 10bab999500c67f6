"""The button that closes an incident out, on the card of the change after which the figures recovered.

It changes nothing: it asks the agent for a proposal. So whoever may speak to the bot may use it.
"""

import logging
from collections.abc import Iterator
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from sre_bot.errors import SreBotError
from sre_bot.slack.clicks import clicked, number_clicked
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import to_mrkdwn
from sre_bot.slack.wording import one_line
from sre_bot.workflows.people import ClosesOut, ProposalCard

log = logging.getLogger(__name__)

CLOSE_OUT = "case_close_out"
_TEXT_LIMIT = 75  # characters; Slack: button element, `text`

Block = dict[str, Any]


def offer(card: ProposalCard) -> Iterator[Block]:
    """The button, where something is left to close out."""
    if card.offer:
        text = one_line(card.offer, _TEXT_LIMIT)
        button = {
            "type": "button",
            "action_id": CLOSE_OUT,
            "style": "primary",
            "value": str(card.approval.id),
            "text": {"type": "plain_text", "text": text},
            "accessibility_label": text,
        }
        yield {"type": "actions", "elements": [button]}


def register(app: AsyncApp, closing: ClosesOut, door: Door) -> None:
    """Bind the button; the answer is seen by the person who clicked alone.

    Args:
        app: the Bolt app.
        closing: asks the agent.
        door: keeps out who may not speak.
    """

    @app.action(CLOSE_OUT)
    async def on_close_out(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        event = clicked(body)
        sentence = await door.refuse(event, {"team_id": body["team"]["id"]})
        if not sentence:
            try:
                sentence = await closing.close_out(number_clicked(body), event["user"])
            except SreBotError as error:
                log.warning("what %s clicked was not done: %s", event["user"], error)
                sentence = str(error)
        await door.tell(event, to_mrkdwn(sentence))
