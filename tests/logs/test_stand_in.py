"""Loki's stand-in refuses what Loki refuses."""

import time

import httpx2
import pytest

from sandbox.loki.logql import ParseError, parse
from tests.logs.conftest import RunningLoki

NOW = int(time.time() * 1e9)
TENANT = {"X-Scope-OrgID": "strict"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{}",
        '{app=""}',
        '{app=~".*"}',
        '{app!="x"}',
        '{app="x"',
        "{app=x}",
        "{app='x'}",
        '{app="x"} |~ "("',
        r'{app="x"} |~ "\d"',
        r'{app="x"} |= "\ud83d\ude00"',
        '{app="x"} |= "a\nb"',
        '{app="x"} |~ "(?=a)"',
        '{app="x"} | "y"',
        '{app="x"} nonsense',
        '{1a="x"}',
    ],
)
def test_what_is_no_log_query_is_a_parse_error(query: str) -> None:
    with pytest.raises(ParseError, match="parse error"):
        parse(query)


@pytest.mark.parametrize(
    ("query", "line", "kept"),
    [
        ('{app="x"} |= "b"', "abc", True),
        ('{app="x"} != "b"', "abc", False),
        ('{app="x"} |~ "^a.c$"', "abc", True),
        ('{app="x"} !~ "(?i)B"', "abc", False),
        (r'{app="x"} |= "\"\\\t\u00e9"', '"\\\té', True),
        (r"{app=`x`} |~ `\d`", "7", True),
        ('{app=~"x|y", env!="dev"} | level !~ "in.*"', "abc", True),
        ('{app="x"} | level=~"warn"', "abc", True),
        ('{app="x"} | level=~"war"', "abc", False),
        ('{app="x"} | absent=""', "abc", True),
    ],
)
def test_filters_mean_what_they_mean_in_logql(query: str, line: str, *, kept: bool) -> None:
    parsed = parse(query)
    assert parsed.selects({"app": "x"})
    assert parsed.keeps(line, {"app": "x", "level": "warn"}) == kept


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"query": ""}, "unexpected $end"),
        ({"limit": "0"}, "limit must be a positive value"),
        ({"limit": "5001"}, "max entries limit per query exceeded"),
        ({"direction": "up"}, "invalid direction"),
        ({"start": str(NOW), "end": str(NOW)}, "end timestamp must not be before or equal to start time"),
        ({"start": "0"}, "the query time range exceeds the limit"),
        ({"start": "yesterday"}, "could not parse 'start'"),
        ({"order": "asc"}, "parameters that Loki does not have"),
    ],
)
async def test_a_parameter_that_loki_refuses_is_refused(
    loki: RunningLoki, parameters: dict[str, str], words: str
) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{loki.url}/loki/api/v1/query_range", params={"query": '{app="x"}'} | parameters, headers=TENANT
        )
    assert answer.status_code == httpx2.codes.BAD_REQUEST
    assert words in answer.text


@pytest.mark.parametrize("value", [[1, "line"], ["1.5", "line"], ["1", 2], ["1", "line", {"a": 1}], ["1"]])
async def test_a_malformed_push_is_refused(loki: RunningLoki, value: list[object]) -> None:
    body = {"streams": [{"stream": {"app": "x"}, "values": [value]}]}
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{loki.url}/loki/api/v1/push", json=body, headers=TENANT)
    assert answer.status_code == httpx2.codes.BAD_REQUEST
