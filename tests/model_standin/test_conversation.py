"""How a request's messages are read as questions, tool results and replies."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.model.conversation import Conversation, read_conversation

from .conftest import TOOLS, assistant, call, result, user


def read(*messages: dict[str, Any]) -> Conversation:
    return read_conversation({"messages": list(messages), "tools": TOOLS})


def test_a_result_carries_its_tool_without_the_servers_name_and_its_arguments() -> None:
    conversation = read(
        user("500s?"),
        assistant(call("t1", "get_logs", service="api-server")),
        user(result("t1", "boom", is_error=True)),
    )
    (found,) = conversation.current.results
    assert (found.tool, found.arguments, found.text, found.failed) == (
        "get_logs",
        {"service": "api-server"},
        "boom",
        True,
    )


def test_a_question_after_an_answer_opens_a_new_exchange() -> None:
    conversation = read(user("500s?"), assistant("All is well."), user("why?"))
    assert [exchange.question for exchange in conversation.exchanges] == ["500s?", "why?"]
    assert not conversation.opening


def test_a_message_sent_during_a_run_belongs_to_the_running_question() -> None:
    conversation = read(user("500s?"), assistant(call("t1")), user(result("t1"), "only payment-svc please"))
    assert conversation.current.question == "500s?\nonly payment-svc please"
    assert conversation.current.called("get_alerts")


def test_what_the_cli_adds_is_nobodys_question() -> None:
    conversation = read(
        user("<system-reminder>today</system-reminder>", "500s?"),
        {"role": "system", "content": "# Environment"},
        assistant("The pool"),
        user("[Request interrupted by user]"),
        user("and now?"),
    )
    assert [exchange.question for exchange in conversation.exchanges] == ["500s?", "and now?"]


@pytest.mark.parametrize(
    "added",
    [
        "Your response above was cut off mid-stream. Continue.",
        "Your response above was stopped by a safety classifier — this is not a tool or API error.",
        "Output token limit hit. Resume directly.",
        "[Your previous response had no visible output. Please continue.]",
        "Continue from where you left off.",
    ],
)
def test_a_reply_that_was_cut_off_is_continued_and_not_taken_for_a_question(added: str) -> None:
    conversation = read(user("500s?"), assistant("The po"), user(added))
    assert [exchange.question for exchange in conversation.exchanges] == ["500s?"]


def test_a_first_message_without_words_is_still_an_exchange() -> None:
    conversation = read(user({"type": "image", "source": {}}))
    assert conversation.opening
    assert conversation.current.question == ""


def test_deferred_tools_are_not_on_offer() -> None:
    body = {"messages": [user("hi")], "tools": [*TOOLS, {"name": "Placeholder", "defer_loading": True}]}
    offered = read_conversation(body).offered
    assert offered["get_logs"] == "mcp__sre__get_logs"
    assert "Placeholder" not in offered
