"""Who may approve: the users and user groups of SLACK_APPROVERS, and nobody where it is empty.

Slack is asked at each decision: a person who was deactivated, became a guest or left the group a second ago may not.
Only a no is remembered, for a minute, so that those who may not cannot use up Slack's rate for those who may. Where
Slack does not answer, nobody may: doubt is a no.
"""

import logging
import time
from collections.abc import Sequence

from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError
from sre_bot.slack.outbox import answer

log = logging.getLogger(__name__)

REMEMBERED = 60.0  # seconds that a no is

BARRED = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
"""What users.info says of an account that decides nothing, whoever named it."""

NOBODY = "Nobody may approve here: whoever runs me sets SLACK_APPROVERS to the ids of users or user groups."
NOT_YOU = "You are not among those who may decide on this (SLACK_APPROVERS)."
UNKNOWN = "I could not look up whether you may decide ({why}), so I cannot take this from you. Try again."


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
        self._refused: dict[str, float] = {}
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
        if time.monotonic() - self._refused.get(person, -REMEMBERED) < REMEMBERED:
            return NOT_YOU
        try:
            if await self._is_named(person) and await self._is_full_member(person):
                return ""
        except BackendError as error:
            log.warning("whether %s may decide is not known: %s", person, error)
            return UNKNOWN.format(why=error)
        self._refused[person] = time.monotonic()
        return NOT_YOU

    async def _is_named(self, person: str) -> bool:
        if person in self._users:
            return True
        for group in self._groups:
            found = await answer(self._client.usergroups_users_list(usergroup=group))
            if person in found["users"]:
                return True
        return False

    async def _is_full_member(self, person: str) -> bool:
        """Whether the account is a person's who is a full member of the workspace now."""
        user = (await answer(self._client.users_info(user=person)))["user"]
        return not any(user.get(mark) for mark in BARRED)
