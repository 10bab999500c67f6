"""A session on the real CLI: what a run gives, how it ends, and what the model is never given."""

import asyncio
import os
from uuid import UUID, uuid4

import pytest

from sre_bot.agent.events import Event, Outcome, RunEnded, TextDelta, ToolFinished, ToolStarted
from sre_bot.agent.processes import tree
from sre_bot.agent.session import Session
from sre_bot.errors import SessionLost, ToolsUnavailable
from tests.process_tree import read_arguments, read_environment

HEALTH = "mcp__sre__get_service_health"


async def run(session: Session, prompt: str, prompt_id: UUID | None = None) -> tuple[list[Event], RunEnded]:
    """Ask and give all events, and the last one again."""
    events = [event async for event in session.ask(prompt, prompt_id or uuid4())]
    assert [event for event in events if isinstance(event, RunEnded)] == events[-1:]
    end = events[-1]
    assert isinstance(end, RunEnded)
    return events, end


async def test_a_run_streams_text_and_tool_calls_and_ends_answered(model, make_pool):
    await model.script("QUESTION", {"tool": HEALTH, "input": {}}, {"text": "Nothing could be seen."})
    session = await make_pool().take(None)
    events, end = await run(session, "QUESTION")
    started = next(event for event in events if isinstance(event, ToolStarted))
    finished = next(event for event in events if isinstance(event, ToolFinished))
    assert started.id == finished.id
    assert started.summary == f"calling {HEALTH}"
    assert not finished.ok, "Prometheus is down in this test, so the tool reports an error"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Nothing could be seen."
    assert (end.outcome, end.answer, end.tool_calls) == (Outcome.ANSWERED, "Nothing could be seen.", 1)
    assert end.cost_usd is not None
    assert end.cost_usd > 0
    await session.close()


async def test_the_model_gets_our_tools_only_and_every_word_as_it_was_written(model, make_pool):
    prompt = "QUESTION /clear @/etc/passwd @README.md"
    await model.script("QUESTION", {"text": "Read."})
    session = await make_pool().take(None)
    await run(session, prompt)
    request = (await model.requests())[-1]
    assert prompt in request["last_user_text"]
    assert "root:x:" not in str(request)
    assert [name for name in request["tools"] if not name.startswith("mcp__sre__")] == ["Skill"]
    await session.close()


async def test_a_tool_that_is_not_allowed_is_refused_and_the_run_goes_on(model, make_pool):
    unlisted = "mcp__sre__list_metrics"
    await model.script("QUESTION", {"tool": unlisted, "input": {}}, {"text": "I may not."})
    session = await make_pool().take(None)
    events, end = await run(session, "QUESTION")
    assert [event.ok for event in events if isinstance(event, ToolFinished)] == [False]
    assert end.answer == "I may not."
    await session.close()


async def test_a_thread_goes_on_in_another_process_from_the_stored_transcript(model, make_pool):
    await model.script("FIRST", {"text": "The answer was forty-two."})
    first = make_pool()
    session = await first.take(None)
    await run(session, "FIRST question")
    await first.give_back(session)
    await first.close()
    await model.script("SECOND", {"text": "As I said."})
    session = await make_pool().take(session.id)
    _, end = await run(session, "SECOND question")
    assert end.answer == "As I said."
    assert (await model.requests())[-1]["messages"] > 1, "the earlier exchange is part of the request"
    await session.close()


async def test_a_run_costs_what_it_cost_and_not_what_the_conversation_did(model, make_pool):
    pool = make_pool()
    await model.script("QUESTION", {"text": "One."}, {"text": "Two."}, {"text": "Three."})
    session = await pool.take(None)
    costs = [(await run(session, f"QUESTION {number}"))[1].cost_usd or 0 for number in range(2)]
    await pool.give_back(session)
    await session.close()
    resumed = await pool.take(session.id)
    costs.append((await run(resumed, "QUESTION 3"))[1].cost_usd or 0)
    assert max(costs) < 2 * min(costs)
    await resumed.close()


async def test_a_conversation_that_is_not_stored_is_said_to_be_lost(make_pool):
    with pytest.raises(SessionLost):
        await make_pool().take(uuid4())


