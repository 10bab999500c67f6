"""get_alerts when the two sides disagree, or one of them is away; and the client's failures."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from sre_bot.clients.alertmanager import Alertmanager, RoutedAlert, Routing, Silence
from sre_bot.clients.prometheus import Alert, AlertRule
from sre_bot.errors import BackendError, RateLimited, Refused, SettingsError, Unreachable
from sre_bot.settings import AlertmanagerSettings, load_tool_settings
from sre_bot.tools.alerts import report_alerts
from sre_bot.tools.spec import HARD_LIMIT

NOW = 1_800_000_000.0
LABELS = {"alertname": "HighErrorRate", "service": "api-server", "severity": "critical"}
AWAY = Unreachable("UNREACHABLE: it did not answer.")
SILENCE = Silence("1", NOW + 600, "ada", "planned", 'service="api-server"')


@dataclass
class Sides:
    """Both sources; an error is raised."""

    alerts: list[Alert] = field(default_factory=list)
    routed: list[RoutedAlert] = field(default_factory=list)
    idle: list[Silence] = field(default_factory=list)
    rules_error: BackendError | None = None
    routing_error: BackendError | None = None

    async def alert_rules(self) -> list[AlertRule]:
        if self.rules_error:
            raise self.rules_error
        return [AlertRule("HighErrorRate", NOW, "", self.alerts)]

    async def routing(self) -> Routing:
        if self.routing_error:
            raise self.routing_error
        return Routing(self.routed, self.idle)


def evaluated(**labels: str) -> Alert:
    return Alert("firing", 0.5, NOW - 60, LABELS | labels, {})


def held(*silences: Silence, **labels: str) -> RoutedAlert:
    return RoutedAlert(NOW - 60, LABELS | labels, {"summary": "it fails"}, silences, ())


async def report(sides: Sides, service: str | None = None) -> list[str]:
    return (await report_alerts(sides, sides, service, NOW)).splitlines()


async def test_an_alert_that_alertmanager_does_not_know_notifies_nobody() -> None:
    (_, line) = await report(Sides([evaluated()]))
    assert line.endswith("value 0.5; NOT IN ALERTMANAGER: nobody is notified")


async def test_an_alert_that_prometheus_does_not_know_is_said_to_be_so() -> None:
    (header, line) = await report(Sides(routed=[held()]))
    assert header.startswith("1 firing, 0 pending (1 rules evaluated")
    assert "; NOT IN PROMETHEUS: ended there, or sent by somebody else; it fails" in line


async def test_labels_that_prometheus_adds_or_drops_on_the_way_do_not_make_two_alerts_of_one() -> None:
    lines = await report(Sides([evaluated(replica="a")], [held(region="eu")]))
    assert len(lines) == 2
    assert "NOT IN" not in lines[1]


async def test_alerts_that_differ_in_one_label_are_two() -> None:
    sides = Sides([evaluated(path="/a"), evaluated(path="/b")], [held(SILENCE, path="/b"), held(path="/a")])
    _, head, *lines = await report(sides)
    assert head == "api-server CRITICAL firing"
    assert len(lines) == 2
    assert sum("SILENCED" in line for line in lines) == 1


async def test_prometheus_away_leaves_what_alertmanager_holds_and_says_so() -> None:
    header, note, line = await report(Sides(routed=[held(SILENCE)], rules_error=AWAY))
    assert header == "1 firing, 1 of them silenced or inhibited, 0 pending (from Alertmanager alone)"
    assert note.startswith("PROMETHEUS NOT READ, so pending alerts and figures are missing: UNREACHABLE")
    assert "SILENCED until " in line
    assert "NOT IN" not in line


async def test_prometheus_away_and_no_alert_is_no_data() -> None:
    header, _ = await report(Sides(rules_error=AWAY))
    assert header.startswith("NO DATA: Alertmanager holds no alert, and whether the rules are evaluated is unknown")


async def test_alertmanager_away_leaves_what_prometheus_evaluates_and_says_so() -> None:
    header, note, line = await report(Sides([evaluated()], routing_error=AWAY))
    assert "with Alertmanager" not in header
    assert note.startswith("ALERTMANAGER NOT READ, so what is silenced is unknown: UNREACHABLE")
    assert "NOT IN" not in line


async def test_both_away_is_an_error() -> None:
    with pytest.raises(Unreachable):
        await report(Sides(rules_error=AWAY, routing_error=AWAY))


async def test_silenced_alerts_come_after_those_that_somebody_is_told_of() -> None:
    sides = Sides(routed=[held(SILENCE), held(service="auth-svc", severity="warning")])
    _, first, second = await report(sides)
    assert first.startswith("auth-svc WARNING")
    assert second.startswith("api-server CRITICAL")


async def test_a_storm_with_long_words_stays_bounded() -> None:
    long = "x" * 10_000
    silences = [Silence(str(n), NOW + 60, long, long, long) for n in range(1_000)]
    routed = [
        RoutedAlert(NOW, {"alertname": long + str(n), "service": long}, {"summary": long}, silences[:20], [long] * 20)
        for n in range(2_000)
    ]
    lines = await report(Sides(routed=routed, idle=silences))
    assert "30 of 2000 shown" in lines[0]
    assert lines[-1] == "and 995 more silences without an alert"
    assert sum(map(len, lines)) < HARD_LIMIT


async def test_a_storm_of_one_rule_is_joined_in_little_time() -> None:
    many = [f"/{n}" for n in range(1_500)]
    lines = await report(Sides([evaluated(path=path) for path in many], [held(path=path) for path in reversed(many)]))
    assert lines[0].startswith("1500 firing, 0 pending")


def answering(status: int, body: Any = "") -> Alertmanager:
    text = body if isinstance(body, str) else json.dumps(body)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, text=text))
    return Alertmanager(AlertmanagerSettings.model_validate({"ALERTMANAGER_URL": "http://alerts.test"}), transport)


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, '"bad matcher format"', Refused, "bad matcher format"),
        (401, "", Refused, "Check the credentials beside ALERTMANAGER_URL"),
        (404, "404 page not found", Refused, "Check that ALERTMANAGER_URL points to Alertmanager itself"),
        (429, "", RateLimited, "slow down"),
        (500, "<html>oops</html>", Refused, "oops"),
        (503, "", Refused, "no explanation"),
        (200, "", Refused, "not JSON"),
        (200, "[{", Refused, "not JSON"),
        (200, {"status": "success"}, Refused, "shape that is not its API"),
        (200, [{"labels": {}}], Refused, "shape that is not its API"),
    ],
)
async def test_what_goes_wrong_is_said_with_what_to_do(
    status: int, body: Any, error: type[BackendError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await answering(status, body).routing()


async def test_a_silence_that_ended_between_two_questions_is_no_defect() -> None:
    alert = {
        "labels": LABELS,
        "annotations": {},
        "startsAt": "2026-01-31T09:30:00.250Z",
        "fingerprint": "f",
        "status": {"state": "suppressed", "silencedBy": ["gone"], "inhibitedBy": []},
    }
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, json=[alert] if request.url.path == "/api/v2/alerts" else [])
    )
    settings = AlertmanagerSettings.model_validate({"ALERTMANAGER_URL": "http://alerts.test"})
    sides = Sides(routed=list((await Alertmanager(settings, transport).routing()).alerts))
    assert "SILENCED (by a silence that has just ended)" in (await report(sides))[1]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"ALERTMANAGER_USERNAME": "ada", "ALERTMANAGER_PASSWORD": "hunter2"}, "Basic YWRhOmh1bnRlcjI="),
        ({"ALERTMANAGER_BEARER_TOKEN": "t0ken"}, "Bearer t0ken"),
    ],
)
async def test_credentials_are_sent(settings: dict[str, str], header: str) -> None:
    sent = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["Authorization"])
        return httpx2.Response(200, json=[])

    given = AlertmanagerSettings.model_validate({"ALERTMANAGER_URL": "http://alerts.test", **settings})
    await Alertmanager(given, httpx2.MockTransport(answer)).routing()
    assert sent == [header, header]


@pytest.mark.parametrize("system", ["ALERTMANAGER", "LOKI", "DEPLOYMENTS"])
@pytest.mark.parametrize("half", [{"USERNAME": "ada"}, {"BEARER_TOKEN": "t", "USERNAME": "a", "PASSWORD": "p"}])
def test_half_or_double_authentication_is_refused(system: str, half: dict[str, str]) -> None:
    environ = {f"{system}_{key}": value for key, value in ({"URL": "http://x"} | half).items()}
    with pytest.raises(SettingsError, match=f"{system}_USERNAME"):
        load_tool_settings(environ)


@pytest.mark.parametrize("system", ["ALERTMANAGER", "LOKI", "DEPLOYMENTS"])
def test_credentials_without_an_address_are_half_a_group(system: str) -> None:
    with pytest.raises(SettingsError, match=f"{system}_URL: missing"):
        load_tool_settings({f"{system}_BEARER_TOKEN": "t"})
