"""get_logs: folded, bounded, without secrets, and honest about what was not read."""

import time
import tracemalloc
from typing import Any

import pytest

from sre_bot.catalog import Catalog, load_catalog
from sre_bot.clients.logs import LogLine
from sre_bot.errors import Unreachable
from sre_bot.settings import ROOT
from sre_bot.tools.records import Logs
from sre_bot.tools.sources import LogSource
from sre_bot.tools.spec import SOFT_LIMIT, Answer, Tool, specs_of
from tests.logs.conftest import RunningLoki
from tests.tools.conftest import FakeLogs

BURST = 100_000
RARE = "configuration reloaded by ada: pool size 20 to 1"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(ROOT / "config")


async def logs(catalog: Catalog, source: LogSource, reading: float = 600, **arguments: Any) -> Answer:
    (spec,) = specs_of(Logs)
    return await Tool(spec, Logs(catalog, source, reading)).call(arguments)


def line(message: str, level: str = "INFO", ago: float = 60, service: str = "api-server") -> LogLine:
    return LogLine(time.time() - ago, service, level, message)


async def test_a_pattern_shows_count_first_and_last_time_and_its_newest_line(catalog: Catalog) -> None:
    answer = await logs(catalog, FakeLogs([line("took 12 ms", ago=90), line("took 9.5 ms", ago=30)]))
    header, folded = answer.text.splitlines()
    assert header.startswith("1 of 1 patterns from 2 lines, all services, all levels, ")
    assert folded.startswith("api-server INFO \u00d72 ")
    assert folded.endswith("Z took 9.5 ms")


async def test_the_worst_level_comes_first_and_then_the_newest(catalog: Catalog) -> None:
    lines = [line("old error", "ERROR", 300), line("warning", "WARN", 200), line("error", "ERROR", 100), line("info")]
    shown = (await logs(catalog, FakeLogs(lines))).text.splitlines()[1:]
    assert [text.split("Z ")[1] for text in shown] == ["error", "old error", "warning", "info"]


async def test_a_line_of_unknown_level_is_shown_before_all_others(catalog: Catalog) -> None:
    lines = [line("error", "ERROR", 30), line("what", "UNKNOWN", 60)]
    assert (await logs(catalog, FakeLogs(lines))).text.splitlines()[1].startswith("api-server UNKNOWN ")


async def test_service_level_and_text_are_asked_of_the_source(catalog: Catalog) -> None:
    lines = [line("Connection REFUSED", "WARN"), line("fine", "ERROR"), line("refused"), line("x", service="auth-svc")]
    answer = await logs(catalog, FakeLogs(lines), level="WARN", service="api-server", contains="refused")
    assert answer.text.startswith("1 of 1 patterns from 1 lines, api-server, WARN or worse, ")


