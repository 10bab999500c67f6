"""Cases and cards for the tests of what people see of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_bot.incidents.paging import Case, Incident, IncidentStatus, Urgency
from sre_bot.workflows.people import Card

NINE = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)


def make_incident(number: int = 1, **facts: Any) -> Incident:
    opened = NINE + timedelta(minutes=number)
    incident = Incident(
        key=f"pd:Q{number}",
        case_id=7,
        source="pagerduty",
        title="High error rate on api-server",
        status=IncidentStatus.TRIGGERED,
        urgency=Urgency.HIGH,
        priority="P1",
        service="api-server",
        service_label="API Server",
        url=f"https://acme.pagerduty.com/incidents/Q{number}",
        group_key="",
        assignees=("Ada Lovelace",),
        details="",
        opened_at=opened,
        snapshot_at=opened,
        resolved_at=None,
    )
    return replace(incident, **facts)


def resolved(incident: Incident, minutes: int = 72) -> Incident:
    return replace(
        incident, status=IncidentStatus.RESOLVED, resolved_at=incident.opened_at + timedelta(minutes=minutes)
    )


def make_case(*incidents: Incident, **facts: Any) -> Case:
    case = Case(
        id=7,
        channel="C0INCIDENTS",
        thread_ts=None,
        opened_at=NINE,
        last_page_at=NINE,
        closed_at=None,
        revision=1,
        shown_revision=0,
        episode=1,
        told_episode=0,
        asked=0,
        asked_at=None,
        symptoms_asked=(),
        incidents=incidents or (make_incident(),),
    )
    return replace(case, **facts)


def make_card(case: Case | None = None, **facts: Any) -> Card:
    card = Card(
        case=case or make_case(),
        owner="Platform team",
        escalation="#platform-oncall",
        progress="Investigating: reading the logs of api-server.",
        can_acknowledge=True,
        can_silence=True,
        links={"View in PagerDuty": "https://acme.pagerduty.com/incidents/Q1"},
    )
    return replace(card, **facts)
