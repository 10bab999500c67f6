"""What the real API refuses is refused here, in its words, and recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import HEADERS, Standin, assistant, call, result, user

REFUSED: dict[str, tuple[list[Any], str]] = {
    "no message": ([], "at least one message"),
    "assistant first": ([assistant("hi"), user("yes")], "first message must use"),
    "assistant last": ([user("hi"), assistant("yes")], "assistant message prefill"),
    "unknown role": ([{"role": "tool", "content": "x"}], "messages.0.role"),
    "no content": ([{"role": "user", "content": []}], "non-empty content"),
    "empty text": ([user("")], "non-whitespace"),
    "blank string": ([{"role": "user", "content": "  \n"}], "non-whitespace"),
    "unknown block": ([user({"type": "video"})], "Input tag 'video'"),
    "call without result": ([user("hi"), assistant(call("t1")), user("and?")], "without `tool_result` blocks"),
    "one of two results": (
        [user("hi"), assistant(call("t1"), call("t2")), user(result("t1"))],
        "immediately after: t2",
    ),
    "text before the result": (
        [user("hi"), assistant(call("t1")), user("first", result("t1"))],
        "without `tool_result` blocks",
    ),
    "result one turn late": (
        [user("hi"), assistant(call("t1")), user(result("t1")), assistant("ok"), user(result("t1"))],
        "unexpected `tool_use_id`",
    ),
    "result of no call": ([user(result("t9"))], "unexpected `tool_use_id`"),
    "result twice": ([user("hi"), assistant(call("t1")), user(result("t1"), result("t1"))], "single result"),
    "one id for two calls": ([user("hi"), assistant(call("t1"), call("t1")), user(result("t1"))], "must be unique"),
    "arguments as text": (
        [user("hi"), assistant({**call("t1"), "input": "{}"}), user(result("t1"))],
        "tool_use.input",
    ),
    "five cache breakpoints": (
        [user(*({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}} for _ in range(5)))],
        "Found 5",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_broken_conversation_is_refused_and_recorded(standin: Standin, case: str) -> None:
    messages, words = REFUSED[case]
    answer = await standin.send(messages)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert words in answer.json()["error"]["message"]
    (violation,) = await standin.seen("violations")
    assert words in violation["message"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": ""}, "model: Field required"),
        ({"temprature": 1}, "temprature: Extra inputs are not permitted"),
        ({"tools": [{"name": "get logs"}]}, "should match pattern"),
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "Tool names must be unique"),
    ],
)
async def test_a_wrong_field_is_refused_by_its_name(standin: Standin, fields: dict[str, Any], words: str) -> None:
    answer = await standin.send([user("hi")], **fields)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(("missing", "status"), [("x-api-key", 401), ("anthropic-version", 400), ("content-type", 400)])
async def test_a_missing_header_is_refused(standin: Standin, missing: str, status: int) -> None:
    answer = await standin.send([user("hi")], headers={k: v for k, v in HEADERS.items() if k != missing})
    assert answer.status_code == status
    assert len(await standin.seen("violations")) == 1


async def test_a_conversation_with_tools_and_a_system_message_between_is_taken(standin: Standin) -> None:
    messages = [
        user("hi"),
        {"role": "system", "content": "# Environment"},
        assistant("looking", call("t1"), call("t2")),
        user(result("t2"), result("t1", is_error=True), "and hurry"),
    ]
    assert (await standin.send(messages)).status_code == 200
    assert await standin.seen("violations") == []


async def test_an_unknown_model_is_not_found_and_is_no_violation(standin: Standin) -> None:
    for model in ("claude-nonexistent-9", "gpt-4"):
        answer = await standin.send([user("hi")], model=model)
        assert answer.status_code == 404
        assert answer.json()["error"] == {"type": "not_found_error", "message": f"model: {model}"}
    assert await standin.seen("violations") == []


async def test_an_unknown_path_is_a_violation(standin: Standin) -> None:
    assert (await standin.http.get("/v1/organizations")).status_code == 404
    assert [violation["path"] for violation in await standin.seen("violations")] == ["/v1/organizations"]


async def test_a_body_that_is_not_json_is_refused(standin: Standin) -> None:
    answer = await standin.http.post("/v1/messages", content="{", headers=HEADERS)
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json()["error"]["message"]


async def test_a_body_over_32_megabytes_is_too_large(standin: Standin) -> None:
    body = json.dumps({"model": "claude-opus-5-5", "max_tokens": 1, "messages": [user("x" * (33 << 20))]})
    answer = await standin.http.post("/v1/messages", content=body, headers=HEADERS)
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"
