"""A person uses a button or a menu: the payload, its trigger and its response_url.

A click needs a control that is on the message at this moment, as in life; a card whose buttons are gone
cannot be clicked.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from sandbox.slack.limits import Clock
from sandbox.slack.messages import on_the_wire
from sandbox.slack.web_api.call import Call, Refused
from sandbox.slack.web_api.chat import message_of
from sandbox.slack.web_api.content import CONTENT_ARGUMENTS, read_content, require_something
from sandbox.slack.workspace import Workspace
from sandbox.slack.world import APP_ID, TEAM_ID, Channel, Message, User

Json = dict[str, Any]

RESPONSE_USES = 5  # Slack: "Handling user interaction", response_url
RESPONSE_LIVES = 30 * 60.0  # seconds
RESPONSE_ARGUMENTS = {*CONTENT_ARGUMENTS, "response_type", "replace_original", "delete_original", "thread_ts"}


class CannotClick(Exception):
    """There is no such control on the message right now."""


@dataclass
class ResponseUrl:
    """What a response_url still allows."""

    channel: str
    ts: str
    user: str
    expires: float
    uses: int = 0


class Clicks:
    """Makes interactions and answers their response_urls."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self.workspace = workspace
        self.clock = clock
        self._urls: dict[str, ResponseUrl] = {}

    async def click(
        self, base_url: str, channel: Channel, message: Message, user: User, action_id: str, value: str | None
    ) -> bool:
        """Send one `block_actions`; False when no socket was there to take it."""
        action = _action(message, action_id, value)
        key = secrets.token_urlsafe(12)
        self._urls[key] = ResponseUrl(channel.id, message.ts, user.id, self.clock.now() + RESPONSE_LIVES)
        payload: Json = {
            "type": "block_actions",
            "user": {"id": user.id, "username": user.mention.lower(), "name": user.mention, "team_id": user.team},
            "api_app_id": APP_ID,
            "token": "sandbox-verification",
            "container": _container(message, channel),
            "trigger_id": self.workspace.triggers.issue(user.id),
            "team": {"id": TEAM_ID, "domain": "sandbox"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": channel.id, "name": channel.name or "directmessage"},
            "message": on_the_wire(message, channel),
            "state": {"values": {}},
            "response_url": f"{base_url}/actions/{TEAM_ID}/{key}",
            "actions": [{**action, "action_ts": self.workspace.world.next_ts()}],
        }
        self.workspace.feed.publish(
            "click", channel=channel.id, ts=message.ts, user=user.id, name=user.mention, action=action
        )
        return await self.workspace.sockets.deliver_click(payload)

    async def submit(self, user: User, given: Json) -> bool:
        """Send the `view_submission` of the modal that is open for a person; it closes."""
        opened = [view for view in self.workspace.world.modals if view["user"] == user.id]
        if not opened:
            raise CannotClick(f"no modal is open for {user.mention}")
        view = opened[-1]
        self.workspace.world.modals.remove(view)
        values = {block["block_id"]: _filled(block, given) for block in view["blocks"] if block["type"] == "input"}
        if unknown := given.keys() - values.keys():
            raise CannotClick(f"the modal has no input {', '.join(sorted(unknown))}")
        payload: Json = {
            "type": "view_submission",
            "team": {"id": TEAM_ID, "domain": "sandbox"},
            "user": {"id": user.id, "username": user.mention.lower(), "name": user.mention, "team_id": user.team},
            "api_app_id": APP_ID,
            "token": "sandbox-verification",
            "trigger_id": self.workspace.triggers.issue(user.id),
            "view": {**{name: part for name, part in view.items() if name != "user"}, "state": {"values": values}},
            "response_urls": [],
            "is_enterprise_install": False,
            "enterprise": None,
        }
        return await self.workspace.sockets.deliver_click(payload)

    async def respond(self, request: web.Request) -> web.Response:
        """`POST /actions/<team>/<key>`: the response_url."""
        url = self._urls.get(request.match_info["key"])
        if url is None or url.expires < self.clock.now():
            return web.json_response({"ok": False, "error": "expired_url"}, status=404)
        if url.uses >= RESPONSE_USES:
            self.workspace.journal.violate("used_url", f"a response_url works {RESPONSE_USES} times")
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        url.uses += 1
        try:
            self._answer(url, await request.json())
        except (Refused, ValueError, AttributeError) as refused:
            self.workspace.journal.violate("response_url", f"{refused}: {getattr(refused, 'messages', '')}")
            return web.json_response({"ok": False, "error": str(refused)}, status=400)
        return web.Response(text="ok")

    def _answer(self, url: ResponseUrl, body: Json) -> None:
        if unknown := body.keys() - (RESPONSE_ARGUMENTS - {"markdown_text"}):
            raise Refused("invalid_payload", f"a response_url takes no {', '.join(sorted(unknown))}")
        channel = self.workspace.world.channels[url.channel]
        message = channel.messages.get(url.ts)
        call = Call("response_url", body, self.workspace, "", lambda _: 0)
        if call.flag("delete_original"):
            if message is not None:
                self.workspace.remove(message)
            return
        content = read_content(call)
        require_something(content)
        if call.flag("replace_original") and message is not None:
            before = on_the_wire(message, channel)
            message.text, message.blocks = content.text or "", content.blocks or []
            self.workspace.change(message, before)
            return
        answer = message_of(call, channel, content)
        answer.thread_ts = call.text("thread_ts") or None
        if call.text("response_type") == "in_channel":
            self.workspace.post(answer)
        else:
            answer.ephemeral_to = url.user
            self.workspace.post_ephemeral(answer)


def _filled(block: Json, given: Json) -> Json:
    """What an input holds when its modal is submitted; an optional one that was left empty is null."""
    element = block["element"]
    text = given.get(block["block_id"])
    if text is None and not block.get("optional"):
        raise CannotClick(f"the input {block['block_id']} has to be filled in")
    if text is not None and len(text) > element.get("max_length", 3_000):
        raise CannotClick(f"the input {block['block_id']} takes {element['max_length']} characters")
    return {element["action_id"]: {"type": element["type"], "value": text}}


def _container(message: Message, channel: Channel) -> Json:
    thread = {"thread_ts": message.thread_ts} if message.thread_ts else {}
    return {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral_to is not None,
        **thread,
    }


def _controls(message: Message) -> Iterator[tuple[str, Json]]:
    """Every control on a message with the block_id around it."""
    for block in message.blocks:
        for element in [*block.get("elements", []), block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and "action_id" in element:
                yield block["block_id"], element


def _action(message: Message, action_id: str, value: str | None) -> Json:
    """The one `actions` entry for a control, picked by action_id, and by `value` where that is not enough."""
    found = [
        (block_id, element)
        for block_id, element in _controls(message)
        if element["action_id"] == action_id and (value is None or value in _values(element))
    ]
    if len(found) != 1:
        there = sorted({element["action_id"] for _, element in _controls(message)})
        raise CannotClick(
            f"{len(found)} controls on message {message.ts} match action_id {action_id!r}"
            f"{'' if value is None else f' and value {value!r}'}; there are: {there or 'none'}"
        )
    block_id, element = found[0]
    action = {"action_id": action_id, "block_id": block_id, "type": element["type"]}
    if "options" in element:
        option = next(o for o in element["options"] if value is None or o["value"] == value)
        many = element["type"] in ("checkboxes", "multi_static_select")
        return {**action, "selected_options": [option]} if many else {**action, "selected_option": option}
    if element["type"] == "feedback_buttons":
        buttons = [element[name] for name in ("positive_button", "negative_button")]
        picked = [button for button in buttons if button["value"] == value]
        if len(picked) != 1:
            raise CannotClick(f"{action_id!r} is two buttons: say which by its value, {[b['value'] for b in buttons]}")
        return {**action, "text": picked[0]["text"], "value": value}
    return {**action, **{name: element[name] for name in ("text", "value", "style", "url") if name in element}}


def _values(element: Json) -> list[str]:
    parts = [element, *element.get("options", [])]
    parts += [element[name] for name in ("positive_button", "negative_button") if name in element]
    return [part["value"] for part in parts if "value" in part]
