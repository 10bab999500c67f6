"""PagerDuty's V3 webhooks (PagerDuty: "Webhooks V3 overview"): who sent it, and what it says of an incident.

A verified body never fails: three 4xx in a row make PagerDuty disable the subscription, and it repeats a 5xx for two
days while everything later about that incident waits. What we do not understand is recorded as it came, with no change.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from sre_bot.incidents.paging import Change, Delivery, IncidentStatus, Snapshot, Urgency
from sre_bot.settings import WebhookSettings
from sre_bot.webhooks.reading import (
    TITLE_LIMIT,
    Unreadable,
    identifier,
    is_news,
    link,
    listed,
    mapping,
    moment,
    read_object,
    storable,
    text,
)
from sre_bot.webhooks.refusals import TurnedAway
from sre_bot.webhooks.signatures import HEADER, is_signed, signatures_in
from sre_bot.webhooks.source import Headers

NAME = "pagerduty"
UNREADABLE = "unreadable"
PING = "pagey.ping"
INCIDENT_EVENTS = frozenset(
    f"incident.{name}"
    for name in (
        *("triggered", "acknowledged", "unacknowledged", "escalated", "reassigned", "delegated", "resolved"),
        *("reopened", "annotated", "priority_updated", "responder.added", "responder.replied"),
        "status_update_published",
    )
)
KINDS = INCIDENT_EVENTS | {PING, UNREADABLE}

MOST_ASSIGNEES = 20


class PagerDutySource:
    """PagerDuty, as a source of deliveries."""

    name = NAME
    body_limit = 1 << 20  # PagerDuty itself drops what is over 256 KB
    advice = (
        "A secret that was rotated in PagerDuty looks the same: compare PAGERDUTY_WEBHOOK_SECRET with the "
        "subscription's. After three of these PagerDuty disables the subscription."
    )

    def __init__(self, settings: WebhookSettings) -> None:
        self._secrets = [secret.get_secret_value() for secret in settings.pagerduty_secrets]

    def admit(self, headers: Headers) -> None:
        """Refuse where there is no secret (our own fault: repeat it), and what carries no signature."""
        if not self._secrets:
            sentence = "PAGERDUTY_WEBHOOK_SECRET is not set, so nothing can be verified and nothing is accepted."
            raise TurnedAway(503, "unconfigured", sentence, retry_after=60)
        if not signatures_in(headers.getall(HEADER, [])):
            raise TurnedAway(401, "refused", f"There is no {HEADER} with a v1 signature.")

    def verify(self, headers: Headers, body: bytes) -> None:
        """Refuse what none of the secrets signed."""
        if not is_signed(body, signatures_in(headers.getall(HEADER, [])), self._secrets):
            raise TurnedAway(401, "refused", "No signature is of a secret that is known here.")

    def read(self, body: bytes, now: datetime) -> Delivery:
        """One event; what is none is kept under a hash of the body, which is the same when it is repeated."""
        record = storable(body.decode(errors="replace"))
        try:
            event = mapping(read_object(body).get("event"))
        except Unreadable:
            event = {}
        if not (identity := identifier(event.get("id"))):
            return Delivery(f"pd:sha256:{sha256(body).hexdigest()}", NAME, UNREADABLE, (), record)
        kind = text(event.get("event_type")) or UNREADABLE
        change = _change(event, kind, now)
        return Delivery(f"pd:{identity}", NAME, kind, (change,) if change else (), record)


def _change(event: Mapping[str, Any], kind: str, now: datetime) -> Change | None:
    occurred = moment(event.get("occurred_at"))
    if kind not in INCIDENT_EVENTS or occurred is None or not is_news(occurred, now):
        return None
    data = mapping(event.get("data"))
    name = kind.removeprefix("incident.")
    if data.get("type") == "incident":
        identity, snapshot = identifier(data.get("id")), _snapshot(data)
        return Change(f"pd:{identity}", name, occurred, snapshot) if identity and snapshot else None
    # Notes, responders and status updates have ids of their own, and refer to their incident.
    incident = mapping(data.get("incident"))
    identity, title = identifier(incident.get("id")), text(incident.get("summary"), TITLE_LIMIT)
    return Change(f"pd:{identity}", name, occurred, title=title) if identity else None


def _snapshot(data: Mapping[str, Any]) -> Snapshot | None:
    """The incident; None where its status is none that we know, since everything hangs on that."""
    if data.get("status") not in list(IncidentStatus):
        return None
    return Snapshot(
        title=text(data.get("title"), TITLE_LIMIT) or text(data.get("summary"), TITLE_LIMIT) or "(no title)",
        status=IncidentStatus(data["status"]),
        # An incident of no known urgency pages somebody rather than nobody.
        urgency=Urgency.LOW if data.get("urgency") == Urgency.LOW else Urgency.HIGH,
        service=text(mapping(data.get("service")).get("summary")),
        priority=text(mapping(data.get("priority")).get("summary")),
        url=link(data.get("html_url")),
        # The monitoring tool's own key: what it sends again after a resolution is the same trouble coming back.
        group_key=text(data.get("incident_key")),
        assignees=_names(data.get("assignees")),
    )


def _names(references: object) -> tuple[str, ...]:
    names = (text(mapping(each).get("summary")) for each in listed(references)[:MOST_ASSIGNEES])
    return tuple(filter(None, names))