async def test_stop_ends_a_run_at_once_and_the_session_can_be_asked_again(model, make_pool):
    await model.fault(kind="hang_mid", count=1)
    await model.script("QUESTION", {"text": "A long answer. " * 50}, {"text": "Here I am."})
    session = await make_pool().take(None)
    ended: list[RunEnded] = []
    seen = asyncio.Event()

    async def ask() -> None:
        async for event in session.ask("QUESTION", uuid4()):
            seen.set()
            if isinstance(event, RunEnded):
                ended.append(event)

    asking = asyncio.create_task(ask())
    await seen.wait()
    await session.stop()
    await asking
    assert ended[0].outcome is Outcome.STOPPED
    assert session.alive
    _, end = await run(session, "QUESTION again")
    assert end.outcome is Outcome.ANSWERED
    await session.close()


async def test_stop_in_the_first_instants_of_a_run_ends_it_too(model, make_pool):
    await model.pace(chars_per_second=20)
    await model.script("QUESTION", *[{"text": "A fairly long answer that takes its time. " * 8}] * 20)
    pool = make_pool()
    session = await pool.take(None)
    for instants in range(8):
        asking = asyncio.create_task(run(session, "QUESTION"))
        for _ in range(1 + instants):
            await asyncio.sleep(0)
        await session.stop()
        _, end = await asking
        assert end.outcome is Outcome.STOPPED
        await pool.give_back(session)
        session = await pool.take(session.id)
    await session.close()


async def test_prompts_that_the_process_still_holds_after_a_stop_are_not_taken_for_later_ones(model, make_pool):
    await model.pace(chars_per_second=40)
    await model.script("FIRST", {"text": "A fairly long answer that takes its time. " * 8})
    pool = make_pool()
    session = await pool.take(None)
    events: list[Event] = []
    async for event in session.ask("FIRST", uuid4()):
        events.append(event)
        if len(events) == 1:
            assert await session.steer("SECOND", uuid4())
            assert await session.steer("THIRD", uuid4())
            await session.stop()
    end = events[-1]
    assert isinstance(end, RunEnded)
    assert (end.outcome, session.alive) == (Outcome.STOPPED, False)
    await pool.give_back(session)
    await model.pace(chars_per_second=0)
    again = await pool.take(session.id)
    assert again is not session
    await model.script("FOURTH", {"text": "To the fourth."})
    _, end = await run(again, "FOURTH")
    assert (end.outcome, end.answer) == (Outcome.ANSWERED, "To the fourth.")
    await again.close()


async def test_a_run_that_takes_too_long_is_ended_with_its_cost_and_the_session_goes_on(model, make_pool):
    await model.pace(chars_per_second=20)
    await model.script("QUESTION", {"text": "word " * 200})
    session = await make_pool(SRE_RUN_TIMEOUT="1.5").take(None)
    _, end = await run(session, "QUESTION")
    assert (end.outcome, session.alive) == (Outcome.LIMITED, True)
    assert "SRE_RUN_TIMEOUT" in end.reason
    assert end.cost_usd is not None
    await session.close()


async def test_a_silent_model_ends_the_run_with_what_was_said_so_far(model, make_pool):
    await model.fault(kind="hang_mid", count=1)
    await model.script("QUESTION", {"text": "The first half is known. The second half is not."})
    session = await make_pool(SRE_SILENCE_TIMEOUT="6").take(None)
    _, end = await run(session, "QUESTION")
    assert end.outcome is Outcome.LIMITED
    assert "silent" in end.reason
    assert end.answer.startswith("The first")
    await session.close()


async def test_too_many_steps_end_the_run_as_limited(model, make_pool):
    call = {"tool": HEALTH, "input": {}}
    await model.script("QUESTION", call, call, call)
    session = await make_pool(SRE_MAX_TURNS="2").take(None)
    _, end = await run(session, "QUESTION")
    assert (end.outcome, end.tool_calls) == (Outcome.LIMITED, 2)
    assert "SRE_MAX_TURNS" in end.reason
    await session.close()


