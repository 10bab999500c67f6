"""Any arguments to any tool: a result or a clear error, bounded, never a defect."""

import asyncio
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.catalog import load_catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogLine
from sre_bot.settings import ROOT
from sre_bot.tools.observability import Observability
from sre_bot.tools.records import Deployments, Logs
from sre_bot.tools.runbook_files import load_runbooks
from sre_bot.tools.runbooks import Runbooks
from sre_bot.tools.spec import HARD_LIMIT, Tool, specs_of
from tests.tools.conftest import FakeDeployments, FakeLogs, FakeMetrics, one

CATALOG = load_catalog(ROOT / "config")
METRICS = FakeMetrics({"up": [one("api-server", 1)]}, names=["up"], values={"up": ["api-server"]})
LINE = LogLine(time.time() - 1, "api-server", "ERROR", "failed 12")
ENTRY = Deployment("1", time.time() - 1, "api-server", "1", "ada", "", {"SIZE": ("20", "1")})
GROUPS = (
    Observability(CATALOG, METRICS, METRICS),
    Runbooks(CATALOG, METRICS, load_runbooks(ROOT / "config" / "runbooks")),
    Logs(CATALOG, FakeLogs([LINE])),
    Deployments(CATALOG, FakeDeployments([ENTRY])),
)
TOOLS = {spec.name: Tool(spec, group) for group in GROUPS for spec in specs_of(type(group))}

PLAUSIBLE = st.sampled_from(
    [
        *("up", 'up{a="b"}', "rate(up[5m]) > 1", "sum(", "{service}", "{{", "'; drop", "a\x00b", "\n", "9" * 400),
        *("now-1h", "-30m", "14:05Z", "1700000000", "15s", "0s"),
        *("api-server", "ERROR", "investigate", "remediate", "elevated-error-rates"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | PLAUSIBLE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def arguments_of(tool: Tool) -> st.SearchStrategy[dict[str, Any]]:
    known = dict.fromkeys(tool.spec.schema["properties"], PLAUSIBLE | JSON)
    return st.one_of(
        st.fixed_dictionaries({}, optional=known),
        st.dictionaries(st.sampled_from(list(known)) | st.text(max_size=10), JSON, max_size=4),
    )


@pytest.mark.parametrize("name", list(TOOLS))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_arguments_give_a_bounded_result_or_a_clear_error(name: str, data: st.DataObject) -> None:
    tool = TOOLS[name]
    arguments = data.draw(arguments_of(tool))
    answer = asyncio.run(tool.call(arguments))
    assert answer.text.strip()
    assert len(answer.text) <= HARD_LIMIT
    answer.text.encode()
    assert "defect of the tool" not in answer.text, f"{name} {arguments!r}: {answer.text}"
    assert "\n" not in tool.spec.describe_call(arguments)


def test_all_seven_tools_are_tried() -> None:
    assert set(TOOLS) == {
        "query_metrics",
        "list_metrics",
        "get_service_health",
        "get_alerts",
        "get_logs",
        "get_recent_deployments",
        "execute_runbook",
    }
