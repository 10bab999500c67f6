"""What every source of logs owes the tools, on both of them."""

import time

import pytest

from sre_bot.clients.logs import LogLine, LogQuery
from tests.logs.conftest import Hold, lines_of, pages_of

NOW = round(time.time(), 3)
LINES = [
    LogLine(NOW - 300, "api-server", "INFO", "started on port 8000"),
    LogLine(NOW - 200, "api-server", "WARN", "pool is nearly empty (18 of 20)"),
    LogLine(NOW - 100, "auth-svc", "ERROR", "Connection REFUSED by postgres"),
    LogLine(NOW - 50, "api-server", "ERROR", r'path "C:\temp" .*+?()[]{}^$| `quoted` ünïcode 日本'),
]


def texts(lines: list[LogLine]) -> list[str]:
    return [line.message for line in sorted(lines, key=lambda line: line.time)]


async def test_every_line_since_a_time_is_given_once_as_it_was_written(hold: Hold) -> None:
    found = await lines_of(await hold(LINES), LogQuery(NOW - 250))
    assert (
        sorted(found, key=lambda line: line.time)
        == [
            LogLine(pytest.approx(line.time, abs=1e-3), line.service, line.level, line.message)  # type: ignore[arg-type]
            for line in LINES[1:]
        ]
    )


async def test_since_is_included(hold: Hold) -> None:
    assert len(await lines_of(await hold(LINES), LogQuery(LINES[2].time))) == 2


@pytest.mark.parametrize(("service", "count"), [("api-server", 3), ("auth-svc", 1), (None, 4)])
async def test_a_service_is_named_exactly(hold: Hold, service: str | None, count: int) -> None:
    found = await lines_of(await hold(LINES), LogQuery(NOW - 1000, service))
    assert len(found) == count
    assert service is None or {line.service for line in found} == {service}


@pytest.mark.parametrize(("level", "count"), [(None, 4), ("INFO", 4), ("WARN", 3), ("ERROR", 2)])
async def test_a_level_means_that_level_or_worse(hold: Hold, level: str | None, count: int) -> None:
    assert len(await lines_of(await hold(LINES), LogQuery(NOW - 1000, level=level))) == count


@pytest.mark.parametrize(
    ("contains", "found"),
    [
        ("connection refused", [LINES[2]]),
        ("PORT 80", [LINES[0]]),
        ("", LINES),
        (".", [LINES[3]]),
        (r'"C:\temp" .*+?()[]{}^$| `', [LINES[3]]),
        ("ÜNÏCODE 日本", [LINES[3]]),
        (r"\d", []),
        ('"} | {a="', []),
        ("(?i)", []),
        ("a\nb\tc\x00\x7f", []),
        ("\ud800", []),
    ],
)
async def test_text_is_searched_for_as_it_is_whatever_its_case(hold: Hold, contains: str, found: list[LogLine]) -> None:
    assert texts(await lines_of(await hold(LINES), LogQuery(NOW - 1000, contains=contains))) == texts(found)


@pytest.mark.parametrize("service", ['x"} or {a="b', "x\\", "x`y", ".*", "a|b"])
async def test_a_service_is_never_more_than_a_name(hold: Hold, service: str) -> None:
    assert await lines_of(await hold(LINES), LogQuery(NOW - 1000, service)) == []


async def test_no_line_is_no_error(hold: Hold) -> None:
    assert await lines_of(await hold([]), LogQuery(NOW - 1000)) == []


async def test_many_lines_of_a_lower_level_do_not_hide_the_worse(hold: Hold) -> None:
    noise = [LogLine(NOW - 90 + n / 100, "api-server", "INFO", f"request {n}") for n in range(1_500)]
    found = await lines_of(await hold([*LINES, *noise]), LogQuery(NOW - 1000))
    assert sum(line.level == "ERROR" for line in found) == 2


async def test_lines_that_are_not_given_are_counted(hold: Hold) -> None:
    many = [LogLine(NOW - 90 + n / 100, "api-server", "WARN", f"request {n}") for n in range(1_500)]
    pages = await pages_of(await hold(many), LogQuery(NOW - 1000))
    assert sum(len(page.lines) + page.unread for page in pages) == 1_500
