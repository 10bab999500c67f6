"""The comparison of the tools with packaged servers runs without them, and counts what a model reads."""

import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from mcp.types import CallToolResult, TextContent

from benchmarks import history, investigation, tools
from benchmarks.backends import Backends, get
from benchmarks.calls import Call, Outcome, visible
from benchmarks.investigation import Question
from benchmarks.peers import PROMETHEUS, find_python
from sandbox import prometheus
from sandbox.stack import CONFIG, ROOT
from sre_bot.tools.offer import describe_tools


def test_our_server_with_every_group_configured_is_measured_without_any_peer():
    table = tools.compare_lists([], runs=1, missing="x is left out.").markdown()
    assert f"| ours, with writes | {len(describe_tools())} |" in table
    assert table.endswith("x is left out.")


def test_a_model_reads_the_structured_twin_of_a_result_and_of_an_error_the_text():
    text = [TextContent(text="12 \u00b5s")]
    twin = {"value": "12 \u00b5s"}
    assert visible(CallToolResult(content=text)) == "12 \u00b5s"
    assert visible(CallToolResult(content=text, structured_content=twin)) == '{"value":"12 \u00b5s"}'
    assert visible(CallToolResult(content=text, structured_content=twin, is_error=True)) == "12 \u00b5s"


def test_only_questions_that_both_sides_answered_are_summed():
    def answer(words: str, ours: int, theirs: list[int], *, failed: bool = False, part: Any = "playbook", tool="a"):
        question = Question(words, Call(tool, {}), PROMETHEUS, [Call("b", {})], part)
        return question, Outcome("x" * ours, False, 0), [Outcome("x" * size, failed, 0) for size in theirs]

    rows = investigation.tabulate(
        [
            answer("both", 10, [20, 30]),
            answer("nobody", 7, []),
            answer("a failure", 7, [1], failed=True),
            answer("beside the playbook", 10, [50], part="besides"),
            answer("a course", 20, [450], tool="course"),
            answer("the same, coarsely", 20, [50], tool="course", part="coarse"),
        ]
    ).rows
    assert [row[5] for row in rows[:6]] == ["20%", "", "", "20%", "4%", "40%"]
    assert [(row[2], row[4], row[5]) for row in rows[6:]] == [
        ("30", "500", "**6%**"),
        ("30", "100", "**30%**"),
        ("40", "550", "**7%**"),
    ]


async def test_prometheus_starts_with_an_hour_of_the_healthy_fleet(tmp_path: Path):
    async with AsyncExitStack() as parts:
        http = await parts.enter_async_context(aiohttp.ClientSession())
        backends = Backends(tmp_path, parts)
        command = [sys.executable, str(ROOT / "scripts" / "metric_logging.py"), "--port", "0", "--seed", "1"]
        fleet = (await backends.start("fleet", [*command, "--state-dir", str(tmp_path)])).found
        await history.write_healthy_hour(fleet, tmp_path / "prometheus", settle=1.0, between=2.0)
        config = prometheus.write_config(CONFIG / "prometheus.yml", fleet.removeprefix("http://"), tmp_path)
        url = await backends.start_prometheus(config)

        async def course(query: str) -> list[float]:
            now = time.time()
            window = {"start": str(now - 3_500), "end": str(now), "step": "60"}
            answer = await get(http, f"{url}/api/v1/query_range", query=query, **window)
            (series,) = answer["data"]["result"]
            return [float(value) for _, value in series["values"]]

        answered = await course('sum(rate(http_requests_total{service="api-server"}[1m]))')
        assert len(answered) >= 58
        assert min(answered) > 20
        assert max(answered) < 2 * min(answered)
        failed = 'sum(rate(http_requests_total{service="api-server",status=~"5.."}[1m]))'
        assert max(await course(failed)) < 0.1 * max(answered)
        assert len(await course('db_connections_max{service="api-server"}')) >= 58


def test_an_interpreter_that_is_not_here_is_nothing():
    assert find_python("") != ""
    assert find_python("2.99") == ""
