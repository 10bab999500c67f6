"""Rows of turns as records, with the place of their thread."""

from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.model import Turn
from sre_bot.incidents.tables import threads, turns


async def read_turns(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[Turn]:
    """Turns, oldest first."""
    query = select(turns, threads.c.channel, threads.c.thread_ts).join_from(turns, threads).where(condition)
    rows = await connection.execute(query.order_by(turns.c.created_at, turns.c.prompt_ts))
    return [_turn(row) for row in rows]


def _turn(row: Row[Any]) -> Turn:
    return Turn(**{**row._mapping, "reply_ts": tuple(row.reply_ts)})
