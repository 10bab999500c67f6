"""What can happen in the workspace, by whomever: a message appears, changes, goes; a reaction; a status.

Each happening is done once and told three times: to the feed (people), to the sockets (the app, when the
bot is in the conversation), and to the journal when it would have notified somebody.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from sandbox.slack import events, mentions
from sandbox.slack.feed import Feed
from sandbox.slack.journal import Journal
from sandbox.slack.limits import Clock
from sandbox.slack.messages import Json, as_people_see, on_the_wire
from sandbox.slack.sockets import Sockets
from sandbox.slack.streams import Stream, StreamRules
from sandbox.slack.triggers import Triggers
from sandbox.slack.world import BOT_ID, BOT_USER, Channel, Message, World

TOMBSTONE = "This message was deleted."


class Workspace:
    """The world together with everybody who watches it."""

    def __init__(self, world: World, journal: Journal, feed: Feed, sockets: Sockets, clock: Clock) -> None:
        self.world = world
        self.journal = journal
        self.feed = feed
        self.sockets = sockets
        self.triggers = Triggers()
        self.clock = clock
        self.streams = StreamRules()

    def post(self, message: Message, *, bare_pings: bool = False) -> None:
        """A message appears."""
        channel = self.world.channels[message.channel]
        channel.messages[message.ts] = message
        self._note_pings(message, "posted", bare=bare_pings)
        self._clear_status(message)
        self._show("message.posted", message)
        self._tell(channel, events.posted(message, channel))
        if self.mentions_bot(message) and channel.kind != "im":
            self._tell(channel, events.mentioned(message, channel))

    def post_ephemeral(self, message: Message) -> None:
        """A message that one person sees until they reload."""
        self.world.ephemerals.append(message)
        self._note_pings(message, "ephemeral", bare=False)
        self._show("message.ephemeral", message)

    def change(
        self, message: Message, before: Json, *, newly_mentioned: bool = False, bare_pings: bool = False
    ) -> None:
        """A message was changed in place; `before` is its wire form until now."""
        channel = self.world.channels[message.channel]
        self._note_pings(message, "changed", bare=bare_pings)
        self._show("message.changed", message)
        self._tell(channel, events.changed(before, message, channel, self.world.next_ts()))
        if newly_mentioned and channel.kind != "im":
            self._tell(channel, events.mentioned(message, channel))

    def grow(self, message: Message) -> None:
        """A stream got more; the app gets no event for that."""
        self._note_pings(message, "streamed", bare=False)
        self._show("message.changed", message)

    def stop_stream(self, message: Message, stream: Stream, user: str) -> None:
        """A person stops a stream."""
        stream.state = "stopped_by_user"
        channel = self.world.channels[message.channel]
        self._tell(channel, events.session_stopped(message, channel, user, self.world.next_ts()))
        self._show("message.changed", message)

    def remove(self, message: Message) -> None:
        """A message is deleted; above replies a tombstone stays."""
        channel = self.world.channels[message.channel]
        before = on_the_wire(message, channel)
        if channel.replies(message.ts):
            channel.messages[message.ts] = Message(
                message.ts, channel.id, TOMBSTONE, user="USLACKBOT", subtype="tombstone", thread_ts=message.ts
            )
        else:
            del channel.messages[message.ts]
        self.feed.publish(
            "message.deleted", channel=channel.id, ts=message.ts, thread_ts=message.thread_ts or message.ts
        )
        self._tell(channel, events.deleted(before, channel, self.world.next_ts()))

    def react(self, message: Message, user: str, name: str, *, add: bool) -> bool:
        """Add or take away a reaction; False when it was so already."""
        users = message.reactions.setdefault(name, [])
        if add == (user in users):
            return False
        (users.append if add else users.remove)(user)
        self._show("reaction.added" if add else "reaction.removed", message, reaction=name, by=user)
        return True

    def set_status(self, channel: str, thread_ts: str, status: Json | None) -> None:
        """Show, change or clear the status line of a thread."""
        if status is None:
            self.world.statuses.pop((channel, thread_ts), None)
        else:
            self.world.statuses[channel, thread_ts] = {**status, "since": time.time()}
        self.feed.publish("status", channel=channel, thread_ts=thread_ts, **(status or {"status": ""}))

    def set_prompts(self, channel: str, thread_ts: str, prompts: Json) -> None:
        """Offer prompts in a direct message; `thread_ts` is empty for its top level."""
        self.world.prompts[channel, thread_ts] = prompts
        self.feed.publish("prompts", channel=channel, thread_ts=thread_ts, **prompts)

    def open_home(self, user: str, tab: str) -> None:
        """A person opens the app's Home or Messages tab."""
        channel = self.world.channel(user)
        if channel is not None:
            self._tell(channel, events.home_opened(user, tab, channel.id, self.world.next_ts()))

    def _tell(self, channel: Channel, event: Json) -> None:
        if BOT_USER in channel.members:
            payload = events.callback(event, self.world.next_id("Ev"), channel)
            self.sockets.deliver_event(payload)

    def _show(self, kind: str, message: Message, **more: str) -> None:
        thread = message.thread_ts or message.ts
        seen = as_people_see(message, self.world)
        self.feed.publish(kind, channel=message.channel, ts=message.ts, thread_ts=thread, message=seen, **more)

    def _clear_status(self, message: Message) -> None:
        """Slack: the status is cleared when the app posts in the thread."""
        key = (message.channel, message.thread_ts or message.ts)
        if message.bot_id == BOT_ID and key in self.world.statuses:
            self.set_status(*key, None)

    def mentions_bot(self, message: Message) -> bool:
        """Whether somebody else's message addresses the bot."""
        return message.bot_id != BOT_ID and ("user", BOT_USER) in mentions.in_text(message.text)

    def _note_pings(self, message: Message, how: str, *, bare: bool) -> None:
        if message.bot_id != BOT_ID:
            return
        channel = self.world.channels[message.channel]
        for kind, target in dict.fromkeys(_pings(message, bare=bare)):
            reached = mentions.notified(self.world, channel, (kind, target))
            self.journal.pings.append(
                {"channel": channel.id, "ts": message.ts, "how": how, "kind": kind, "target": target,
                 "notified": reached}
            )  # fmt: skip


def _pings(message: Message, *, bare: bool) -> Iterator[mentions.Ping]:
    yield from mentions.in_text(message.text, bare=bare)
    yield from mentions.in_text(message.markdown or "")
    yield from mentions.in_blocks(message.blocks)
    yield from mentions.in_blocks(message.attachments)
