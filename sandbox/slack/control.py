"""The control API, `/sandbox/…`: what a test, a demo or a person does to the workspace and reads from it.

Documented in the package's docstring. It needs no token: the process listens on loopback only.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.slack.clicks import CannotClick
from sandbox.slack.faults import Fault
from sandbox.slack.messages import as_people_see, author_of
from sandbox.slack.people import BadOrder
from sandbox.slack.scopes import granted
from sandbox.slack.sockets import REASONS
from sandbox.slack.streams import StreamRules, refresh
from sandbox.slack.world import APP_ID, APP_TOKEN, BOT_ID, BOT_TOKEN, BOT_USER, TEAM_ID, Message, User

if TYPE_CHECKING:
    from sandbox.slack.app import StandIn

Json = dict[str, Any]
STATUS_LIVES = 120.0  # seconds; Slack: assistant.threads.setStatus


class Control:
    """The handlers; each takes JSON or a query and answers JSON."""

    def __init__(self, stand_in: StandIn) -> None:
        self.it = stand_in

    def routes(self) -> list[web.RouteDef]:
        """Everything under /sandbox."""
        journal = self.it.journal
        reads: dict[str, Callable[[web.Request], Json]] = {
            "world": self.world,
            "thread": self.thread,
            "channel": self.channel,
            "violations": lambda _: {"violations": journal.violations},
            "pings": lambda _: {"pings": journal.pings},
            "calls": self.calls,
            "acks": self.acks,
            "faults": lambda _: {"held": self.it.faults.held},
            "home": lambda request: {"view": self.it.world.homes.get(request.query.get("user", ""))},
        }
        orders: dict[str, Callable[[Json, web.Request], Awaitable[Json]]] = {
            "messages": self.post,
            "messages/edit": self.edit,
            "messages/delete": self.delete,
            "reactions": self.react,
            "actions": self.click,
            "modals": self.submit,
            "modals/close": self.close_modal,
            "home": self.open_home,
            "faults": self.fault,
            "outage": self.outage,
            "sockets/disconnect": self.disconnect,
            "clock": self.clock,
            "streams": self.streams,
            "streams/stop": self.stop_stream,
            "scopes": self.take_scopes,
            "people": self.change_person,
            "usergroups": self.change_group,
            "envelopes": self.forge,
        }
        return [
            *(web.get(f"/sandbox/{path}", _reading(read)) for path, read in reads.items()),
            *(web.post(f"/sandbox/{path}", _ordering(order)) for path, order in orders.items()),
            web.get("/sandbox/feed", self.feed),
        ]

    def world(self, _: web.Request) -> Json:
        """Ids and tokens."""
        world = self.it.world
        return {
            "team": TEAM_ID,
            "app": APP_ID,
            "bot": {"user": BOT_USER, "id": BOT_ID},
            "tokens": {"bot": BOT_TOKEN, "app": APP_TOKEN},
            "users": {user.mention: user.id for user in world.users.values()},
            "usergroups": world.usergroups,
            "channels": {c.name: c.id for c in world.channels.values() if c.kind != "im"},
            "dms": {c.wire()["user"]: c.id for c in world.channels.values() if c.kind == "im"},
            "people": [_person(user) for user in world.users.values()],
            "conversations": [{**c.wire(), "members": c.members} for c in world.channels.values()],
            "sockets": self.it.sockets.count,
            "feed": self.it.feed.last,
        }

    def thread(self, request: web.Request) -> Json:
        """A thread as people see it, with its status line."""
        channel = self.it.people.channel(request.query.get("channel"))
        ts = request.query.get("ts", "")
        parent = [channel.messages[ts]] if ts in channel.messages else []
        unseen = [m for m in self.it.world.ephemerals if m.channel == channel.id and m.thread_ts == ts]
        for message in channel.replies(ts):
            refresh(message, self.it.limits.clock.now(), self.it.workspace.streams)
        messages = sorted([*parent, *channel.replies(ts), *unseen], key=lambda message: message.ts)
        status = self.it.world.statuses.get((channel.id, ts))
        fresh = status if status and time.time() - status["since"] < STATUS_LIVES else None
        return {"messages": self._seen(messages), "status": fresh}

    def channel(self, request: web.Request) -> Json:
        """A channel's top level as people see it, oldest first."""
        channel = self.it.people.channel(request.query.get("channel"))
        top = [m for m in channel.messages.values() if not m.is_reply or m.subtype == "thread_broadcast"]
        unseen = [m for m in self.it.world.ephemerals if m.channel == channel.id and m.thread_ts is None]
        replies: dict[str, list[Json]] = {}
        for message in channel.messages.values():
            if message.is_reply:
                by = {"ts": message.ts, "name": author_of(message, self.it.world)}
                replies.setdefault(str(message.thread_ts), []).append(by)
        return {
            "messages": self._seen(sorted([*top, *unseen], key=lambda message: message.ts)),
            "replies": replies,
            "prompts": self.it.world.prompts.get((channel.id, "")),
        }

    def calls(self, request: web.Request) -> Json:
        """Every API call, or those of one method."""
        method = request.query.get("method")
        return {"calls": [call for call in self.it.journal.calls if method in (None, call["method"])]}

    def acks(self, _: web.Request) -> Json:
        """Every envelope, with latency; those never acknowledged; those that were redeliveries."""
        acks = self.it.journal.acks
        return {
            "acks": acks,
            "unacked": [ack for ack in acks if ack["latency_ms"] is None],
            "redelivered": [ack for ack in acks if ack["retry_attempt"]],
        }

    async def post(self, order: Json, request: web.Request) -> Json:
        """Somebody writes."""
        return {"ts": self.it.people.post(order, str(request.url.origin())).ts}

    async def edit(self, order: Json, _: web.Request) -> Json:
        """Somebody edits."""
        return {"ts": self.it.people.edit(order).ts}

    async def delete(self, order: Json, _: web.Request) -> Json:
        """Somebody deletes."""
        return {"ts": self.it.people.delete(order).ts}

    async def react(self, order: Json, _: web.Request) -> Json:
        """Somebody reacts."""
        return {"changed": self.it.people.react(order)}

    async def click(self, order: Json, request: web.Request) -> Json:
        """Somebody clicks."""
        user = self.it.people.user(order.get("user"))
        if order.get("view"):
            used = self.it.clicks.use_home(user, str(order.get("action_id")), order.get("value"))
            return {"delivered": await used}
        channel, message = self.it.people.message(order)
        if user.id not in channel.members or message.ephemeral_to not in (None, user.id):
            raise BadOrder(
                f"{user.mention} is not in {channel.id} or does not see that message, and cannot click there"
            )
        origin, action = str(request.url.origin()), str(order.get("action_id"))
        delivered = await self.it.clicks.click(origin, channel, message, user, action, order.get("value"))
        return {"delivered": delivered}

    async def submit(self, order: Json, _: web.Request) -> Json:
        """Somebody fills in the modal that is open for them, and submits it."""
        user = self.it.people.user(order.get("user"))
        return {"delivered": await self.it.clicks.submit(user, order.get("values", {}))}

    async def close_modal(self, order: Json, _: web.Request) -> Json:
        """Somebody closes the modal that is open for them, without submitting it."""
        return {"delivered": await self.it.clicks.close(self.it.people.user(order.get("user")))}

    async def open_home(self, order: Json, _: web.Request) -> Json:
        """Somebody opens the app's Home or Messages tab."""
        self.it.workspace.open_home(self.it.people.user(order.get("user")).id, str(order.get("tab", "home")))
        return {}

    async def fault(self, order: Json, _: web.Request) -> Json:
        """Order a fault; `{"clear": true}` forgets all."""
        if order.get("clear"):
            self.it.faults.clear()
        else:
            self.it.faults.order(Fault(**order))
        return {}

    async def outage(self, order: Json, _: web.Request) -> Json:
        """Everything but /sandbox is down for some seconds."""
        await self.it.go_down(float(order.get("seconds", 1)))
        return {}

    async def disconnect(self, order: Json, _: web.Request) -> Json:
        """End sockets in one of Slack's ways, or in a network's."""
        reason = str(order.get("reason", "refresh_requested"))
        if reason not in REASONS:
            raise BadOrder(f"unknown reason {reason!r}; there are {', '.join(REASONS)}")
        return {"sockets": await self.it.sockets.disconnect(reason, int(order.get("count", 10)))}

    async def clock(self, order: Json, _: web.Request) -> Json:
        """Let the rate limits' clock run faster; set how long an ack may take and a trigger_id lives, in seconds."""
        if "rate" in order:
            self.it.limits.clock.run_at(float(order["rate"]))
        if "ack_within" in order:
            self.it.sockets.ack_within = float(order["ack_within"])
        if "trigger_lives" in order:
            self.it.workspace.triggers.lives = float(order["trigger_lives"])
        return {"rate": self.it.limits.clock.rate, "ack_within": self.it.sockets.ack_within}

    async def streams(self, order: Json, _: web.Request) -> Json:
        """Choose what a stream holds, how long it lives, and what read-back shows of it while it is open."""
        self.it.workspace.streams = StreamRules(**order, ordered="most_bytes" in order)
        return {}

    async def stop_stream(self, order: Json, _: web.Request) -> Json:
        """Somebody stops a stream."""
        _channel, message = self.it.people.message(order)
        if message.stream is None or message.stream.state != "open":
            raise BadOrder("that message is not being streamed")
        self.it.workspace.stop_stream(message, message.stream, self.it.people.user(order.get("user")).id)
        return {}

    async def take_scopes(self, order: Json, _: web.Request) -> Json:
        """Somebody makes the app anew without some of its scopes."""
        without = set(order.get("without", []))
        self.it.world.scopes = tuple(scope for scope in granted() if scope not in without)
        return {"scopes": self.it.world.scopes}

    async def change_person(self, order: Json, _: web.Request) -> Json:
        """Somebody's account is deactivated, or becomes a guest's; what they did just before still arrives."""
        user = self.it.people.user(order.get("user"))
        user.is_deleted = bool(order.get("deleted", user.is_deleted))
        user.is_guest = bool(order.get("guest", user.is_guest))
        return {"user": user.wire()}

    async def change_group(self, order: Json, _: web.Request) -> Json:
        """A user group has these members from now on."""
        members = [self.it.people.user(user).id for user in order.get("users", [])]
        self.it.world.usergroups[str(order.get("usergroup"))] = members
        return {"users": members}

    async def forge(self, order: Json, _: web.Request) -> Json:
        """An interaction arrives that Slack would never send: the payload is delivered as it is."""
        return {"delivered": await self.it.sockets.deliver_click(dict(order.get("payload", {})))}

    async def feed(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events from `Last-Event-ID` or `?after=` on."""
        after = int(request.headers.get("Last-Event-ID") or request.query.get("after") or 0)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # the reader went away
            async for event in self.it.feed.follow(after):
                await response.write(event.encode())
        return response

    def _seen(self, messages: list[Message]) -> list[Json]:
        return [as_people_see(message, self.it.world) for message in messages]


def _person(user: User) -> Json:
    named = {"id": user.id, "name": user.mention, "real_name": user.real_name}
    return {**named, "is_bot": user.is_bot, "is_guest": user.is_guest, "team": user.team}


def _reading(read: Callable[[web.Request], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(read(request))
        except BadOrder as bad:
            return web.json_response({"error": str(bad)}, status=400)

    return handle


def _ordering(
    order: Callable[[Json, web.Request], Awaitable[Json]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.text() or "{}")
            return web.json_response(await order(body, request))
        except CannotClick as reason:
            return web.json_response({"error": str(reason)}, status=409)
        except (BadOrder, ValueError, TypeError) as bad:
            return web.json_response({"error": str(bad)}, status=400)

    return handle
