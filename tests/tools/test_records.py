"""get_logs and get_recent_deployments: folded, bounded, and without secrets."""

import time
from dataclasses import replace
from typing import Any

import pytest

from sre_bot.catalog import Catalog
from sre_bot.clients.deployments import Deployment
from sre_bot.clients.logs import LogLine
from sre_bot.tools.records import Deployments, Logs
from sre_bot.tools.spec import SOFT_LIMIT, Answer, Tool, specs_of
from tests.tools.conftest import FakeDeployments, FakeLogs


async def logs(catalog: Catalog, source: FakeLogs, **arguments: Any) -> Answer:
    (spec,) = specs_of(Logs)
    return await Tool(spec, Logs(catalog, source)).call(arguments)


async def deployments(catalog: Catalog, *entries: Deployment, **arguments: Any) -> Answer:
    (spec,) = specs_of(Deployments)
    return await Tool(spec, Deployments(catalog, FakeDeployments(entries))).call(arguments)


def line(message: str, level: str = "INFO", ago: float = 60, service: str = "api-server") -> LogLine:
    return LogLine(time.time() - ago, service, level, message)


def deployment(ago: float = 240, **changes: tuple[str | None, str | None]) -> Deployment:
    return Deployment("api-server-2", time.time() - ago, "api-server", "2.14.0", "ada", "smaller pool", changes)


@pytest.mark.parametrize(
    "messages",
    [
        ("took 12 ms", "took 9.5 ms"),
        ("request=00005960 failed", "request=0000af3e failed"),
        ("id 0xdeadbeef", "id 0xcafe"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace 00f067aa0ba902b7a3ce929d0e0e4736"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-e89b-12d3-a456-426614174abc"),
    ],
)
async def test_lines_that_differ_in_numbers_and_ids_only_are_folded(
    catalog: Catalog, messages: tuple[str, str]
) -> None:
    answer = await logs(catalog, FakeLogs([line(messages[0], ago=90), line(messages[1], ago=30)]))
    header, folded = answer.text.splitlines()
    assert header.startswith("1 of 1 patterns from 2 lines, all services, all levels, ")
    assert folded.startswith("api-server INFO \u00d72 ")
    assert folded.endswith(f"Z {messages[1]}")


async def test_lines_that_differ_in_words_service_or_level_are_not_folded(catalog: Catalog) -> None:
    lines = [line("a b"), line("a c"), line("a b", "ERROR"), line("a b", service="auth-svc")]
    assert len((await logs(catalog, FakeLogs(lines))).text.splitlines()) == 5


async def test_the_worst_level_comes_first_and_then_the_newest(catalog: Catalog) -> None:
    lines = [line("old error", "ERROR", 300), line("warning", "WARN", 200), line("error", "ERROR", 100), line("info")]
    shown = (await logs(catalog, FakeLogs(lines))).text.splitlines()[1:]
    assert [text.split("Z ")[1] for text in shown] == ["error", "old error", "warning", "info"]


async def test_a_level_means_that_level_or_worse(catalog: Catalog) -> None:
    lines = [line("info"), line("warning", "WARN"), line("error", "ERROR")]
    answer = await logs(catalog, FakeLogs(lines), level="WARN", service="api-server")
    assert answer.text.startswith("2 of 2 patterns from 2 lines, api-server, WARN or worse, ")


async def test_many_lines_of_a_lower_level_do_not_crowd_out_the_worse(catalog: Catalog) -> None:
    lines = [line("error", "ERROR", 500), *(line(f"warning {n}", "WARN", 400) for n in range(2000))]
    answer = await logs(catalog, FakeLogs(lines), level="WARN")
    assert "api-server ERROR" in answer.text
    assert "Only the newest 1,001 of 2,001 lines were read; narrow service, level or since." in answer.text


async def test_text_filters_whatever_its_case(catalog: Catalog) -> None:
    lines = [line("Connection REFUSED"), line("fine")]
    assert "1 of 1 patterns" in (await logs(catalog, FakeLogs(lines), contains="refused")).text


