"""REST API v2: what each route reads, refuses and answers. A refusal is raised as `Refusal`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from multidict import MultiMapping

from sandbox.pagerduty.account import SERVICES, USERS, Account, Incident, NotAllowed, Thing
from sandbox.pagerduty.wire import Json, write_alert, write_entry, write_error, write_incident, write_named, write_note

MOST = 100  # items in one answer
FURTHEST = 10_000  # offset + limit
SIX_MONTHS = 184 * 86_400.0
MONTH = 31 * 86_400.0
LONGEST_SNOOZE = 604_800  # seconds (PagerDuty: "Snooze an incident")
TITLE_LIMIT = 255  # PagerDuty names no limit; a careful client keeps to this

STATUSES = ("triggered", "acknowledged", "resolved")
URGENCIES = ("high", "low")
SORTS = ("incident_number", "created_at", "resolved_at", "urgency")

Query = MultiMapping[str]
Answer = tuple[int, Json]


class Refusal(Exception):
    """An answer that is an error; `careless` where a careful client never gets it."""

    def __init__(self, status: int, code: int, message: str, *errors: str, careless: bool = True) -> None:
        super().__init__(": ".join((message, *errors)))
        self.status = status
        self.body = write_error(message, code, list(errors))
        self.careless = careless


class Rest:
    """The routes, on one account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list_incidents(self, query: Query) -> Answer:
        """GET /incidents."""
        _know(
            query,
            *("limit", "offset", "total", "date_range", "incident_key", "service_ids[]", "urgencies[]", "statuses[]"),
            *("sort_by", "since", "until", "include[]"),
        )
        statuses = _choices(query, "statuses[]", STATUSES)
        urgencies = _choices(query, "urgencies[]", URGENCIES)
        services = query.getall("service_ids[]", [])
        key = query.get("incident_key")
        since, until = _range(query)
        found = [
            incident
            for incident in self._account.incidents.values()
            if (not statuses or incident.status in statuses)
            and (not urgencies or incident.urgency in urgencies)
            and (not services or incident.service.id in services)
            and (not key or incident.key == key)  # an empty key is no filter
            and since <= incident.created <= until
        ]
        return 200, _page(query, "incidents", _sorted(found, query.get("sort_by", "created_at:asc")), write_incident)

    def create_incident(self, body: object, by: Thing) -> Answer:
        """POST /incidents."""
        wanted = _object(body, "incident")
        known = ("type", "title", "service", "urgency", "body", "incident_key", "priority", "escalation_policy")
        _fields(wanted, known, required=("type", "title", "service"))
        _one_of(wanted, "type", ("incident",))
        _one_of(wanted, "urgency", URGENCIES)
        title = wanted["title"]
        if not isinstance(title, str) or not title.strip() or len(title) > TITLE_LIMIT:
            raise Refusal(400, 2001, "Invalid Input Provided", "Title must be a text of 1 to 255 characters")
        reference = _object(wanted, "service")
        _fields(reference, ("id", "type"), required=("id", "type"))
        _one_of(reference, "type", ("service_reference",))
        service = SERVICES.get(reference["id"])
        if service is None:
            raise Refusal(404, 2100, "Not Found", "Service not found", careless=False)
        details = self._details(wanted)
        key = wanted.get("incident_key", "")
        if not isinstance(key, str) or len(key) > 255:
            raise Refusal(400, 2001, "Invalid Input Provided", "Incident key must be a text of at most 255 characters")
        try:
            incident = self._account.open(title, service, wanted.get("urgency", "high"), key, by, details=details)
        except NotAllowed as error:
            raise Refusal(400, 2002, "Arguments Caused Error", str(error), careless=False) from error
        return 201, {"incident": write_incident(incident)}

    def get_incident(self, identity: str, query: Query) -> Answer:
        """GET /incidents/{id}."""
        _know(query, "include[]")
        included = _choices(query, "include[]", ("first_trigger_log_entries", "acknowledgers", "assignees", "services"))
        incident = self._find(identity)
        return 200, {"incident": write_incident(incident, with_trigger="first_trigger_log_entries" in included)}

    def update_incident(self, identity: str, body: object, by: Thing) -> Answer:
        """PUT /incidents/{id}: status only."""
        incident = self._find(identity)
        wanted = _object(body, "incident")
        _fields(wanted, ("type", "status", "resolution"), required=("type",))
        _one_of(wanted, "type", ("incident", "incident_reference"))
        _one_of(wanted, "status", STATUSES)
        if "status" in wanted:
            try:
                self._account.set_status(incident, wanted["status"], by)
            except NotAllowed as error:
                raise Refusal(400, 2001, "Invalid Input Provided", str(error), careless=False) from error
        return 200, {"incident": write_incident(incident)}

    def list_alerts(self, identity: str, query: Query) -> Answer:
        """GET /incidents/{id}/alerts."""
        _know(query, "limit", "offset", "total", "alert_key", "statuses[]", "sort_by", "include[]")
        order = [f"{name}{way}" for name in ("created_at", "resolved_at") for way in ("", ":asc", ":desc")]
        sort = query.get("sort_by", "created_at")
        if sort not in order:
            raise Refusal(400, 2001, "Invalid Input Provided", f"sort_by {sort} is not one of {', '.join(order)}")
        statuses = _choices(query, "statuses[]", ("triggered", "resolved"))
        incident = self._find(identity)
        alerts = [alert for alert in incident.alerts if not statuses or alert.status in statuses]
        alerts.sort(key=lambda alert: alert.created, reverse=sort.endswith(":desc"))
        return 200, _page(query, "alerts", alerts, lambda alert: write_alert(alert, incident))

    def list_log(self, identity: str, query: Query) -> Answer:
        """GET /incidents/{id}/log_entries, newest first."""
        _know(query, "limit", "offset", "total", "time_zone", "since", "until", "is_overview", "include[]")
        incident = self._find(identity)
        return 200, _page(query, "log_entries", incident.log[::-1], lambda entry: write_entry(entry, incident))

    def list_notes(self, identity: str, query: Query) -> Answer:
        """GET /incidents/{id}/notes: not paged."""
        _know(query)
        return 200, {"notes": [write_note(note) for note in self._find(identity).notes]}

    def add_note(self, identity: str, body: object, by: Thing) -> Answer:
        """POST /incidents/{id}/notes."""
        incident = self._find(identity)
        wanted = _object(body, "note")
        _fields(wanted, ("content",), required=("content",))
        if not isinstance(wanted["content"], str) or not wanted["content"].strip():
            raise Refusal(400, 2001, "Invalid Input Provided", "Content cannot be empty")
        return 200, {"note": write_note(self._account.add_note(incident, wanted["content"], by))}

    def snooze(self, identity: str, body: object, by: Thing) -> Answer:
        """POST /incidents/{id}/snooze: of an open incident, for a second to a week."""
        incident = self._find(identity)
        wanted = body if isinstance(body, dict) else {}
        _fields(wanted, ("duration",), required=("duration",))
        seconds = wanted["duration"]
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= LONGEST_SNOOZE:
            raise Refusal(400, 2001, "Invalid Input Provided", "Duration must be an integer of 1 to 604800 seconds")
        try:
            self._account.snooze(incident, seconds, by)
        except NotAllowed as error:
            raise Refusal(400, 2001, "Invalid Input Provided", str(error), careless=False) from error
        return 201, {"incident": write_incident(incident)}

    def _find(self, identity: str) -> Incident:
        if identity not in self._account.incidents:
            # By number, too: PagerDuty documents the id only.
            raise Refusal(404, 2100, "Not Found", careless=identity.isdecimal())
        return self._account.incidents[identity]

    def get_service(self, identity: str, query: Query) -> Answer:
        """GET /services/{id}."""
        _know(query)
        if identity not in SERVICES:
            raise Refusal(404, 2100, "Not Found", careless=False)
        return 200, {"service": write_named(SERVICES[identity])}

    def list_users(self, query: Query) -> Answer:
        """GET /users: those whose name or address contains the query."""
        _know(query, "query", "limit", "offset", "total")
        words = query.get("query", "").lower()
        found = [user for user in USERS.values() if words in user.name.lower() or words in user.email.lower()]
        return 200, _page(query, "users", found, write_named)

    def _details(self, wanted: Mapping[str, Any]) -> str:
        if "body" not in wanted:
            return ""
        body = _object(wanted, "body")
        _fields(body, ("type", "details"), required=("type", "details"))
        _one_of(body, "type", ("incident_body",))
        details = body["details"]
        if not isinstance(details, str):
            raise Refusal(400, 2001, "Invalid Input Provided", "Body details must be a text")
        return details


