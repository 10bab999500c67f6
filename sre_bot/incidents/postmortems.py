"""The post-mortems that the bot has published: the approved calls that did it outlive their threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from sre_bot.incidents.database import Database
from sre_bot.incidents.model import ApprovalState
from sre_bot.incidents.tables import approvals

PUBLISHES = "confluence_create_postmortem"
"""The tool that publishes one."""


@dataclass(frozen=True, slots=True)
class Published:
    """One of them: the call's arguments, what the tool said of the page, and when."""

    arguments: Mapping[str, Any]
    outcome: str
    at: datetime


class Postmortems:
    """Those in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, limit: int) -> list[Published]:
        """The newest ones, newest first.

        Raises:
            LedgerError: the database cannot be read.
        """
        c = approvals.c
        when = select(c.arguments, c.outcome, c.ended_at).where(
            c.tool == PUBLISHES, c.state == ApprovalState.SUCCEEDED, c.ended_at.is_not(None)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(when.order_by(c.id.desc()).limit(limit))
            return [Published(row.arguments, row.outcome, row.ended_at) for row in rows]