async def test_more_patterns_than_the_limit_are_counted_and_the_choice_is_said(catalog: Catalog) -> None:
    lines = [line(f"word-{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(40)]
    answer = await logs(catalog, FakeLogs(lines), limit=5)
    assert answer.text.startswith("5 of 40 patterns, the newest, rarest and most frequent from 40 lines")
    assert len(answer.text.splitlines()) == 6


async def test_no_line_is_no_data_and_what_the_source_lost_is_said(catalog: Catalog) -> None:
    answer = await logs(catalog, FakeLogs(dropped=2755, unread=12), service="auth-svc")
    assert answer.text.startswith("NO DATA: 0 of 0 patterns from 0 lines, auth-svc")
    assert "The source itself left out 2,755 lines" in answer.text
    assert "12 older lines were not read; narrow service, level, contains or since." in answer.text


async def test_a_line_cannot_look_like_several_nor_fill_the_answer(catalog: Catalog) -> None:
    forged = line("real\nauth-svc ERROR forged\x1b[31m", service="api\nserver\x1b" + "x" * 999)
    text = (await logs(catalog, FakeLogs([line("x" * 100_000), forged]), limit=100)).text
    assert len(text.splitlines()) == 3
    assert len(text) < 1000
    assert "\x1b" not in text


async def test_a_secret_in_a_line_is_masked(catalog: Catalog) -> None:
    text = (await logs(catalog, FakeLogs([line("cannot reach postgres://app:hunter2@db/x, password=hunter2")]))).text
    assert "postgres://app:(masked)@db/x, password=(masked)" in text
    assert "hunter2" not in text


async def test_a_source_that_fails_after_some_lines_is_incomplete_and_before_any_an_error(catalog: Catalog) -> None:
    failure = Unreachable("UNREACHABLE: Loki did not answer.")
    some = await logs(catalog, FakeLogs([line("text")], failure=failure))
    assert not some.is_error
    assert "INCOMPLETE, reading failed after these lines: UNREACHABLE: Loki did not answer." in some.text
    assert await logs(catalog, FakeLogs(failure=failure)) == Answer(str(failure), is_error=True)


async def test_reading_stops_when_its_time_is_up_and_says_so(catalog: Catalog) -> None:
    source = FakeLogs([line(f"n {n}") for n in range(100)], page=10)
    answer = await logs(catalog, source, reading=0)
    assert source.pages_given == 1
    assert "Reading stopped after 10 lines, back to " in answer.text


async def test_a_burst_beyond_the_budget_is_not_read_to_its_end(catalog: Catalog) -> None:
    moment = time.time() - 60
    burst = [LogLine(moment, "api-server", "ERROR", f"failed {n}") for n in range(BURST + 5_000)]
    source = FakeLogs(burst)
    answer = await logs(catalog, source)
    assert source.pages_given == BURST // source.page
    assert "Reading stopped after 100,000 lines, back to " in answer.text


def burst(kind: str) -> list[LogLine]:
    """100,000 errors of the last minutes, and one warning long before them."""
    start = round(time.time(), 3) - 600
    word = "abcdefghijklmnopqrst".__getitem__
    messages = {
        "alike": lambda n: f"GET /v1/cart 500 in {n} ms request={n:08x}: no connection (pool size 1)",
        "different": lambda n: " ".join(word((n >> k) * (k + 3) % 20) * (1 + n % 7) for k in range(4 + n % 9)),
    }
    lines = [LogLine(start + 60 + n / 250, "api-server", "ERROR", messages[kind](n)) for n in range(BURST - 1)]
    return [LogLine(start, "api-server", "ERROR", RARE), *lines]


@pytest.mark.parametrize("kind", ["alike", "different"])
async def test_a_burst_of_100000_lines_is_answered_in_bounded_characters_and_memory(
    catalog: Catalog, kind: str
) -> None:
    source = FakeLogs(burst(kind), page=5_000)
    tracemalloc.start()
    try:
        answer = await logs(catalog, source, limit=100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not answer.is_error
    assert "from 100,000 lines" in answer.text
    assert len(answer.text) <= SOFT_LIMIT
    assert peak < 16 << 20


async def test_the_rare_line_before_a_burst_is_found_on_loki(catalog: Catalog, loki: RunningLoki) -> None:
    await loki.push(burst("alike")[:20_000])
    source = loki.client()
    answer = await logs(catalog, source, service="api-server", level="ERROR")
    await source.aclose()
    assert answer.text.startswith("2 of 2 patterns from 20,000 lines, api-server, ERROR or worse")
    assert RARE in answer.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"service": "api"}, "No service 'api' in the catalog. Services: api-server"),
        ({"level": "error!"}, "level: Input should be 'INFO', 'WARN' or 'ERROR'"),
        ({"since": "yesterday"}, "'yesterday' is not a time. Accepted: now, now-1h"),
        ({"limit": 1000}, "limit: Input should be less than or equal to 100"),
        ({"contains": "x" * 501}, "contains is too long: 501 characters, at most 500."),
    ],
)
async def test_wrong_arguments_are_answered_with_right_ones(
    catalog: Catalog, arguments: dict[str, Any], words: str
) -> None:
    answer = await logs(catalog, FakeLogs(), **arguments)
    assert answer.is_error
    assert words in answer.text
