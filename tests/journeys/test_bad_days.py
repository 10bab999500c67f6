"""What people see when something around the bot fails: always an end, in words, and the bot goes on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sandbox.stack import FROM_COLD, Stack
from tests.journeys.test_incident import QUESTION, answers, order
from tests.process_tree import descendants, read_arguments

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SETTINGS = FROM_COLD | {"SRE_SILENCE_TIMEOUT": "12", "SRE_MAX_RUNS": "3"}
VERDICT = "**Verdict:**"  # whichever: on a busy machine the fleet may be slow in truth


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("stack"), bot_settings=SETTINGS, requests_per_second=40) as running:
        yield running
        assert (await running.look(running.slack, "violations"))["violations"] == []
        assert (await running.look(running.slack, "pings"))["pings"] == []


async def mend(stack: Stack) -> None:
    assert stack.model
    async with stack.http.delete(f"{stack.model.found}/sandbox/faults") as answer:
        assert answer.status < 300


async def first_words(stack: Stack, ts: str) -> list[dict[str, Any]]:
    """Wait until the bot has shown a tool line or text in the thread."""
    async with asyncio.timeout(60):
        while True:
            replies = [message for message in await stack.thread(ts) if message["bot"]]
            if replies and not replies[0]["markdown"].startswith("⏳"):
                return replies
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ({"kind": "http", "status": 401}, "refused the key (401). Whoever runs me: check ANTHROPIC_API_KEY."),
        ({"kind": "hang_before"}, "The model was silent for 12 s, so I ended the run."),
        ({"kind": "http", "status": 500}, "internal error (500). Please ask again in a minute."),
        ({"kind": "hang_mid"}, "The model was silent for 12 s, so I ended the run."),
    ],
)
async def test_a_failing_model_is_named_in_the_thread_and_the_next_question_is_answered(
    stack: Stack, fault: dict[str, Any], seen: str
):
    await order(stack, stack.model, "faults", **fault)
    ts = await stack.say(QUESTION)
    (answer,) = await answers(stack, ts)
    assert seen in answer
    assert "⚠️" in answer
    assert "Traceback" not in answer
    await mend(stack)
    await stack.say("please try again", thread_ts=ts)
    assert (await answers(stack, ts, count=2))[1]


@pytest.mark.parametrize("kind", ["stream_error", "reset"])
async def test_a_stream_that_breaks_once_is_not_noticed_in_the_answer(stack: Stack, kind: str):
    await order(stack, stack.model, "faults", kind=kind, count=1)
    (answer,) = await answers(stack, await stack.say(QUESTION))
    assert VERDICT in answer
    assert answer.count("Checking the health of every service first.") == 1


async def test_a_killed_tool_process_is_one_failed_call_and_the_run_goes_on(stack: Stack):
    await order(stack, stack.model, "pace", chars_per_second=200)
    ts = await stack.say(QUESTION)
    await first_words(stack, ts)
    assert _kill(stack, "sre_mcp_server")
    (answer,) = await answers(stack, ts)
    assert VERDICT in answer
    await order(stack, stack.model, "pace", chars_per_second=0)


async def test_a_killed_agent_process_ends_the_run_and_the_thread_can_go_on(stack: Stack):
    await order(stack, stack.model, "faults", kind="hang_mid", count=1)
    ts = await stack.say(QUESTION)
    await first_words(stack, ts)
    assert _kill(stack, "claude")
    (answer,) = await answers(stack, ts)
    assert "The agent's process ended unexpectedly. Please ask again." in answer
    await mend(stack)
    await stack.say("once more", thread_ts=ts)
    assert "**" in (await answers(stack, ts, count=2))[1]


async def test_stop_in_the_thread_ends_the_run_and_the_session_goes_on(stack: Stack):
    await order(stack, stack.model, "faults", kind="hang_mid", count=1)
    ts = await stack.say(QUESTION)
    await first_words(stack, ts)
    await stack.say("stop", thread_ts=ts)
    (answer,) = await answers(stack, ts)
    assert "🛑 **Stopped." in answer
    await stack.say("go on", thread_ts=ts)
    assert "**" in (await answers(stack, ts, count=2))[1]


async def test_files_named_and_commands_written_by_a_person_are_only_text(stack: Stack):
    ts = await stack.say(f"{QUESTION} @/etc/passwd and /clear " + "x" * 100_000)
    (answer,) = await answers(stack, ts)
    assert VERDICT in answer
    assert stack.model
    request = (await stack.look(stack.model, "requests"))["requests"][-1]
    assert "/etc/passwd" in request["last_user_text"]
    assert "root:x:" not in request["last_user_text"]
    assert request["bytes"] < 100_000, "what exceeds the limit of a message is cut"


async def test_more_mentions_at_once_than_places_are_all_answered(stack: Stack):
    questions = await asyncio.gather(*(stack.say(QUESTION) for _ in range(6)))
    async with asyncio.timeout(240):
        texts = await asyncio.gather(*(answers(stack, ts, patience=240) for ts in questions))
    assert [len(text) for text in texts] == [1] * 6
    assert [text for text in texts if VERDICT not in text[0]] == []


async def test_a_minute_without_slack_delays_the_answer_and_loses_nothing(stack: Stack):
    await order(stack, stack.model, "pace", chars_per_second=100)
    ts = await stack.say(QUESTION)
    await first_words(stack, ts)
    await order(stack, stack.slack, "outage", seconds=60)
    (answer,) = await answers(stack, ts, patience=180)
    assert VERDICT in answer
    await order(stack, stack.model, "pace", chars_per_second=0)
    assert VERDICT in (await answers(stack, await stack.say(QUESTION)))[0], "and it hears again"


def _kill(stack: Stack, name: str) -> int:
    """Kill what the bot has of such processes; gives how many those were."""
    named = [pid for pid in descendants(stack.bot.pid) if name in read_arguments(pid)]
    for pid in named:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(named)
