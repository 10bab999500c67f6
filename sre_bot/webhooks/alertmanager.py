"""Alertmanager's webhook receiver (Prometheus: "Alerting configuration", `<webhook_config>`; payload version 4).

It sends a group of alerts, and the whole group again with every change of one of them. It repeats a 5xx and gives up
on a 4xx, without disabling anything; so what it cannot have sent is a 400, which stands in its log and in its metrics.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sre_bot.incidents.paging import Change, Delivery, IncidentStatus, Snapshot, Urgency
from sre_bot.settings import WebhookSettings
from sre_bot.tools.masking import mask_secrets
from sre_bot.webhooks.credentials import Credentials
from sre_bot.webhooks.reading import (
    DETAILS_LIMIT,
    TITLE_LIMIT,
    Unreadable,
    identifier,
    is_news,
    link,
    mapping,
    moment,
    read_object,
    storable,
    text,
)
from sre_bot.webhooks.refusals import TurnedAway
from sre_bot.webhooks.source import Headers

NAME = "alertmanager"
VERSION = "4"
STATUSES = {"firing": IncidentStatus.TRIGGERED, "resolved": IncidentStatus.RESOLVED}
KINDS = frozenset(STATUSES)
URGENT = ("critical", "page")
"""Values of the label `severity` that wake somebody up."""

LAPSE = timedelta(minutes=4)
"""Prometheus lets an alert end when it has not been able to repeat it for four times its resend delay of a minute."""


class AlertmanagerSource:
    """Alertmanager, as a source of deliveries."""

    name = NAME
    body_limit = 4 << 20  # an alert takes about 1 KB, and its number is bounded by `max_alerts` only where that is set
    advice = (
        "Alertmanager does not repeat it: compare ALERTMANAGER_WEBHOOK_TOKEN, or ALERTMANAGER_WEBHOOK_USERNAME and "
        "ALERTMANAGER_WEBHOOK_PASSWORD, with its receiver's http_config."
    )

    def __init__(self, settings: WebhookSettings) -> None:
        self._credentials = Credentials(settings)

    def admit(self, headers: Headers) -> None:
        """Refuse where there are no credentials (our own fault: repeat it), and what carries none of them."""
        if not self._credentials:
            sentence = (
                "Neither ALERTMANAGER_WEBHOOK_TOKEN nor ALERTMANAGER_WEBHOOK_USERNAME and "
                "ALERTMANAGER_WEBHOOK_PASSWORD are set, so nothing is accepted."
            )
            raise TurnedAway(503, "unconfigured", sentence, retry_after=60)
        if not self._credentials.fit(headers.get("Authorization", "")):
            raise TurnedAway(401, "refused", "The credentials are missing or wrong.")

    def verify(self, headers: Headers, body: bytes) -> None:
        """Nothing is left to be verified: the credentials are in the headers."""

    def read(self, body: bytes, now: datetime) -> Delivery:
        """A group of alerts; one that is not understood changes nothing, and leaves the others alone."""
        try:
            group = read_object(body)
        except Unreadable as error:
            raise TurnedAway(400, "unreadable", str(error)) from error
        if group.get("version") != VERSION or not isinstance(group.get("alerts"), list):
            raise TurnedAway(400, "unreadable", f"This is no payload of Alertmanager's version {VERSION}.")
        alerts = [mapping(each) for each in group["alerts"]]
        # An alert that is sent twice in a group is one change.
        changes = {change.incident: change for each in alerts if (change := _change(each, group, now))}
        return Delivery(
            key=_key(group, alerts, now),
            source=NAME,
            kind=text(group.get("status")) or "untold",
            changes=tuple(changes.values()),
            body=storable(body.decode()),
        )


def _key(group: Mapping[str, Any], alerts: list[Mapping[str, Any]], now: datetime) -> str:
    """The same for a notification and its repetition; another one once an alert of it may have lapsed and come back.

    An alert that lapsed while Prometheus was cut off comes back with the start that it had, so that "it fires again"
    reads as the first notification did. Only the time tells them apart.
    """
    states = sorted(
        (
            _word(alert.get("fingerprint")),
            _word(alert.get("status")),
            _word(alert.get("startsAt")),
            _word(alert.get("endsAt")) if alert.get("status") == "resolved" else "",
        )
        for alert in alerts
    )
    period = int(now.timestamp() // LAPSE.total_seconds())
    named = json.dumps([_word(group.get("receiver")), _word(group.get("groupKey")), states, period])
    return f"am:{sha256(named.encode()).hexdigest()}"


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _change(alert: Mapping[str, Any], group: Mapping[str, Any], now: datetime) -> Change | None:
    fingerprint, word = identifier(alert.get("fingerprint")), _word(alert.get("status"))
    start, end = moment(alert.get("startsAt")), moment(alert.get("endsAt"))
    if not fingerprint or word not in KINDS or start is None:
        return None
    status = STATUSES[word]
    happened = start if status is IncidentStatus.TRIGGERED else end
    if happened is None or not is_news(happened, now):
        return None
    return Change(
        incident=f"am:{fingerprint}:{int(start.timestamp())}",
        kind=status.value,
        occurred_at=_applied_at(status, start, now),
        snapshot=_snapshot(alert, group, status),
    )


def _applied_at(status: IncidentStatus, start: datetime, now: datetime) -> datetime:
    """When the alert began, while that is fresh; else the arrival, since Alertmanager sends a group's news in order.

    By its start an alert that lapsed and fires again would be older than its own end.
    """
    fresh = status is IncidentStatus.TRIGGERED and now - LAPSE < start <= now
    return start if fresh else now


def _snapshot(alert: Mapping[str, Any], group: Mapping[str, Any], status: IncidentStatus) -> Snapshot:
    labels, annotations = mapping(alert.get("labels")), mapping(alert.get("annotations"))
    title = text(annotations.get("summary"), TITLE_LIMIT) or text(labels.get("alertname"), TITLE_LIMIT)
    return Snapshot(
        title=title or "(no title)",
        status=status,
        urgency=Urgency.HIGH if text(labels.get("severity")).lower() in URGENT else Urgency.LOW,
        service=text(labels.get("service")),
        url=link(alert.get("generatorURL")),
        group_key=text(group.get("groupKey")),
        details=_details(labels, annotations, group.get("truncatedAlerts")),
    )


def _details(labels: Mapping[str, Any], annotations: Mapping[str, Any], left_out: object) -> str:
    """What the alert says of itself, its annotations first; the whole is cut, as any of it may be anything."""
    lines = [f"{text(name)}: {text(value, TITLE_LIMIT)}" for name, value in annotations.items()]
    lines.append("labels: " + ", ".join(f"{text(name)}={text(value)}" for name, value in labels.items()))
    if isinstance(left_out, int) and left_out > 0:
        lines.insert(0, f"Alertmanager left out {min(left_out, 1_000_000)} more alerts of this group (max_alerts).")
    whole = mask_secrets("\n".join(lines))  # a label's name and its value are one only now
    return whole if len(whole) <= DETAILS_LIMIT else whole[: DETAILS_LIMIT - 1] + "…"
