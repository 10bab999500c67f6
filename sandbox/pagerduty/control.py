"""The control API, `/sandbox/…`: what a test, a demo or a person does to the account and reads from it.

Documented in the package's docstring. It needs no token: the process listens on loopback only.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.pagerduty.account import (
    ADA,
    API_KEY,
    BOT,
    PRIORITIES,
    READ_ONLY_KEY,
    SERVICES,
    USERS,
    Incident,
    NotAllowed,
    Thing,
)
from sandbox.pagerduty.faults import Fault
from sandbox.pagerduty.wire import Json, write_alert, write_entry, write_incident, write_note

if TYPE_CHECKING:
    from sandbox.pagerduty.app import StandIn


class BadOrder(Exception):
    """An order that cannot be carried out; says what can."""


class Control:
    """The handlers; each takes JSON and answers JSON."""

    def __init__(self, stand_in: StandIn) -> None:
        self.it = stand_in

    def routes(self) -> list[web.RouteDef]:
        """Everything under /sandbox."""
        reads: dict[str, Callable[[], Json]] = {
            "world": self.world,
            "incidents": lambda: {"incidents": [_whole(each) for each in self.it.account.incidents.values()]},
            "violations": lambda: {"violations": self.it.violations},
            "calls": lambda: {"calls": list(self.it.calls)},
        }
        orders: dict[str, Callable[[Json, web.Request], Json]] = {
            "incidents": self.report,
            "incidents/{id}/{action}": self.act,
            "faults": self.fault,
            "limits": self.limit,
        }
        return [
            *(web.get(f"/sandbox/{path}", reading(read)) for path, read in reads.items()),
            *(web.post(f"/sandbox/{path}", ordering(order)) for path, order in orders.items()),
        ]

    def world(self) -> Json:
        """Keys, services and users."""
        return {
            "api_key": API_KEY,
            "read_only_key": READ_ONLY_KEY,
            "service_id": next(iter(SERVICES)),
            "from_email": BOT.email,
            "services": {service.name: service.id for service in SERVICES.values()},
            "users": {user.name: user.email for user in USERS.values()},
        }

    def report(self, order: Json, _: web.Request) -> Json:
        """A monitoring tool reports a problem."""
        known = ("title", "service", "severity", "urgency", "key", "details", "links", "age")
        if unknown := set(order) - set(known):
            raise BadOrder(f"unknown field {', '.join(sorted(unknown))}; known: {', '.join(known)}")
        if not order.get("title"):
            raise BadOrder("title is missing")
        incident = self.it.account.report(
            order["title"],
            _service(order.get("service")),
            order.get("urgency", "high"),
            order.get("key", ""),
            order.get("severity", "critical"),
            order.get("details", {}),
            order.get("links", []),
            float(order.get("age", 0)),
        )
        return {"id": incident.id, "number": incident.number}

    def act(self, order: Json, request: web.Request) -> Json:
        """A person does something about an incident."""
        incident = self.it.account.incidents.get(request.match_info["id"])
        if incident is None:
            raise BadOrder("there is no such incident")
        by = USERS.get(order.get("user", ADA.email))
        if by is None:
            raise BadOrder(f"unknown user; known: {', '.join(USERS)}")
        account, action = self.it.account, request.match_info["action"]
        actions: dict[str, Callable[[], object]] = {
            "acknowledge": lambda: account.set_status(incident, "acknowledged", by),
            "unacknowledge": lambda: account.set_status(incident, "triggered", by),
            "resolve": lambda: account.set_status(incident, "resolved", by),
            "reopen": lambda: account.reopen(incident, by),
            "escalate": lambda: account.escalate(incident, by),
            "reassign": lambda: account.reassign(incident, USERS[order["to"]], by),
            "priority": lambda: account.prioritize(incident, PRIORITIES[order["to"]] if order["to"] else None, by),
            "note": lambda: account.add_note(incident, str(order["text"]), by),
        }
        if action not in actions:
            raise BadOrder(f"unknown action {action!r}; known: {', '.join(actions)}")
        actions[action]()
        return {"status": incident.status}

    def fault(self, order: Json, _: web.Request) -> Json:
        """Order a fault; `{"clear": true}` forgets all."""
        if order.get("clear"):
            self.it.faults.clear()
        else:
            self.it.faults.order(Fault(**order | {"errors": tuple(order.get("errors", ()))}))
        return {}

    def limit(self, order: Json, _: web.Request) -> Json:
        """Set the requests a minute."""
        self.it.per_minute = int(order["per_minute"])
        return {"per_minute": self.it.per_minute}


def _service(name: str | None) -> Thing:
    for service in SERVICES.values():
        if name in (None, service.id, service.name):
            return service
    raise BadOrder(f"unknown service {name!r}; known: {', '.join(service.name for service in SERVICES.values())}")


def _whole(incident: Incident) -> Json:
    return write_incident(incident) | {
        "alerts": [write_alert(alert, incident) for alert in incident.alerts],
        "notes": [write_note(note) for note in incident.notes],
        "log": [write_entry(entry, incident) for entry in incident.log],
    }


def reading(read: Callable[[], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers with what there is to read."""

    async def handle(_: web.Request) -> web.Response:
        return web.json_response(read())

    return handle


def ordering(order: Callable[[Json, web.Request], Json]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that carries an order out, or says in a 400 why it cannot be."""

    async def handle(request: web.Request) -> web.Response:
        try:
            body: Any = json.loads(await request.text() or "{}")
            return web.json_response(order(body, request))
        except (BadOrder, NotAllowed, KeyError, ValueError, TypeError) as bad:
            return web.json_response({"error": str(bad)}, status=400)

    return handle
