"""The judge of chaos finds what it is there to find."""

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.paged import Paged
from sandbox.screen import Verdict, judge

INCIDENTS = {1: "Q1"}


@pytest.fixture
async def paged(open_paged, tmp_path) -> Paged:
    opened: Paged = await open_paged(f"sqlite:///{tmp_path / 'none.db'}", clock_rate=1_000)
    return opened


async def post(paged: Paged, text: str, key: str, thread_ts: str | None = None) -> str:
    web = AsyncWebClient(token=paged.world["tokens"]["bot"], base_url=f"{paged.slack.found}/api/")
    posted = await web.chat_postMessage(
        channel=paged.channel,
        text=text,
        thread_ts=thread_ts,
        metadata={"event_type": "post", "event_payload": {"key": key}},
        unfurl_links=False,
        unfurl_media=False,
    )
    return str(posted["ts"])


async def verdict_on(paged: Paged, state: str) -> Verdict:
    return await judge(paged, {1: state}, INCIDENTS)


async def test_a_card_that_is_missing_or_wrong_or_there_twice_is_found(paged):
    assert (await verdict_on(paged, "triggered")).missing == [1]
    await post(paged, "🔴 Firing: Fault 001", "case:1")
    assert (await verdict_on(paged, "resolved")).wrong
    await post(paged, "🔴 Firing: Fault 001", "case:2")
    found = await verdict_on(paged, "triggered")
    assert found.double == [1]
    assert not found.clean


async def test_a_thread_is_settled_when_its_question_is_answered_once_and_its_end_is_told(paged):
    card = await post(paged, "✅ Resolved: Fault 001", "case:1")
    assert "0 lines that say its end" in str((await verdict_on(paged, "resolved")).unended)
    await post(paged, "✅ Resolved after 3 s.", "case:1:end:1", card)
    assert (await verdict_on(paged, "resolved")).clean, "what was over before anybody looked needs no answer"
    await post(paged, "⏳ Working on it …", "turn:a/0", card)
    assert "looks as if it ran" in str((await verdict_on(paged, "resolved")).unended)


async def test_an_open_incident_needs_an_answer_and_no_second_one(paged):
    card = await post(paged, "🟡 Acknowledged: Fault 001", "case:1")
    assert "nobody looked into it" in str((await verdict_on(paged, "acknowledged")).unended)
    await post(paged, "⚠️ I go on below.", "turn:a/0", card)
    assert "has no answer" in str((await verdict_on(paged, "acknowledged")).unended)
    await post(paged, "The pool.\n\n0 tool calls · 1 s", "turn:a:2/0", card)
    found = await verdict_on(paged, "acknowledged")
    assert found.clean
    assert found.begun_again == 1
    await post(paged, "The pool.\n\n0 tool calls · 1 s", "turn:a:3/0", card)
    assert (await verdict_on(paged, "acknowledged")).double_answers
    await post(paged, "The pool.\n\n0 tool calls · 1 s", "turn:a:3/0", card)
    assert (await verdict_on(paged, "acknowledged")).repeated == ["turn:a:3/0"]