async def test_more_patterns_than_the_limit_are_counted(catalog: Catalog) -> None:
    lines = [line(f"word-{chr(97 + n // 26)}{chr(97 + n % 26)}") for n in range(134)]
    answer = await logs(catalog, FakeLogs(lines))
    assert answer.text.startswith("20 of 134 patterns from 134 lines")
    assert len(answer.text.splitlines()) == 21


async def test_no_line_is_no_data_and_what_the_source_lost_is_said(catalog: Catalog) -> None:
    answer = await logs(catalog, FakeLogs(dropped=2755), service="auth-svc")
    assert answer.text.startswith("NO DATA: 0 of 0 patterns from 0 lines, auth-svc")
    assert "The source itself left out 2,755 lines" in answer.text


async def test_a_line_cannot_look_like_several_nor_fill_the_answer(catalog: Catalog) -> None:
    lines = [line("x" * 100_000), line("real\nauth-svc ERROR forged\x1b[31m")]
    text = (await logs(catalog, FakeLogs(lines), limit=100)).text
    assert len(text.splitlines()) == 3
    assert len(text) < 1000
    assert "\x1b" not in text


async def test_a_burst_of_different_lines_stays_within_the_limit(catalog: Catalog) -> None:
    lines = [line(f"{chr(97 + n % 26) * (n // 26 + 1)} " * 40) for n in range(1000)]
    assert len((await logs(catalog, FakeLogs(lines), limit=100)).text) <= SOFT_LIMIT


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"service": "api"}, "No service 'api' in the catalog. Services: api-server"),
        ({"level": "error!"}, "level: Input should be 'INFO', 'WARN' or 'ERROR'"),
        ({"since": "yesterday"}, "'yesterday' is not a time. Accepted: now, now-1h"),
        ({"limit": 1000}, "limit: Input should be less than or equal to 100"),
    ],
)
async def test_wrong_arguments_are_answered_with_right_ones(
    catalog: Catalog, arguments: dict[str, Any], words: str
) -> None:
    answer = await logs(catalog, FakeLogs(), **arguments)
    assert answer.is_error
    assert words in answer.text


async def test_a_deployment_shows_when_what_by_whom_and_each_change(catalog: Catalog) -> None:
    answer = await deployments(catalog, deployment(DB_POOL_SIZE=("20", "1"), NEW=(None, "x"), OLD=("y", None)))
    header, text = answer.text.splitlines()
    assert header.startswith("1 deployment of all services since ")
    assert text.startswith("api-server ")
    assert text.endswith(
        "(4 m ago) version 2.14.0 by ada: smaller pool; DB_POOL_SIZE 20 → 1; NEW (unset) → x; OLD y → (unset)"
    )


@pytest.mark.parametrize("key", ["API_TOKEN", "DB_PASSWORD", "PRIVATE_KEY", "database_url", "SENTRY_DSN"])
async def test_a_changed_secret_is_shown_as_changed_only(catalog: Catalog, key: str) -> None:
    changed = replace(deployment(), changes={key: ("hunter2", "hunter3")})
    text = (await deployments(catalog, changed)).text
    assert f"{key} (masked) → (masked)" in text
    assert "hunter" not in text


async def test_a_deployment_without_changes_says_so(catalog: Catalog) -> None:
    assert (await deployments(catalog, deployment())).text.endswith("no setting changed")


async def test_older_deployments_than_shown_are_announced(catalog: Catalog) -> None:
    text = (await deployments(catalog, deployment(), deployment(300), limit=1)).text
    assert "newest first; there are older ones: raise limit" in text
    assert len(text.splitlines()) == 2


async def test_no_deployment_is_no_data(catalog: Catalog) -> None:
    answer = await deployments(catalog, deployment(ago=7200), since="-1h", service="api-server")
    assert answer.text.startswith("NO DATA: no deployment of api-server since ")
