"""Who may speak to the bot: members of its own workspace, and no guests.

A channel that is shared with another company shows the bot's answers to that company, and a guest sees more through
the bot than through Slack. Both are refused, and told so where only they see it.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.slack.approvers import BARRED
from sre_bot.slack.outbox import refusal

log = logging.getLogger(__name__)

REMEMBERED = 300.0  # seconds that a person is taken for what Slack said of them

SHARED = "I do not answer in channels that are shared with another organisation."
OUTSIDER = "I answer members of this workspace only, not guests or people of other organisations."
UNKNOWN = (
    "I could not look up who you are ({why}), so I do not answer. Whoever runs me: the scope users:read is needed."
)


class Membership:
    """Looks people up and remembers for a while; whoever was deactivated or became a guest is soon one.

    Args:
        client: the Web API; needs the scope users:read.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._members: dict[str, tuple[float, bool]] = {}

    async def refuse(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> str:
        """Why a person's message is not taken; empty where it is."""
        team = body.get("team_id")
        if body.get("is_ext_shared_channel"):
            return SHARED
        if any(event.get(key, team) != team for key in ("team", "user_team", "source_team")):
            return OUTSIDER
        try:
            return "" if await self._is_member(event["user"], team) else OUTSIDER
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            why = refusal(error) if isinstance(error, SlackApiError) else type(error).__name__
            log.warning("user %s could not be looked up: %s", event["user"], why)
            return UNKNOWN.format(why=why)

    async def tell(self, event: Mapping[str, Any], why: str) -> None:
        """Say it to the person alone."""
        thread = {"thread_ts": event["thread_ts"]} if "thread_ts" in event else {}
        try:
            await self._client.chat_postEphemeral(channel=event["channel"], user=event["user"], text=why, **thread)
        except (SlackApiError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("user %s was not told %r: %s", event["user"], why, error)

    async def _is_member(self, user: str, team: str | None) -> bool:
        asked, member = self._members.get(user, (-REMEMBERED, False))
        if time.monotonic() - asked < REMEMBERED:
            return member
        found: Mapping[str, Any] = (await self._client.users_info(user=user))["user"]
        member = not any(found.get(mark) for mark in BARRED) and found.get("team_id", team) == team
        self._members[user] = (time.monotonic(), member)
        return member
