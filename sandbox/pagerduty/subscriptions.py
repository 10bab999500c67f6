"""The control API of webhooks, `/sandbox/webhooks` and `/sandbox/deliveries`; documented in the package's docstring."""

from __future__ import annotations

import secrets

from aiohttp import web

from sandbox.pagerduty.control import BadOrder, ordering, reading
from sandbox.pagerduty.webhooks import Subscription, Webhooks
from sandbox.pagerduty.wire import Json

_FIELDS = ("url", "secret", "secrets", "timeout", "schedule", "give_up", "duplicates", "shuffle", "seed")
_NUMBERS = {"timeout": float, "give_up": float, "duplicates": int, "shuffle": int, "seed": int}


class WebhookControl:
    """The handlers; each takes JSON and answers JSON."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Everything about webhooks under /sandbox."""
        return [
            web.get("/sandbox/webhooks", reading(self.subscriptions)),
            web.get("/sandbox/deliveries", reading(self.deliveries)),
            web.get("/sandbox/events", reading(lambda: {"events": list(self._webhooks.events)})),
            web.post("/sandbox/webhooks", ordering(self.subscribe)),
            web.post("/sandbox/webhooks/{id}/{action}", ordering(self.act)),
        ]

    def subscriptions(self) -> Json:
        """Every subscription, without its secrets."""
        shown = ("id", "url", "enabled", "drops", "duplicates", "shuffle")
        return {
            "webhooks": [
                {name: getattr(each, name) for name in shown} for each in self._webhooks.subscriptions.values()
            ]
        }

    def deliveries(self) -> Json:
        """Every attempt, and how many events are still to be sent."""
        return {"deliveries": list(self._webhooks.attempts), "pending": self._webhooks.pending}

    def subscribe(self, order: Json, _: web.Request) -> Json:
        """Make a subscription; without a secret it gets one, which the answer tells, as PagerDuty does."""
        if not str(order.get("url", "")).startswith(("http://127.0.0.1:", "http://localhost:", "http://[::1]:")):
            raise BadOrder("url must be an http:// address on loopback, with its port")
        changes = _changes(order)
        made = changes.setdefault("secrets", (secrets.token_hex(16),))
        subscription = Subscription(f"PSUB{len(self._webhooks.subscriptions) + 1}", **changes)
        self._webhooks.subscriptions[subscription.id] = subscription
        return {"id": subscription.id, "secrets": list(made)}

    def act(self, order: Json, request: web.Request) -> Json:
        """Change a subscription, ping or enable it, or release what it holds back."""
        subscription = self._webhooks.subscriptions.get(request.match_info["id"])
        if subscription is None:
            raise BadOrder("there is no such subscription")
        match request.match_info["action"]:
            case "change":
                for name, value in _changes(order).items():
                    setattr(subscription, name, value)
            case "ping":
                self._webhooks.ping(subscription)
            case "enable":
                subscription.enabled, subscription.drops = True, 0
            case "release":
                self._webhooks.release(subscription)
            case other:
                raise BadOrder(f"unknown action {other!r}; known: change, ping, enable, release")
        return {}


def _changes(order: Json) -> Json:
    if unknown := set(order) - set(_FIELDS):
        raise BadOrder(f"unknown field {', '.join(sorted(unknown))}; known: {', '.join(_FIELDS)}")
    changes: Json = {name: kind(order[name]) for name, kind in _NUMBERS.items() if name in order}
    if "url" in order:
        changes["url"] = str(order["url"])
    if "secret" in order or "secrets" in order:
        changes["secrets"] = tuple(map(str, order.get("secrets") or [order["secret"]]))
    if "schedule" in order:
        changes["schedule"] = tuple(map(float, order["schedule"]))
        if not changes["schedule"]:
            raise BadOrder("schedule needs at least one pause")
    return changes
