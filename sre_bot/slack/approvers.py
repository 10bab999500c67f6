"""Who may approve: the users and user groups of SLACK_APPROVERS, and nobody where it is empty.

A group's members are asked of Slack and remembered for a minute, so that whoever leaves it loses the right. Where Slack
does not answer, nobody of that group may: doubt is a no.
"""

import logging
import time
from collections.abc import Sequence

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError
from sre_bot.slack.outbox import answer

log = logging.getLogger(__name__)

REMEMBERED = 60.0  # seconds

NOBODY = "Nobody may approve here: whoever runs me sets SLACK_APPROVERS to the ids of users or user groups."
NOT_YOU = "You are not among those who may decide on this (SLACK_APPROVERS)."
UNKNOWN = "I could not look up the user groups of SLACK_APPROVERS ({why}), so I cannot take this from you. Try again."


class Approvers:
    """Knows them.

    Args:
        client: the Web API; needs the scope usergroups:read where a group is named.
        named: ids of users (U…, W…) and user groups (S…).
    """

    def __init__(self, client: AsyncWebClient, named: Sequence[str]) -> None:
        self._client = client
        self._users = frozenset(name for name in named if not name.startswith("S"))
        self._groups = tuple(name for name in named if name.startswith("S"))
        self._members: dict[str, tuple[float, frozenset[str]]] = {}
        self._names: dict[str, str] = {}

    async def words(self) -> str:
        """Who may decide, by name and without calling anybody; empty where nobody may."""
        people = [await self.name(user) for user in sorted(self._users)]
        return ", ".join([*people, *(f"members of the user group {group}" for group in self._groups)])

    async def name(self, person: str) -> str:
        """What somebody is called; their id where Slack does not say."""
        if person not in self._names:
            try:
                found = await answer(self._client.users_info(user=person))
            except BackendError:
                return person
            user = found["user"]
            self._names[person] = str(user.get("real_name") or user.get("name") or person)
        return self._names[person]

    async def refuse(self, person: str) -> str:
        """Why a person may not decide; empty where they may."""
        if not self._users and not self._groups:
            return NOBODY
        if person in self._users:
            return ""
        try:
            for group in self._groups:
                if person in await self._of(group):
                    return ""
        except BackendError as error:
            log.warning("the members of an approvers' group are not known: %s", error)
            return UNKNOWN.format(why=error)
        return NOT_YOU

    async def _of(self, group: str) -> frozenset[str]:
        asked, members = self._members.get(group, (0.0, frozenset()))
        if time.monotonic() - asked > REMEMBERED or not asked:
            found = await answer(self._client.usergroups_users_list(usergroup=group))
            members = frozenset(found["users"])
            self._members[group] = (time.monotonic(), members)
        return members
