"""The JSON of PagerDuty's V3 webhook events (PagerDuty: "Webhooks V3 overview")."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

from sandbox.pagerduty.account import ESCALATION, Incident, Thing
from sandbox.pagerduty.wire import Json, moment, place, refer


def write_event(kind: str, incident: Incident, by: Thing) -> Json:
    """What happened to an incident: the incident as it is now, or the note that was just written on it."""
    data = _note(incident) if kind == "incident.annotated" else _incident(incident)
    return _event(kind, "incident", refer(by), data)


def write_ping() -> Json:
    """The test event."""
    return _event("pagey.ping", "pagey", None, {"type": "ping", "message": "Hello from your friend Pagey!"})


def _event(kind: str, resource: str, agent: Json | None, data: Json) -> Json:
    return {
        "event": {
            "id": str(uuid.uuid4()),
            "event_type": kind,
            "resource_type": resource,
            "occurred_at": _exact(time.time()),
            "agent": agent,
            "client": None,
            "data": data,
        }
    }


def _incident(incident: Incident) -> Json:
    api, web = place(f"incidents/{incident.id}")
    return {
        "id": incident.id,
        "type": "incident",
        "self": api,
        "html_url": web,
        "number": incident.number,
        "status": incident.status,
        "incident_key": incident.key,
        "created_at": moment(incident.created),
        "title": incident.title,
        "service": refer(incident.service),
        "assignees": [refer(who) for _, who in incident.assigned],
        "escalation_policy": refer(ESCALATION),
        "teams": [],
        "priority": incident.priority and refer(incident.priority),
        "urgency": incident.urgency,
        "conference_bridge": None,
        "resolve_reason": None,
    }


def _note(incident: Incident) -> Json:
    api, web = place(f"incidents/{incident.id}")
    note = incident.notes[-1]
    reference = {"id": incident.id, "type": "incident_reference", "summary": incident.title, "self": api}
    return {
        "id": note.id,
        "type": "incident_note",
        "html_url": None,
        "incident": reference | {"html_url": web},
        "user": refer(note.user),
        "content": note.text,
        "trimmed": False,
    }


def _exact(seconds: float) -> str:
    """`2026-11-23T14:05:12.345Z`: an event's time has milliseconds, unlike those of the REST API."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