def _know(query: Query, *names: str) -> None:
    if unknown := set(query) - set(names):
        raise Refusal(400, 2001, "Invalid Input Provided", f"unknown query parameter {', '.join(sorted(unknown))}")


def _choices(query: Query, name: str, known: Iterable[str]) -> list[str]:
    values = query.getall(name, [])
    if set(values) - set(known) or len(values) != len(set(values)):
        raise Refusal(400, 2001, "Invalid Input Provided", f"{name} {values} is not of {', '.join(known)}, each once")
    return values


def _range(query: Query) -> tuple[float, float]:
    """List incidents: `date_range=all`, or since and until at most six months apart, by default the last month."""
    if "date_range" in query:
        if query["date_range"] != "all" or "since" in query or "until" in query:
            raise Refusal(400, 2001, "Invalid Input Provided", "date_range is all, without since and until")
        return 0.0, float("inf")
    try:
        until = datetime.fromisoformat(query["until"]).timestamp() + 1 if "until" in query else time.time() + 1
        since = datetime.fromisoformat(query["since"]).timestamp() if "since" in query else until - MONTH
    except ValueError as error:
        raise Refusal(400, 2001, "Invalid Input Provided", f"since or until is no ISO 8601 time: {error}") from error
    if not 0 <= until - since <= SIX_MONTHS:
        raise Refusal(400, 2001, "Invalid Input Provided", "since and until are at most six months apart")
    return since, until


