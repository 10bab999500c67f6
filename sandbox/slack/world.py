"""The workspace that the stand-in pretends to be: people, channels and messages, in memory.

Plain state and look-ups only. What changes it, and tells everybody, is in `workspace`; it refuses nothing
except to forget: a deleted message leaves its place in the feed, not here.
"""

from __future__ import annotations

import itertools
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.slack.streams import Stream

from sandbox.slack.scopes import granted

Json = dict[str, Any]

TEAM_ID = "T0SANDBOX1"
APP_ID = "A0SREBOT01"
BOT_ID = "B0SREBOT01"
BOT_USER = "U0SREBOT01"
BOT_TOKEN = "xoxb-sandbox-0001"  # noqa: S105 - the stand-in accepts exactly this, it opens nothing
APP_TOKEN = "xapp-sandbox-0001"  # noqa: S105
RESTRICTED_TEAM = "T0PARTNER1"


@dataclass
class User:
    """A member of the workspace; `mention` is what people type after an @."""

    id: str
    mention: str
    real_name: str
    is_bot: bool = False
    is_guest: bool = False
    is_deleted: bool = False
    team: str = TEAM_ID

    def wire(self) -> Json:
        """The `user` object of users.info."""
        profile = {"real_name": self.real_name, "display_name": self.mention, "email": f"{self.id}@example.com"}
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.mention.lower().replace(" ", "-"),
            "real_name": self.real_name,
            "deleted": self.is_deleted,
            "tz": "Etc/UTC",
            "profile": profile,
            "is_admin": False,
            "is_bot": self.is_bot,
            "is_restricted": self.is_guest,
            "is_ultra_restricted": False,
            "is_app_user": False,
        }


@dataclass
class Message:
    """One message as the workspace keeps it: what was sent, already converted."""

    ts: str
    channel: str
    text: str
    user: str | None = None
    bot_id: str | None = None
    bot_name: str | None = None
    thread_ts: str | None = None
    subtype: str | None = None
    client_msg_id: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    metadata: Json | None = None
    edited: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    markdown: str | None = None  # what the app sent as Markdown; people and read-back never see it
    ephemeral_to: str | None = None
    stream: Stream | None = None  # where it is, or was, streamed

    @property
    def is_reply(self) -> bool:
        """Whether it hangs below another message."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass
class Channel:
    """A conversation; `messages` is ordered by ts."""

    id: str
    name: str
    kind: str = "channel"  # channel, group or im: the `channel_type` of events
    members: list[str] = field(default_factory=list)
    is_archived: bool = False
    is_ext_shared: bool = False
    messages: dict[str, Message] = field(default_factory=dict)

    def replies(self, ts: str) -> list[Message]:
        """The replies below `ts`, oldest first, without the parent."""
        return [m for m in self.messages.values() if m.is_reply and m.thread_ts == ts]

    def wire(self) -> Json:
        """The `channel` object of conversations.info."""
        if self.kind == "im":
            person = next(member for member in self.members if member != BOT_USER)
            return {"id": self.id, "is_im": True, "user": person, "is_archived": False, "created": 1}
        return {
            "id": self.id,
            "name": self.name,
            "is_channel": self.kind == "channel",
            "is_group": self.kind == "group",
            "is_im": False,
            "is_private": self.kind == "group",
            "is_archived": self.is_archived,
            "is_member": BOT_USER in self.members,
            "is_ext_shared": self.is_ext_shared,
            "is_shared": self.is_ext_shared,
            "created": 1,
            "context_team_id": TEAM_ID,
        }


PEOPLE = [
    User(BOT_USER, "SRE Bot", "SRE Bot", is_bot=True),
    User("U0ADA00001", "Ada", "Ada Lovelace"),
    User("U0GRACE001", "Grace", "Grace Hopper"),
    User("U0LINUS001", "Linus", "Linus T."),
    User("U0GUEST001", "Guest", "Gus Guest", is_guest=True),
    User("U0PARTNER1", "Partner", "Pat Partner", team=RESTRICTED_TEAM),
]
STAFF = [BOT_USER, "U0ADA00001", "U0GRACE001", "U0LINUS001"]
USERGROUPS = {"S0APPROVERS": ["U0GRACE001"], "S0ONCALL001": ["U0ADA00001"]}


def seeded_channels() -> list[Channel]:
    """The channels of a new world: two that the bot is in, one that it is not in, and the awkward ones."""
    return [
        Channel("C0INCIDENTS", "incidents", members=[*STAFF, "U0GUEST001"]),
        Channel("C0PLATFORM1", "platform-oncall", members=[*STAFF]),
        Channel("C0RANDOM001", "random", members=[user for user in STAFF if user != BOT_USER]),
        Channel("C0ARCHIVED1", "old-incidents", members=[*STAFF], is_archived=True),
        Channel("C0PARTNER01", "shared-partner", members=[*STAFF, "U0PARTNER1"], is_ext_shared=True),
        Channel("G0PRIVATE01", "private-incident", kind="group", members=[*STAFF]),
        *(
            Channel(f"D{user.id[1:]}", "", kind="im", members=[BOT_USER, user.id])
            for user in PEOPLE
            if user.id != BOT_USER and user.team == TEAM_ID
        ),
    ]


class World:
    """Everything that the workspace remembers."""

    def __init__(self) -> None:
        self.users = {user.id: replace(user) for user in PEOPLE}
        self.channels = {channel.id: channel for channel in seeded_channels()}
        self.usergroups = {group: [*members] for group, members in USERGROUPS.items()}
        self.bots: dict[str, str] = {}  # name of another bot -> its bot_id
        self.files: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}  # user -> published App Home
        self.modals: list[Json] = []
        self.statuses: dict[tuple[str, str], Json] = {}  # (channel, thread) -> what setStatus shows
        self.prompts: dict[tuple[str, str], Json] = {}
        self.ephemerals: list[Message] = []
        self.scopes = granted()
        self._last_ts = 0
        self._counter = itertools.count(1)

    def next_ts(self) -> str:
        """A message timestamp: seconds with six decimals, unique and growing."""
        self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def next_id(self, prefix: str) -> str:
        """A new id as Slack shapes them, such as `Ev000000001A`."""
        return f"{prefix}{next(self._counter):06d}{uuid.uuid4().hex[:4].upper()}"

    def channel(self, reference: str) -> Channel | None:
        """Look a channel up by id, or by `#name`, or a person's DM by the person's id."""
        if reference in self.users:
            return next((c for c in self.channels.values() if c.kind == "im" and reference in c.members), None)
        name = reference.removeprefix("#")
        return self.channels.get(reference) or next((c for c in self.channels.values() if c.name == name), None)

    def user(self, reference: str) -> User | None:
        """Look a person up by id or by the name that people type after an @."""
        name = reference.removeprefix("@").lower()
        return self.users.get(reference) or next((u for u in self.users.values() if u.mention.lower() == name), None)

    def other_bot(self, name: str) -> str:
        """The bot_id of another app's bot, made when it first speaks."""
        return self.bots.setdefault(name, self.next_id("B"))
