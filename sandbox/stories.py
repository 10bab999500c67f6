"""The incidents that the demo tells: what breaks the fleet, how it shows, and what puts it right.

Each is a deployment by somebody of a setting in api-server's env file. Nothing of this reaches the bot or the model:
they have metrics, logs, alerts and the record of deployments, as in life.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

BASELINE = {"DB_POOL_SIZE": "20", "DB_QUERY_MS": "60", "APP_VERSION": "2.14.0"}
"""What `config/api-server.env` says, by what the stories change."""
FIRES = 'and on (service) ALERTS{{alertname="{alert}",alertstate="firing"}}'
P99 = 'service:http_p99_milliseconds:max{service="api-server"}'
SLOW = (
    'and on (service) rate(db_query_duration_milliseconds_sum{service="api-server"}[1m])'
    ' / rate(db_query_duration_milliseconds_count{service="api-server"}[1m]) > 220'
)
"""Its queries take long: asked before that is in the figures, nobody could say why requests do."""
FIVES = '{service="api-server",status=~"5.."}'
BROKEN = f"sum by (service) (rate(http_requests_total{FIVES}[15s])) > 1"
"""Requests fail, more than one a second."""
NOTHING_WRONG = re.compile(r"nothing is wrong", re.IGNORECASE)


@dataclass(frozen=True)
class Story:
    """One incident.

    Attributes:
        name: what `--story` takes.
        settings: what is deployed.
        author: who deploys it.
        reason: what they write into the record of deployments.
        symptom: PromQL with an answer as soon as people notice.
        shows: how the figure of that answer reads, with `{figure}`.
        asked: what Ada writes when she mentions the bot.
        alert: the alert that fires, by its name; empty where none does.
        paged: what monitoring says where it pages.
        cause: what an answer must say.
    """

    name: str
    settings: Mapping[str, str]
    author: str
    reason: str
    symptom: str
    shows: str
    asked: str
    alert: str
    paged: str
    cause: re.Pattern[str] = field(repr=False)

    @property
    def heals(self) -> bool:
        """Whether there is something to put right."""
        return bool(self.alert)

    @property
    def remedy(self) -> dict[str, str]:
        """What the changed settings were before."""
        return {key: BASELINE[key] for key in self.settings}

    @property
    def change(self) -> str:
        """The setting as it is written into the env file."""
        return ", ".join(f"{key}={value}" for key, value in self.settings.items())


def _changed(key: str, before: str, after: str) -> re.Pattern[str]:
    """The setting, and that it went from one value to the other, whatever a model writes in between."""
    return re.compile(
        rf"{key}\W+(?:\w+\W+){{0,6}}?{re.escape(before)}\W+(?:\w+\W+){{0,3}}?{re.escape(after)}\b", re.ASCII
    )


POOL = Story(
    name="pool",
    settings={"DB_POOL_SIZE": "1"},
    author="linus",
    reason="fewer idle connections to postgres",
    symptom=BROKEN,
    shows="api-server now fails {figure:.1f} requests per second.",
    asked="500 errors spiking on api-server",
    alert="HighErrorRate",
    paged="api-server: 5xx above 5 %",
    cause=_changed("DB_POOL_SIZE", "20", "1"),
)
LATENCY = Story(
    name="latency",
    settings={"DB_QUERY_MS": "210"},
    author="grace",
    reason="orders: sorted by date, without the index",
    symptom=f"{P99} > 1000 {SLOW} {FIRES.format(alert='HighLatency')}",
    shows="one of 100 requests to api-server now takes longer than {figure:.0f} ms.",
    asked="everything is slow, checkout times out",
    alert="HighLatency",
    paged="api-server: P99 above 1000 ms",
    cause=_changed("DB_QUERY_MS", "60", "210"),
)
RELEASE = Story(
    name="release",
    settings={"APP_VERSION": "2.15.0"},
    author="linus",
    reason="release 2.15.0: discounts in the cart",
    symptom=f'service:http_errors:ratio_rate1m{{service="api-server"}} > 0.02 {FIRES.format(alert="HighErrorRate")}',
    shows="{figure:.1%} of the requests to api-server now fail.",
    asked="customers see errors since a few minutes, what is wrong?",
    alert="HighErrorRate",
    paged="api-server: 5xx above 5 %",
    cause=_changed("APP_VERSION", "2.14.0", "2.15.0"),
)
FALSE_ALARM = Story(
    name="false-alarm",
    settings={"APP_VERSION": "2.14.1"},
    author="grace",
    reason="release 2.14.1: prices with three decimals",
    # Nor is anything slow, as it may be for half a minute where this machine had too much to do.
    symptom=f"(sum by (service) (rate(http_requests_total{FIVES}[1m])) > 0)"
    " and on (service) (service:http_p99_milliseconds:max < 400)",
    shows="api-server's log shows errors: {figure:.1f} requests per second fail.",
    asked="500 errors spiking on api-server",
    alert="",
    paged="api-server: ERROR lines in the log",
    cause=NOTHING_WRONG,
)
STORIES = {story.name: story for story in (POOL, LATENCY, RELEASE, FALSE_ALARM)}
