"""Two buttons below a finished answer: whether it helped. What they carry is the number of the turn, nothing else."""

import logging
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp

from sre_bot.errors import SreBotError
from sre_bot.slack.clicks import clicked, thread_of
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import to_mrkdwn

log = logging.getLogger(__name__)

FEEDBACK = "answer_feedback"
GOOD, BAD = "good", "bad"

Block = dict[str, Any]


class Ratings(Protocol):
    """Takes ratings; see `workflows.ratings.Ratings`."""

    async def rate(self, turn: str, person: str, *, good: bool, channel: str, thread_ts: str) -> str:
        """Keep a rating; gives one sentence for whoever gave it, or raises it as SreBotError."""


def render(turn: str) -> Block:
    """The block, for the answer of a turn. Slack: context_actions with feedback_buttons, in messages only."""
    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": _button(f"{GOOD}:{turn}", "Helped", "This answer helped"),
        "negative_button": _button(f"{BAD}:{turn}", "Did not help", "This answer did not help"),
    }
    return {"type": "context_actions", "elements": [buttons]}


def _button(value: str, text: str, label: str) -> Block:
    return {"text": {"type": "plain_text", "text": text}, "value": value, "accessibility_label": label}


def register(app: AsyncApp, ratings: Ratings, door: Door) -> None:
    """Bind the buttons. Whoever may speak to the bot may use them; the thanks are seen by that person alone.

    Args:
        app: the Bolt app.
        ratings: keeps what people think.
        door: keeps out who may not speak.
    """

    @app.action(FEEDBACK)
    async def on_click(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        event = clicked(body, thread_ts=thread_of(body))
        sentence = await door.refuse(event, {"team_id": body["team"]["id"]})
        await door.tell(event, to_mrkdwn(sentence or await _rate(ratings, event, body["actions"][0]["value"])))


async def _rate(ratings: Ratings, event: dict[str, Any], value: str) -> str:
    word, _, turn = value.partition(":")
    place = {"channel": event["channel"], "thread_ts": event["thread_ts"]}
    try:
        return await ratings.rate(turn, event["user"], good=word == GOOD, **place)
    except SreBotError as error:
        log.warning("a rating of turn %s is not kept: %s", turn, error)
        return str(error)