@pytest.mark.parametrize("kind", ["stream_error", "reset"])
async def test_a_stream_that_breaks_in_the_middle_gives_the_whole_text_once(model, make_pool, kind):
    whole = "The first half is this, the second half is that, and there is no third."
    await model.fault(kind=kind, count=1)
    await model.script("QUESTION", {"text": whole})
    session = await make_pool().take(None)
    events, end = await run(session, "QUESTION")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == whole
    assert (end.outcome, end.answer) == (Outcome.ANSWERED, whole)
    await session.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "http", "status": 401}, "ANTHROPIC_API_KEY"),
        ({"kind": "http", "status": 400}, "new thread"),
        ({"kind": "http", "status": 404}, "SRE_MODEL"),
        ({"kind": "http", "status": 429, "retry_after": 3600}, "rate-limiting"),
        ({"kind": "http", "status": 529}, "overloaded"),
        ({"kind": "reset_before"}, "could not be reached"),
    ],
)
async def test_a_refusal_of_the_model_is_explained_with_what_to_do(model, make_pool, fault, words):
    await model.fault(**fault)
    session = await make_pool().take(None)
    events, end = await run(session, "QUESTION")
    assert end.outcome is Outcome.FAILED
    assert words in end.reason
    assert not [event for event in events if isinstance(event, TextDelta)], "the CLI's own error text is not shown"
    await session.close()


async def test_a_model_that_declines_is_said_to_have_declined(model, make_pool):
    declined = [{"text": "I cannot help with that."}, {"stop_reason": "refusal"}]
    await model.script("QUESTION", declined, declined)
    session = await make_pool().take(None)
    events, end = await run(session, "QUESTION")
    assert end.outcome is Outcome.FAILED
    assert "declined" in end.reason
    assert not any("API Error" in event.text for event in events if isinstance(event, TextDelta))
    await session.close()


async def test_a_killed_process_ends_the_run_and_is_not_lent_again(model, make_pool):
    await model.fault(kind="hang_mid", count=1)
    pool = make_pool()
    session = await pool.take(None)
    ended: list[RunEnded] = []
    killed = False
    async for event in session.ask("QUESTION", uuid4()):
        if isinstance(event, RunEnded):
            ended.append(event)
        elif not killed:
            killed = True
            os.kill(session.pid, 9)
    assert ended[0].outcome is Outcome.FAILED
    assert not session.alive
    await pool.give_back(session)


async def test_without_its_tools_a_session_is_not_begun(make_pool, tmp_path):
    empty = tmp_path / "no-catalog"
    empty.mkdir()
    with pytest.raises(ToolsUnavailable) as caught:
        await make_pool(SRE_CONFIG_DIR=str(empty)).take(None)
    assert "guess" in str(caught.value)


async def test_secrets_stay_out_of_the_arguments_and_environment_of_child_processes(model, make_pool):
    session = await make_pool(PROMETHEUS_BEARER_TOKEN="token-of-prometheus").take(None)
    processes = {pid: read_arguments(pid) for pid in tree(session.pid)}
    assert len(processes) >= 2, "the CLI and its tool process"
    for pid, arguments in processes.items():
        assert "token-of-prometheus" not in arguments
        assert "secret-of-slack" not in arguments + read_environment(pid)
    (tools,) = [pid for pid, arguments in processes.items() if "sre_mcp_server" in arguments]
    assert "token-of-prometheus" in read_environment(tools)
    assert "ANTHROPIC" not in read_environment(tools)
    await session.close()


async def test_a_session_id_is_given_before_the_first_prompt_and_stays(model, make_pool):
    pool = make_pool()
    session = await pool.take(None)
    known: UUID = session.id
    await run(session, "QUESTION")
    await pool.give_back(session)
    assert await pool.take(known) is session
    await session.close()


@pytest.mark.timeout(240)
async def test_tools_that_never_start_are_named_and_not_waited_for_without_end(make_pool, tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    os.mkfifo(folder / "services.yaml")  # whoever reads it waits for ever
    with pytest.raises(ToolsUnavailable) as caught:
        await make_pool(SRE_CONFIG_DIR=str(folder)).take(None)
    assert "sre" in str(caught.value)
    assert "guess" in str(caught.value)


async def test_the_credentials_of_tools_are_in_a_private_file_that_goes_with_the_bot(make_pool, tmp_path):
    pool = make_pool(PROMETHEUS_BEARER_TOKEN="token-of-prometheus")
    (file,) = (tmp_path / "agent").glob("mcp-*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "token-of-prometheus" in file.read_text()
    assert "secret-of-slack" not in file.read_text()
    await pool.close()
    assert not file.exists()
