"""PagerDuty: incidents with their logs, what was delivered to the bot, and what a person does about an incident."""

import re

from aiohttp import web

from sandbox.page.chat import read_order
from sandbox.page.upstream import Json, Upstream

MOST_INCIDENTS = 50
MOST_DELIVERIES = 30
ID = r"{id:[A-Z0-9]{4,30}}"
ACTIONS = "acknowledge|unacknowledge|resolve|reopen|escalate|note"


class PagerDuty:
    """The handlers below /api/pagerduty."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        """Where they are."""
        return [
            web.get("/api/pagerduty", self._show),
            web.post("/api/pagerduty/incidents", self.trigger),
            web.post(rf"/api/pagerduty/incidents/{ID}/{{action:{ACTIONS}}}", self.act),
        ]

    async def look(self) -> Json:
        """Incidents, newest first, and the newest deliveries; the webhooks that are subscribed, without secrets."""
        incidents = (await self._upstream.get("pagerduty", "sandbox/incidents"))["incidents"]
        delivered = await self._upstream.get("pagerduty", "sandbox/deliveries")
        world = await self._upstream.get("pagerduty", "sandbox/world")
        return {
            "incidents": [_shown(incident) for incident in reversed(incidents[-MOST_INCIDENTS:])],
            "total": len(incidents),
            "deliveries": list(reversed(delivered["deliveries"][-MOST_DELIVERIES:])),
            "pending": delivered["pending"],
            "webhooks": (await self._upstream.get("pagerduty", "sandbox/webhooks"))["webhooks"],
            "services": list(world["services"]),
            "users": world["users"],
        }

    async def trigger(self, request: web.Request) -> web.Response:
        """Let a monitoring tool report a problem; PagerDuty then sends its signed webhook by itself."""
        order = await read_order(request)
        known = {name: order[name] for name in ("title", "service", "urgency") if order.get(name)}
        return web.json_response(await self._upstream.post("pagerduty", "sandbox/incidents", known))

    async def act(self, request: web.Request) -> web.Response:
        """Let a person acknowledge, resolve, escalate, reopen or annotate an incident."""
        order = await read_order(request)
        body = {name: order[name] for name in ("user", "text") if order.get(name)}
        path = f"sandbox/incidents/{request.match_info['id']}/{request.match_info['action']}"
        return web.json_response(await self._upstream.post("pagerduty", path, body))

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(await self.look())


def _shown(incident: Json) -> Json:
    return {
        "id": incident["id"],
        "number": incident["incident_number"],
        "title": incident["title"],
        "status": incident["status"],
        "urgency": incident["urgency"],
        "service": incident["service"]["summary"],
        "created": incident["created_at"],
        "resolved": incident["resolved_at"],
        "priority": (incident["priority"] or {}).get("summary"),
        "assigned": [each["assignee"]["summary"] for each in incident["assignments"]],
        "alerts": [{"title": each["summary"], "severity": each["severity"]} for each in incident["alerts"]],
        "notes": [
            {"by": note["user"]["summary"], "text": note["content"], "at": note["created_at"]}
            for note in incident["notes"]
        ],
        "log": [
            {
                "at": entry["created_at"],
                "kind": re.sub("_log_entry$", "", entry["type"]),
                "by": entry["agent"]["summary"],
                "text": entry["summary"],
            }
            for entry in incident["log"]
        ],
    }
