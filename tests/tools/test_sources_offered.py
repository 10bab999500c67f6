"""Which settings bring logs and deployments, and that every group of them reaches the tool process."""

import pytest

from sre_bot.settings import load_tool_settings
from sre_bot.tools.offer import describe_tools, open_tools

BOTH = {"get_logs", "get_recent_deployments"}
EVERYTHING = {
    "FLEET_URL": "http://fleet:8000",
    "ALERTMANAGER_URL": "http://alerts:9093",
    "ALERTMANAGER_BEARER_TOKEN": "t0ken",
    "LOKI_URL": "http://loki:3100",
    "LOKI_TENANT": "a|b",
    "LOKI_USERNAME": "ada",
    "LOKI_PASSWORD": "hunter2",
    "LOKI_SERVICE_LABEL": "app",
    "LOKI_LEVEL_LABEL": "level",
    "DEPLOYMENTS_URL": "http://ci/deployments.json?team=sre",
}


@pytest.mark.parametrize(
    ("environ", "offered"),
    [
        ({}, set()),
        ({"FLEET_URL": "http://fleet:8000"}, BOTH),
        ({"LOKI_URL": "http://loki:3100"}, {"get_logs"}),
        ({"DEPLOYMENTS_URL": "http://ci/deployments.json"}, {"get_recent_deployments"}),
        (EVERYTHING, BOTH),
    ],
)
async def test_each_source_brings_its_tool(environ: dict[str, str], offered: set[str]) -> None:
    settings = load_tool_settings(environ)
    assert {spec.name for spec in describe_tools(settings)} & BOTH == offered
    async with open_tools(settings, changes=False) as (tools, _):
        assert {tool.spec.name for tool in tools} == {spec.name for spec in describe_tools(settings)}


def test_the_tool_process_reads_the_same_from_the_environment_it_is_given() -> None:
    settings = load_tool_settings(EVERYTHING)
    assert load_tool_settings(settings.environment()) == settings
    assert "hunter2" not in repr(settings)