def _sorted(incidents: list[Incident], order: str) -> list[Incident]:
    name, _, way = order.partition(":")
    if name not in SORTS or way not in ("", "asc", "desc"):
        raise Refusal(400, 2001, "Invalid Input Provided", f"sort_by {order} is not one of {', '.join(SORTS)}")
    keys: dict[str, Callable[[Incident], Any]] = {
        "incident_number": lambda incident: incident.number,
        "created_at": lambda incident: (incident.created, incident.number),
        "resolved_at": lambda incident: incident.resolved or 0.0,
        "urgency": lambda incident: incident.urgency,
    }
    return sorted(incidents, key=keys[name], reverse=way == "desc")


def _page(query: Query, name: str, items: Sequence[Any], write: Callable[[Any], Json]) -> Json:
    """Classic pagination: `total` is null unless it was asked for."""
    try:
        limit, offset = int(query.get("limit", 25)), int(query.get("offset", 0))
    except ValueError as error:
        raise Refusal(400, 2001, "Invalid Input Provided", "limit and offset are integers") from error
    if not (1 <= limit <= MOST and offset >= 0 and offset + limit <= FURTHEST):
        raise Refusal(400, 2001, "Invalid Input Provided", "limit is 1 to 100, offset + limit at most 10000")
    if query.get("total", "false") not in ("true", "false"):
        raise Refusal(400, 2001, "Invalid Input Provided", "total is true or false")
    shown = items[offset : offset + limit]
    return {
        name: [write(item) for item in shown],
        "limit": limit,
        "offset": offset,
        "more": offset + len(shown) < len(items),
        "total": len(items) if query.get("total") == "true" else None,
    }


def _object(outer: object, name: str) -> dict[str, Any]:
    inner = outer.get(name) if isinstance(outer, dict) else None
    if not isinstance(inner, dict):
        raise Refusal(400, 2001, "Invalid Input Provided", f"{name} must be an object")
    return inner


def _fields(given: Mapping[str, Any], known: Sequence[str], required: Sequence[str]) -> None:
    problems = [f"{name} cannot be empty" for name in required if name not in given]
    problems += [f"{name} is not a field" for name in given if name not in known]
    if problems:
        raise Refusal(400, 2001, "Invalid Input Provided", *problems)


def _one_of(given: Mapping[str, Any], name: str, known: Sequence[str]) -> None:
    if name in given and given[name] not in known:
        raise Refusal(400, 2001, "Invalid Input Provided", f"{name} must be one of {', '.join(known)}")
