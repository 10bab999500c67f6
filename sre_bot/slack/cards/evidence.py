"""Buttons below an answer, one for each result that it cites, and the window that shows the call and its result.

What is shown is the words of others: masked, spelled out where it would hide, and preformatted, which Slack does not
parse. A button shows evidence of the thread in which it stands, as Slack says where that is, and of no other.
"""

import json
import logging
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import SreBotError
from sre_bot.evidence.exhibit import Exhibit
from sre_bot.slack.clicks import clicked, thread_of
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import literal, to_mrkdwn
from sre_bot.slack.wording import cut, date, one_line
from sre_bot.tools.masking import mask_secrets

log = logging.getLogger(__name__)

SHOW = "show_evidence"
_SHOW = re.compile(rf"^{SHOW}:(\d{{1,6}})$")
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
PART = 2_900  # characters of a text element. Slack: 3,000 in a section; preformatted text says no bound
PARTS = 15  # of a result; more than the 40,000 characters that are kept
TITLE = "Evidence E{number}"
GONE = "I do not keep E{number} of this thread any more."
NOT_SHOWN = "Slack did not open the window with E{number} ({why}). Click again."

Block = dict[str, Any]


class Room(Protocol):
    """Where the evidence of threads is."""

    async def find(self, channel: str, thread_ts: str, number: int) -> tuple[Exhibit, str] | None:
        """An exhibit of this thread and a line on its call; None where there is none. Raises SreBotError."""


def row(cited: Sequence[tuple[int, str]]) -> Block:
    """The buttons; at most 25 (Slack: actions block)."""
    return {"type": "actions", "elements": [_button(number, summary) for number, summary in cited[:25]]}


def view(exhibit: Exhibit, summary: str) -> Block:
    """The window: what was called and when, and what came back."""
    failed = "" if exhibit.ok else " · ⚠️ the call failed"
    head = f"{to_mrkdwn(summary)}\n`{literal(exhibit.tool)}` · {date(exhibit.at)}{failed}"
    arguments = json.dumps(exhibit.arguments, ensure_ascii=False, indent=1) if exhibit.arguments else ""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": TITLE.format(number=exhibit.number)},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": cut(head, PART), "verbatim": True}},
            *_preformatted("Called with", arguments),
            *_preformatted("Answered", exhibit.text or "(nothing)"),
        ],
    }


def register(app: AsyncApp, room: Room, door: Door) -> None:
    """Bind the buttons.

    Args:
        app: the Bolt app.
        room: has the evidence.
        door: keeps out who may not speak to the bot at all.
    """

    @app.action(_SHOW)
    async def on_show(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        event = clicked(body, thread_ts=thread_of(body))
        sentence = await door.refuse(event, {"team_id": body["team"]["id"]})
        sentence = sentence or await _open(room, client, event, body)
        if sentence:
            await door.tell(event, to_mrkdwn(sentence))


async def _open(room: Room, client: AsyncWebClient, event: dict[str, Any], body: dict[str, Any]) -> str:
    """Open the window; gives what to say where that cannot be done."""
    found = _SHOW.match(body["actions"][0]["action_id"])
    number = int(found[1]) if found else 0
    try:
        shown = await room.find(event["channel"], event["thread_ts"], number)
        if shown is None:
            return GONE.format(number=number)
        await client.views_open(trigger_id=body["trigger_id"], view=view(*shown))
    except SreBotError as error:
        return str(error)
    except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
        why = error.response.get("error", "") if isinstance(error, SlackApiError) else type(error).__name__
        log.warning("evidence E%d could not be shown: %s", number, why)
        return NOT_SHOWN.format(number=number, why=why)
    return ""


def _button(number: int, summary: str) -> Block:
    label = f"Show evidence E{number}: {summary}".replace("`", "")
    return {
        "type": "button",
        "action_id": f"{SHOW}:{number}",
        "value": str(number),
        "text": {"type": "plain_text", "text": f"E{number}"},
        "accessibility_label": one_line(label, 75),
    }


def _preformatted(label: str, text: str) -> Iterator[Block]:
    if not text:
        return
    yield {"type": "section", "text": {"type": "mrkdwn", "text": f"*{label}*"}}
    plain = _visible(mask_secrets(text))
    for start in range(0, min(len(plain), PART * PARTS), PART):
        pre = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": plain[start : start + PART]}]}
        yield {"type": "rich_text", "elements": [pre]}


def _visible(text: str) -> str:
    """Text that is no other than it looks: what would turn or hide it is spelled out."""
    return "".join(
        f"\\u{ord(char):04x}" if unicodedata.category(char) in UNSEEN and char not in "\n\t" else char for char in text
    )
