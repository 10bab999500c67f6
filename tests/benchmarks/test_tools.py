"""The comparison of the tools with packaged servers runs without them, and counts what a model reads."""

from typing import Any

from mcp.types import CallToolResult, TextContent

from benchmarks import investigation, tools
from benchmarks.calls import Call, Outcome, visible
from benchmarks.investigation import Question
from benchmarks.peers import PROMETHEUS, find_python


def test_our_server_with_every_group_configured_is_measured_without_any_peer():
    table = tools.compare_lists([], runs=1, missing="x is left out.").markdown()
    assert "| ours, with writes | 17 |" in table
    assert table.endswith("x is left out.")


def test_a_model_reads_the_structured_twin_of_a_result_and_of_an_error_the_text():
    text = [TextContent(text="12 \u00b5s")]
    twin = {"value": "12 \u00b5s"}
    assert visible(CallToolResult(content=text)) == "12 \u00b5s"
    assert visible(CallToolResult(content=text, structured_content=twin)) == '{"value":"12 \u00b5s"}'
    assert visible(CallToolResult(content=text, structured_content=twin, is_error=True)) == "12 \u00b5s"


def test_only_questions_that_both_sides_answered_are_summed():
    def answer(words: str, ours: int, theirs: list[int], *, failed: bool = False, part: Any = "playbook"):
        question = Question(words, Call("a", {}), PROMETHEUS, [Call("b", {})], part)
        return question, Outcome("x" * ours, False, 0), [Outcome("x" * size, failed, 0) for size in theirs]

    rows = investigation.tabulate(
        [
            answer("both", 10, [20, 30]),
            answer("nobody", 7, []),
            answer("a failure", 7, [1], failed=True),
            answer("beside the playbook", 10, [50], part="besides"),
            answer("a variation", 10, [90], part="shown"),
        ]
    ).rows
    assert [row[5] for row in rows] == ["20%", "", "", "20%", "11%", "**20%**", "**20%**"]
    assert [(row[2], row[4]) for row in rows[-2:]] == [("10", "50"), ("20", "100")]


def test_an_interpreter_that_is_not_here_is_nothing():
    assert find_python("") != ""
    assert find_python("2.99") == ""
