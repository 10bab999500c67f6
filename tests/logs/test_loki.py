"""Loki in particular: pages, limits, tenants, authentication and the levels that people write."""

import time
from typing import Any

import httpx2
import pytest

from sre_bot.clients.logs import LogLine, LogQuery
from sre_bot.clients.loki import PAGE, Loki
from sre_bot.errors import BackendError, RateLimited, Refused, SettingsError, Unreachable
from sre_bot.settings import LokiSettings, load_tool_settings
from tests.logs.conftest import RunningLoki, StartLoki, lines_of, pages_of

NOW = round(time.time(), 3)
EVERYTHING = LogQuery(NOW - 3600)


def line(number: int, moment: float | None = None) -> LogLine:
    return LogLine(NOW - 600 + number / 1000 if moment is None else moment, "api-server", "ERROR", f"failed {number}")


def answering(status: int, body: Any = None, **headers: str) -> Loki:
    content = body if isinstance(body, bytes) else str(body or "").encode()
    transport = httpx2.MockTransport(lambda _: httpx2.Response(status, content=content, headers=headers))
    return Loki(LokiSettings.model_validate({"LOKI_URL": "http://loki.test"}), transport)


async def test_pages_hold_every_line_once_newest_page_first(loki: RunningLoki) -> None:
    await loki.push(line(n) for n in range(2 * PAGE + 10))
    pages = await pages_of(loki.client(), EVERYTHING)
    assert len(pages) == 3
    assert pages[0].lines[0].message == f"failed {2 * PAGE + 9}"
    assert len({line.message for page in pages for line in page.lines}) == 2 * PAGE + 10


async def test_lines_of_one_time_are_not_lost_at_the_end_of_a_page(start_loki: StartLoki) -> None:
    loki = await start_loki("--max-entries", "100")
    moment = NOW - 60
    await loki.push([line(n, moment - 1) for n in range(70)] + [line(100 + n, moment) for n in range(80)])
    found = [each.message for each in await lines_of(loki.client(), EVERYTHING)]
    assert len(found) == len(set(found)) == 150


async def test_more_lines_of_one_time_than_a_page_holds_do_not_stop_the_older_ones(start_loki: StartLoki) -> None:
    loki = await start_loki("--max-entries", "60")
    await loki.push([line(n, NOW - 60) for n in range(200)] + [line(999, NOW - 90)])
    assert "failed 999" in [each.message for each in await lines_of(loki.client(), EVERYTHING)]


async def test_the_limit_that_loki_enforces_is_kept(start_loki: StartLoki) -> None:
    loki = await start_loki("--max-entries", "300")
    await loki.push(line(n) for n in range(700))
    assert len(await lines_of(loki.client(), EVERYTHING)) == 700
    assert [(asked["limit"], asked["status"]) for asked in await loki.requests()] == [
        ("5000", 400),
        *[("300", 200)] * 3,
    ]


async def test_a_page_too_large_to_be_read_is_asked_for_in_smaller_ones(loki: RunningLoki) -> None:
    await loki.push(LogLine(NOW - 600 + n / 1000, "api-server", "ERROR", f"{n:05} " + "x" * 9_000) for n in range(3000))
    assert len(await lines_of(loki.client(), EVERYTHING)) == 3_000


async def test_each_tenant_sees_its_own_lines(start_loki: StartLoki) -> None:
    loki = await start_loki("--tenants")
    await loki.push([line(1)], tenant="payments")
    assert len(await lines_of(loki.client(LOKI_TENANT="payments"), EVERYTHING)) == 1
    assert len(await lines_of(loki.client(LOKI_TENANT="payments|search"), EVERYTHING)) == 1
    assert await lines_of(loki.client(LOKI_TENANT="search"), EVERYTHING) == []
    with pytest.raises(Refused, match=r"no org id.*set LOKI_TENANT"):
        await lines_of(loki.client(), EVERYTHING)


