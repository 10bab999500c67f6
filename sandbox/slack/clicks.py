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
        self,
        base_url: str,
        channel: Channel,
        message: Message,
        user: User,
        action_id: str,
        value: str | list[str] | None,
    ) -> bool:
        """Send one `block_actions`; False when no socket was there to take it."""
        action = _action(message.blocks, f"message {message.ts}", action_id, value)
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

    async def use_home(self, user: User, action_id: str, value: str | list[str] | None) -> bool:
        """Send the `block_actions` of a control on somebody's App Home."""
        view = self.workspace.world.homes.get(user.id)
        if view is None:
            raise CannotClick(f"no Home is published for {user.mention}")
        action = _action(view["blocks"], "the Home", action_id, value)
        payload: Json = {
            **_about_view("block_actions", user, view),
            "container": {"type": "view", "view_id": view["id"]},
            "trigger_id": self.workspace.triggers.issue(user.id),
            "actions": [{**action, "action_ts": self.workspace.world.next_ts()}],
        }
        return await self.workspace.sockets.deliver_click(payload)

    async def submit(self, user: User, given: Json) -> bool:
        """Send the `view_submission` of the modal that is open for a person; it closes."""
        view = self._opened(user)
        values = {block["block_id"]: _filled(block, given) for block in view["blocks"] if block["type"] == "input"}
        if unknown := given.keys() - values.keys():
            raise CannotClick(f"the modal has no input {', '.join(sorted(unknown))}")
        self.workspace.world.modals.remove(view)
        payload: Json = {
            **_about_view("view_submission", user, {**view, "state": {"values": values}}),
            "trigger_id": self.workspace.triggers.issue(user.id),
            "response_urls": [],
        }
        return await self.workspace.sockets.deliver_click(payload)

    async def close(self, user: User) -> bool:
        """Close the modal that is open for a person; the app hears of it where it asked to (`notify_on_close`)."""
        view = self._opened(user)
        self.workspace.world.modals.remove(view)
        if not view.get("notify_on_close"):
            return False
        closed = {**view, "state": {"values": {}}}
        payload = {**_about_view("view_closed", user, closed), "is_cleared": False}
        return await self.workspace.sockets.deliver_click(payload)

    def _opened(self, user: User) -> Json:
        opened = [view for view in self.workspace.world.modals if view["user"] == user.id]
        if not opened:
            raise CannotClick(f"no modal is open for {user.mention}")
        return opened[-1]

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


def _about_view(kind: str, user: User, view: Json) -> Json:
    """What the payloads about a view have in common."""
    return {
        "type": kind,
        "team": {"id": TEAM_ID, "domain": "sandbox"},
        "user": {"id": user.id, "username": user.mention.lower(), "name": user.mention, "team_id": user.team},
        "api_app_id": APP_ID,
        "token": "sandbox-verification",
        "view": {name: part for name, part in view.items() if name != "user"},
        "is_enterprise_install": False,
        "enterprise": None,
    }


def _filled(block: Json, given: Json) -> Json:
    """What an input holds when its modal is submitted; an optional one that was left empty is null."""
    element, value = block["element"], given.get(block["block_id"])
    if not value and not block.get("optional"):
        raise CannotClick(f"the input {block['block_id']} has to be filled in")
    if element["type"] == "plain_text_input":
        if value is not None and len(value) > element.get("max_length", 3_000):
            raise CannotClick(f"the input {block['block_id']} takes {element['max_length']} characters")
        return {element["action_id"]: {"type": element["type"], "value": value or None}}
    return {element["action_id"]: {"type": element["type"], **_chosen(element, value or None)}}


def _chosen(element: Json, value: str | list[str] | None) -> Json:
    """What a menu says was chosen: `value` is an option's value, several where it takes several, or a person's id."""
    if element["type"] == "users_select":
        return {"selected_user": value}
    values = [value] if isinstance(value, str) else value or []
    options = [option for option in element["options"] if option["value"] in values]
    if element["type"] in ("checkboxes", "multi_static_select"):
        return {"selected_options": options}
    return {"selected_option": options[0] if options else None}


def _container(message: Message, channel: Channel) -> Json:
    thread = {"thread_ts": message.thread_ts} if message.thread_ts else {}
    return {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.ephemeral_to is not None,
        **thread,
    }


def _controls(blocks: list[Json]) -> Iterator[tuple[str, Json]]:
    """Every control with the block_id around it."""
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and "action_id" in element:
                yield block.get("block_id", ""), element


def _action(blocks: list[Json], where: str, action_id: str, value: str | list[str] | None) -> Json:
    """The one `actions` entry for a control, picked by action_id, and by `value` where that is not enough."""
    found = [
        (block_id, element)
        for block_id, element in _controls(blocks)
        if element["action_id"] == action_id and _fits(element, value)
    ]
    if len(found) != 1:
        there = sorted({element["action_id"] for _, element in _controls(blocks)})
        raise CannotClick(
            f"{len(found)} controls on {where} match action_id {action_id!r}"
            f"{'' if value is None else f' and value {value!r}'}; there are: {there or 'none'}"
        )
    block_id, element = found[0]
    action = {"action_id": action_id, "block_id": block_id, "type": element["type"]}
    if "options" in element or element["type"] == "users_select":
        first = element["options"][0]["value"] if "options" in element else None
        return action | _chosen(element, first if value is None else value)
    if element["type"] == "feedback_buttons":
        buttons = [element[name] for name in ("positive_button", "negative_button")]
        picked = [button for button in buttons if button["value"] == value]
        if len(picked) != 1:
            raise CannotClick(f"{action_id!r} is two buttons: say which by its value, {[b['value'] for b in buttons]}")
        return {**action, "text": picked[0]["text"], "value": value}
    return {**action, **{name: element[name] for name in ("text", "value", "style", "url") if name in element}}


def _fits(element: Json, value: str | list[str] | None) -> bool:
    """Whether a control can say this."""
    if value is None or element["type"] == "users_select":
        return True
    return set([value] if isinstance(value, str) else value) <= set(_values(element))


def _values(element: Json) -> list[str]:
    parts = [element, *element.get("options", [])]
    parts += [element[name] for name in ("positive_button", "negative_button") if name in element]
    return [part["value"] for part in parts if "value" in part]
