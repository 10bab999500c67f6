"""A message of a reply: its text, and below it a button that stops the run, or two that say whether it helped."""

from dataclasses import dataclass
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp

from sre_bot.slack.cards import evidence, feedback
from sre_bot.slack.defusal import defuse
from sre_bot.slack.mrkdwn import NOTIFICATION_LIMIT, plain, to_mrkdwn

STOP = "stop_run"

Block = dict[str, Any]


class Stopper(Protocol):
    """Ends runs."""

    async def stop(self, channel: str, thread_ts: str) -> bool:
        """End the run in flight in a thread; False where none is."""


@dataclass(frozen=True, slots=True)
class Page:
    """One message of a reply: its Markdown, and whether its run goes on and can be stopped.

    `cited` are the results whose buttons stand below it: their numbers, and a line on each call.
    `bare` is for a message whose blocks Slack refused: it says the same as text alone. `rates` is the turn whose
    answer ends with this message, so that people can say whether it helped; empty where there is nothing to rate.
    """

    text: str
    running: bool = False
    bare: bool = False
    rates: str = ""
    cited: tuple[tuple[int, str], ...] = ()

    def content(self) -> dict[str, Any]:
        """The text twice: as blocks for the thread, and short and plain for notifications."""
        safe = Page(defuse(self.text), self.running, rates=self.rates, cited=self.cited)
        if self.bare:
            return {"text": to_mrkdwn(safe.text)}
        return {"blocks": render(safe), "text": plain(safe.text, NOTIFICATION_LIMIT)}


def render(page: Page) -> list[Block]:
    """Blocks of one message; its text is defused already, at most 12,000 characters (Slack: markdown block)."""
    blocks: list[Block] = [{"type": "markdown", "text": page.text}]
    if page.running:
        button = {
            "type": "button",
            "action_id": STOP,
            "text": {"type": "plain_text", "text": "Stop"},
            "accessibility_label": "Stop this investigation",
        }
        blocks.append({"type": "actions", "elements": [button]})
    return [*blocks, *below(page.rates, page.cited)]


def below(rates: str, cited: tuple[tuple[int, str], ...] = ()) -> list[Block]:
    """What stands below the last words of an answer: what it cites, and whether it helped, where there is either."""
    return [*([evidence.row(cited)] if cited else []), *([feedback.render(rates)] if rates else [])]


def register(app: AsyncApp, runs: Stopper) -> None:
    """Bind the button. Any member of the workspace may stop a run: it changes nothing and can be asked again."""

    @app.action(STOP)
    async def on_stop(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        if body["user"].get("team_id", body["team"]["id"]) != body["team"]["id"]:
            return
        message = body["message"]
        await runs.stop(body["channel"]["id"], message.get("thread_ts", message["ts"]))

    @app.event("agent_session_stopped")
    async def on_session_stopped(event: dict[str, Any]) -> None:
        """Slack's own button; it has ended the stream already, in the conversation of the person who used it."""
        await runs.stop(event["channel"], event["thread_ts"])