@pytest.mark.parametrize(
    ("argument", "settings"),
    [
        (("--basic", "ada:hunter2"), {"LOKI_USERNAME": "ada", "LOKI_PASSWORD": "hunter2"}),
        (("--bearer", "t0ken"), {"LOKI_BEARER_TOKEN": "t0ken"}),
    ],
)
async def test_a_gateway_lets_the_right_credentials_in(
    start_loki: StartLoki, argument: tuple[str, str], settings: dict[str, str]
) -> None:
    loki = await start_loki(*argument)
    assert await lines_of(loki.client(**settings), EVERYTHING) == []
    with pytest.raises(Refused, match=r"401 Authorization Required.*Check the credentials beside LOKI_URL"):
        await lines_of(loki.client(), EVERYTHING)


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ("warning", "WARN"),
        ("err", "ERROR"),
        ("Critical", "ERROR"),
        ("fatal", "ERROR"),
        ("notice", "INFO"),
        ("trace", "DEBUG"),
        ("whatever", "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
async def test_levels_are_read_however_they_are_spelled(loki: RunningLoki, written: str, level: str) -> None:
    await loki.push([LogLine(NOW - 60, "api-server", written, "text")])
    (found,) = await lines_of(loki.client(), EVERYTHING)
    assert found.level == level
    worse = await lines_of(loki.client(), LogQuery(NOW - 3600, level="WARN"))
    assert bool(worse) == (level not in ("INFO", "DEBUG"))


async def test_the_names_of_the_labels_are_settings(loki: RunningLoki) -> None:
    await loki.push([LogLine(NOW - 60, "api-server", "warn", "text")], level_label=True)
    client = loki.client(LOKI_LEVEL_LABEL="level", LOKI_SERVICE_LABEL="service_name")
    assert [each.level for each in await lines_of(client, EVERYTHING)] == ["WARN"]
    assert await lines_of(loki.client(LOKI_SERVICE_LABEL="app"), EVERYTHING) == []


@pytest.mark.parametrize("name", ['a="b"} or {c', "1a", "service-name", "", "é"])
def test_a_label_name_that_could_be_a_query_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="LOKI_SERVICE_LABEL"):
        load_tool_settings({"LOKI_URL": "http://loki", "LOKI_SERVICE_LABEL": name})


async def test_lokis_own_words_are_kept(loki: RunningLoki) -> None:
    with pytest.raises(Refused, match="the query time range exceeds the limit"):
        await lines_of(loki.client(), LogQuery(NOW - 40 * 86400))


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, "parse error at line 1, col 2: syntax error", Refused, "parse error at line 1"),
        (401, "no org id", Refused, "set LOKI_TENANT"),
        (403, "", Refused, "Check the credentials beside LOKI_URL"),
        (404, "404 page not found", Refused, "Check that LOKI_URL points to Loki itself"),
        (429, "too many outstanding requests", RateLimited, "too many outstanding requests"),
        (500, "<html><title>oops</title></html>", Refused, "oops"),
        (503, "", Refused, "no explanation"),
        (504, "context deadline exceeded", Refused, "context deadline exceeded"),
        (200, "", Refused, "not JSON"),
        (200, '{"status": "succ', Refused, "not JSON"),
        (200, "[]", Refused, "shape that is not its API"),
        (200, '{"data": {"result": [{"stream": {}, "values": [["x"]]}]}}', Refused, "shape that is not its API"),
    ],
)
async def test_what_goes_wrong_is_said_with_what_to_do(
    status: int, body: str, error: type[BackendError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await lines_of(answering(status, body), EVERYTHING)


async def test_nobody_there_is_unreachable() -> None:
    loki = Loki(LokiSettings.model_validate({"LOKI_URL": "http://127.0.0.1:9"}))
    with pytest.raises(Unreachable, match=r"UNREACHABLE: Loki .* LOKI_URL"):
        await lines_of(loki, EVERYTHING)
