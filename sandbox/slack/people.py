"""What people and other apps' bots do in the workspace, as the control API orders it."""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from typing import Any

from sandbox.slack.conversion import rich_text_of
from sandbox.slack.messages import on_the_wire
from sandbox.slack.web_api.content import as_stored
from sandbox.slack.web_api.files import file_record
from sandbox.slack.workspace import Workspace
from sandbox.slack.world import BOT_ID, Channel, Message, User

Json = dict[str, Any]


class BadOrder(Exception):
    """The control API was asked for something that nobody could do; the message says what and why."""


class People:
    """Posts, edits and deletes as a person, or as another app's bot."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.world = workspace.world

    def channel(self, reference: Any) -> Channel:  # noqa: ANN401 - from JSON
        """A channel by id, by #name, or by a person's id for that person's DM with the bot."""
        found = self.world.channel(str(reference))
        if found is None:
            raise BadOrder(f"there is no channel {reference!r}; there are {', '.join(self.world.channels)}")
        return found

    def user(self, reference: Any) -> User:  # noqa: ANN401 - from JSON
        """A person by id or name."""
        found = self.world.user(str(reference))
        if found is None:
            names = ", ".join(user.mention for user in self.world.users.values())
            raise BadOrder(f"there is nobody called {reference!r}; there are {names}")
        return found

    def message(self, order: Json) -> tuple[Channel, Message]:
        """The message that an order names by channel and ts, also one that only its reader sees."""
        channel, ts = self.channel(order.get("channel")), str(order.get("ts"))
        unseen = (each for each in self.world.ephemerals if each.channel == channel.id and each.ts == ts)
        found = channel.messages.get(ts) or next(unseen, None)
        if found is None:
            raise BadOrder(f"there is no message {order.get('ts')!r} in {channel.id}")
        return channel, found

    def post(self, order: Json, base_url: str) -> Message:
        """A message as somebody types it: `@SRE Bot` becomes a mention."""
        channel = self.channel(order.get("channel"))
        if channel.is_archived:
            raise BadOrder(f"{channel.id} is archived: nobody can write there")
        message = Message(self.world.next_ts(), channel.id, self._typed(str(order.get("text", ""))))
        self._sign(message, order, channel)
        message.thread_ts = self._thread(order, channel)
        message.files = [self._file(file, base_url) for file in order.get("files", [])]
        message.attachments = order.get("attachments", [])
        message.blocks = order.get("blocks") or ([] if message.bot_id else rich_text_of(message.text))
        message.subtype = order.get("subtype", "file_share" if message.files else message.subtype)
        self.workspace.post(message)
        return message

    def edit(self, order: Json) -> Message:
        """Somebody changes the text of their message."""
        channel, message = self.message(order)
        if message.bot_id == BOT_ID:
            raise BadOrder("people cannot edit what the app wrote")
        before = on_the_wire(message, channel)
        mentioned = self.workspace.mentions_bot(message)
        message.text = self._typed(str(order.get("text", "")))
        message.blocks = [] if message.bot_id else rich_text_of(message.text)
        message.edited = {"user": message.user or message.bot_id, "ts": self.world.next_ts()}
        newly = self.workspace.mentions_bot(message) and not mentioned
        self.workspace.change(message, before, newly_mentioned=newly)
        return message

    def delete(self, order: Json) -> Message:
        """Somebody deletes a message."""
        _, message = self.message(order)
        self.workspace.remove(message)
        return message

    def react(self, order: Json) -> bool:
        """Somebody adds an emoji, or takes it away."""
        _, message = self.message(order)
        user = self.user(order.get("user"))
        return self.workspace.react(message, user.id, str(order.get("name")), add=not order.get("remove"))

    def _sign(self, message: Message, order: Json, channel: Channel) -> None:
        if bot := order.get("bot"):
            message.bot_id, message.bot_name = self.world.other_bot(str(bot)), str(bot)
            message.subtype = "bot_message"
            return
        user = self.user(order.get("user"))
        if user.id not in channel.members:
            raise BadOrder(f"{user.mention} is not in {channel.id}")
        message.user, message.client_msg_id = user.id, str(uuid.uuid4())

    def _thread(self, order: Json, channel: Channel) -> str | None:
        thread_ts = order.get("thread_ts")
        if thread_ts is None:
            return None
        parent = channel.messages.get(str(thread_ts))
        if parent is None or parent.is_reply:
            raise BadOrder(f"{thread_ts!r} is no message that a thread can hang below")
        return parent.ts

    def _typed(self, text: str) -> str:
        """Wire text of what somebody typed: known @names become mentions, the rest is escaped."""
        names = sorted((user.mention for user in self.world.users.values()), key=len, reverse=True)
        pattern = re.compile("@(" + "|".join(map(re.escape, names)) + r")(?!\w)", re.IGNORECASE)
        return as_stored(pattern.sub(lambda match: f"<@{self.user(match.group(1)).id}>", text))

    def _file(self, order: Json, base_url: str) -> Json:
        try:
            content = (
                base64.b64decode(order["base64"], validate=True)
                if "base64" in order
                else str(order.get("content", "")).encode()
            )
        except binascii.Error:
            raise BadOrder("a file's base64 is not base64") from None
        mimetype = str(order.get("mimetype", "text/plain"))
        return file_record(self.world, str(order.get("name", "file.txt")), content, mimetype, base_url)
