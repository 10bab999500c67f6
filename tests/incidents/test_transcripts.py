import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import cast

from claude_agent_sdk import SessionKey, SessionStoreEntry
from claude_agent_sdk.testing import run_session_store_conformance

from sre_bot.incidents import Ledger, TranscriptStore

from .conftest import ROOT, OpenLedger

KEY: SessionKey = {"project_key": "-srv-bot", "session_id": "7a1c"}


def entry(uuid: str | None, text: str = "") -> SessionStoreEntry:
    made = {"type": "user", "text": text} | ({"uuid": uuid} if uuid else {})
    return cast(SessionStoreEntry, made)


async def test_the_agent_sdk_accepts_the_store(ledger: Ledger) -> None:
    made = 0

    async def make_store() -> TranscriptStore:
        nonlocal made
        made += 1
        await ledger.prune(datetime.now(UTC) + timedelta(days=1))
        return ledger.transcripts

    await run_session_store_conformance(make_store)

    assert made == 1 + 13  # a probe, and one store for each contract but that of the optional summaries


async def test_a_batch_that_is_sent_again_is_stored_once(ledger: Ledger) -> None:
    await ledger.transcripts.append(KEY, [entry("a"), entry("b")])
    await ledger.transcripts.append(KEY, [entry("a"), entry("b"), entry("c")])

    assert await ledger.transcripts.load(KEY) == [entry("a"), entry("b"), entry("c")]


async def test_entries_without_a_uuid_are_all_kept(ledger: Ledger) -> None:
    await ledger.transcripts.append(KEY, [entry(None, "title"), entry(None, "title")])

    assert await ledger.transcripts.load(KEY) == [entry(None, "title")] * 2


async def test_the_same_uuid_in_two_transcripts_is_two_entries(ledger: Ledger) -> None:
    subagent: SessionKey = {**KEY, "subpath": "subagents/agent-1"}
    await ledger.transcripts.append(KEY, [entry("a", "main")])
    await ledger.transcripts.append(subagent, [entry("a", "sub")])

    assert await ledger.transcripts.load(subagent) == [entry("a", "sub")]


async def test_whatever_a_log_line_carries_comes_back_as_it_was(ledger: Ledger) -> None:
    odd = [entry("a", "NUL \x00, lone \ud800, escape \x1b[31m, 🔥, " + "x" * 500_000)]

    await ledger.transcripts.append(KEY, odd)

    assert await ledger.transcripts.load(KEY) == odd


async def test_batches_of_many_sessions_at_once_keep_their_order(ledger: Ledger) -> None:
    keys: list[SessionKey] = [{"project_key": "p", "session_id": str(n)} for n in range(8)]

    async def converse(key: SessionKey) -> None:
        for n in range(5):
            await ledger.transcripts.append(key, [entry(f"{n}.1"), entry(f"{n}.2")])

    await asyncio.gather(*map(converse, keys))

    expected = [entry(f"{n}.{m}") for n in range(5) for m in (1, 2)]
    assert [await ledger.transcripts.load(key) for key in keys] == [expected] * 8


async def test_another_machine_on_the_same_database_loads_the_transcript(
    ledger: Ledger, url: str, open_ledger: OpenLedger
) -> None:
    await ledger.transcripts.append(KEY, [entry("a", "hello")])

    assert await (await open_ledger(url)).transcripts.load(KEY) == [entry("a", "hello")]


def test_the_ledger_is_loaded_without_the_agent_sdk() -> None:
    program = "import sys, sre_bot.incidents; sys.exit('claude_agent_sdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
