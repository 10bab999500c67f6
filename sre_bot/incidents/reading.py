"""Rows of cases and incidents as the records of `paging.py`."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sre_bot.incidents.paging import Case, Incident
from sre_bot.incidents.tables import cases, incidents


async def read_cases(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[Case]:
    """Cases with their incidents, in the order of their ids."""
    rows = (await connection.execute(select(cases).where(condition).order_by(cases.c.id))).all()
    members = select(incidents).where(incidents.c.case_id.in_([row.id for row in rows])).order_by(incidents.c.id)
    found: defaultdict[int, list[Incident]] = defaultdict(list)
    for row in await connection.execute(members):
        found[row.case_id].append(incident_of(row))
    return [case_of(row, found[row.id]) for row in rows]


def incident_of(row: Row[Any]) -> Incident:
    """A row of the table `incidents`."""
    values = {name: row._mapping[name] for name in Incident.__dataclass_fields__}
    return Incident(**values | {"assignees": tuple(row.assignees)})


def case_of(row: Row[Any], members: Sequence[Incident]) -> Case:
    """A row of the table `cases`, with its incidents."""
    values = dict(row._mapping) | {"symptoms_asked": tuple(row.symptoms_asked)}
    return Case(**values, incidents=tuple(members))
