"""The JSON shapes of PagerDuty's REST API v2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.pagerduty.account import ESCALATION, Alert, Incident, LogEntry, Note, Thing

Json = dict[str, Any]
_API = "https://api.pagerduty.example"
_WEB = "https://sandbox.pagerduty.example"
_PLURALS = {
    "service": "services",
    "user": "users",
    "escalation_policy": "escalation_policies",
    "priority": "priorities",
}


def write_incident(incident: Incident, *, with_trigger: bool = False) -> Json:
    """An incident; its first log entry in full where `include[]` asked for it, else a reference."""
    trigger = incident.log[0]
    counts = [alert.status for alert in incident.alerts]
    return _identity("incident", incident.id, f"[#{incident.number}] {incident.title}", f"incidents/{incident.id}") | {
        "incident_number": incident.number,
        "title": incident.title,
        "created_at": moment(incident.created),
        "updated_at": moment(max(entry.created for entry in incident.log)),
        "status": incident.status,
        "incident_key": incident.key,
        "service": refer(incident.service),
        "assignments": [{"at": moment(at), "assignee": refer(who)} for at, who in incident.assigned],
        "assigned_via": "escalation_policy",
        "last_status_change_at": moment(incident.changed),
        "last_status_change_by": refer(incident.changed_by or incident.service),
        "resolved_at": moment(incident.resolved) if incident.resolved else None,
        "first_trigger_log_entry": write_entry(trigger, incident) if with_trigger else _entry_reference(trigger),
        "alert_counts": {
            "all": len(counts),
            "triggered": counts.count("triggered"),
            "resolved": counts.count("resolved"),
        },
        "is_mergeable": True,
        "incident_type": {"name": "incident_default"},
        "escalation_policy": refer(ESCALATION),
        "teams": [],
        "pending_actions": (
            [{"type": "unacknowledge", "at": moment(incident.snoozed_until)}] if incident.snoozed_until else []
        ),
        "acknowledgements": [{"at": moment(at), "acknowledger": refer(who)} for at, who in incident.acknowledged],
        "alert_grouping": None,
        "priority": incident.priority and _priority(incident.priority),
        "resolve_reason": None,
        "incidents_responders": [],
        "responder_requests": [],
        "urgency": incident.urgency,
    }


def write_alert(alert: Alert, incident: Incident) -> Json:
    """An alert with its body."""
    contexts = [{"type": "link", "href": link, "text": link} for link in alert.links]
    integration = "events_api_v2_inbound_integration"
    return _identity("alert", alert.id, alert.title, f"alerts/{alert.id}") | {
        "created_at": moment(alert.created),
        "status": alert.status,
        "alert_key": alert.key,
        "service": refer(incident.service),
        "body": {"type": "alert_body", "contexts": contexts, "details": alert.details},
        "incident": {"id": incident.id, "type": "incident_reference"},
        "suppressed": False,
        "severity": alert.severity,
        "integration": _identity(f"{integration}_reference", "PINTEVT", "Events API v2", "integrations/PINTEVT"),
    }


def write_note(note: Note) -> Json:
    """A note."""
    return {
        "id": note.id,
        "user": refer(note.user),
        "channel": {"summary": "The PagerDuty website or APIs"},
        "content": note.text,
        "created_at": moment(note.created),
        "updated_at": moment(note.created),
    }


def write_entry(entry: LogEntry, incident: Incident) -> Json:
    """A log entry."""
    place = f"incidents/{incident.id}/log_entries/{entry.id}"
    return _identity(f"{entry.kind}_log_entry", entry.id, entry.summary, place) | {
        "created_at": moment(entry.created),
        "agent": refer(entry.agent),
        "channel": entry.channel,
        "service": refer(incident.service),
        "incident": {"id": incident.id, "type": "incident_reference", "summary": incident.title},
        "teams": [],
        "contexts": [],
    }


def write_error(message: str, code: int, errors: list[str] | None = None) -> Json:
    """An error as PagerDuty writes it."""
    return {"error": {"message": message, "code": code} | ({"errors": errors} if errors else {})}


def refer(thing: Thing) -> Json:
    """A reference."""
    plural = _PLURALS[thing.kind]
    return _identity(f"{thing.kind}_reference", thing.id, thing.name, f"{plural}/{thing.id}")


def write_named(thing: Thing) -> Json:
    """A service or a user, cut to its names."""
    email = {"email": thing.email} if thing.email else {}
    return _identity(thing.kind, thing.id, thing.name, f"{_PLURALS[thing.kind]}/{thing.id}") | {
        "name": thing.name,
        **email,
    }


def moment(seconds: float) -> str:
    """`2026-11-23T14:05:12Z`: PagerDuty's times have whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def place(path: str) -> tuple[str, str]:
    """The addresses of a thing: in the API, and for people."""
    return f"{_API}/{path}", f"{_WEB}/{path}"


def _priority(priority: Thing) -> Json:
    shown = _identity("priority", priority.id, priority.name, f"priorities/{priority.id}")
    return shown | {"name": priority.name, "description": ""}


def _identity(kind: str, identity: str, summary: str, place: str) -> Json:
    return {
        "id": identity,
        "type": kind,
        "summary": summary,
        "self": f"{_API}/{place}",
        "html_url": f"{_WEB}/{place}",
    }


def _entry_reference(entry: LogEntry) -> Json:
    return _identity(f"{entry.kind}_log_entry_reference", entry.id, entry.summary, f"log_entries/{entry.id}")
