"""The stand-in is at least as strict as Confluence: what a careful app never sends is refused and noted."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from sandbox.confluence.app import StandIn
from sandbox.confluence.site import EMAIL, TOKEN
from sandbox.processes import Child
from sre_bot.settings import ROOT
from tests.confluence.conftest import Site

PAGES = "/wiki/api/v2/pages"
SEARCH = "/wiki/rest/api/search"


async def call(site: Site, method: str, path: str, auth: bool = True, **content: Any) -> tuple[int, Any]:
    basic = aiohttp.encode_basic_auth(site.world["email"], site.world["token"])
    headers = {"Authorization": basic} if auth else {}
    async with site.http.request(method, site.url + path, headers=headers, **content) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


def page(site: Site, **changed: Any) -> dict[str, Any]:
    body = {"representation": "storage", "value": "<p>text</p>"}
    return {"spaceId": site.world["space"]["id"], "status": "current", "title": "New", "body": body} | changed


def storage(value: str) -> dict[str, Any]:
    return {"body": {"representation": "storage", "value": value}}


async def test_nobody_is_let_in_without_credentials(site: Site) -> None:
    for method, path in (("GET", PAGES), ("POST", PAGES), ("GET", SEARCH), ("POST", "/wiki/rest/api/content/1/label")):
        assert (await call(site, method, path, auth=False))[0] == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"colour": "red"},
        {"spaceId": "SRE"},
        {"spaceId": 98310},
        {"status": "published"},
        {"title": ""},
        {"title": "x" * 256},
        {"title": "two\nlines"},
        {"body": "<p>text</p>"},
        {"body": {"representation": "wiki", "value": "h1. text"}},
        storage("<p>not closed"),
        storage("<p>a & b</p>"),
        storage("<p>&unknown;</p>"),
        storage("<p>\x00</p>"),
        storage("<script>alert(1)</script>"),
        storage('<p onclick="x()">a</p>'),
        storage('<a href="javascript:x()">a</a>'),
        storage('<ac:structured-macro ac:name="html" />'),
        storage("<ac:unknown />"),
    ],
)
async def test_pages_that_confluence_would_not_take_are_refused_and_noted(
    lenient_site: Site, changed: dict[str, Any]
) -> None:
    status, body = await call(lenient_site, "POST", PAGES, json=page(lenient_site, **changed))
    assert status in (400, 404)
    assert body["errors"][0]["title"]
    assert [entry["kind"] for entry in await lenient_site.violations()] == ["careless"]
    assert await lenient_site.postmortems() == []


async def test_a_title_is_taken_whatever_its_letter_case_and_that_is_no_carelessness(site: Site) -> None:
    assert (await call(site, "POST", PAGES, json=page(site)))[0] == 200
    status, body = await call(site, "POST", PAGES, json=page(site, title="NEW"))
    assert status == 400
    assert "already exists" in body["errors"][0]["title"]


async def test_a_body_is_given_only_when_asked_for_and_comes_back_rewritten(site: Site) -> None:
    created = (await call(site, "POST", PAGES, json=page(site, **storage("<p>caf\u00e9</p>"))))[1]
    assert (await call(site, "GET", f"{PAGES}/{created['id']}"))[1]["body"] == {}
    shown = (await call(site, "GET", f"{PAGES}/{created['id']}?body-format=storage"))[1]
    assert shown["body"]["storage"]["value"] == '<p local-id="000000000001">caf&eacute;</p>'


async def test_lists_are_paged_by_a_cursor_in_the_next_link(site: Site) -> None:
    body = (await call(site, "GET", f"{PAGES}?limit=1"))[1]
    assert body["results"][0]["title"] == "Post-mortems"
    body = (await call(site, "GET", body["_links"]["next"]))[1]
    assert body["results"][0]["title"] == "Site reliability"
    assert "next" not in body["_links"]


@pytest.mark.parametrize(
    "labels",
    [[], {}, [{"name": "x"}], [{"prefix": "global", "name": "two words"}], [{"prefix": "x", "name": "x"}], ["x"]],
)
async def test_labels_that_confluence_would_not_take_are_refused(lenient_site: Site, labels: Any) -> None:
    path = f"/wiki/rest/api/content/{lenient_site.world['parent']}/label"
    assert (await call(lenient_site, "POST", path, json=labels))[0] == 400
    assert await lenient_site.violations()


@pytest.mark.parametrize(
    "cql",
    [
        "",
        "space",
        "space =",
        "space = SRE and",
        "colour = red",
        "text = pool",
        "label ~ x",
        'text ~ "a:b"',
        'text ~ "a OR b"',
        'text ~ "(a"',
        'text ~ ""',
        'title = "not closed',
        "title = two words",
        "created >= yesterday",
        "created >= 2026-01-31T00:00:00Z",
        "(space = SRE",
        "space = SRE order by colour",
    ],
)
async def test_queries_that_do_not_parse_are_refused_and_noted(lenient_site: Site, cql: str) -> None:
    status, body = await call(lenient_site, "GET", SEARCH, params={"cql": cql})
    assert status == 400
    assert "Could not parse cql" in body["message"]
    assert await lenient_site.violations()


@pytest.mark.parametrize(
    ("cql", "titles"),
    [
        ('space = "SRE" and type = page order by title', ["A pool", "B", "Post-mortems", "Site reliability"]),
        ('text ~ "POOL" and label = postmortem', ["A pool"]),
        ("label in (postmortem, x) and not title = B", ["A pool"]),
        ('title ~ "pool" or title = "B" order by created asc', ["A pool", "B"]),
        ('created >= "2026-01-02" and created < "2026-01-03 12:00"', ["B"]),
        ("space != SRE", []),
    ],
)
async def test_queries_select_and_order(site: Site, cql: str, titles: list[str]) -> None:
    day = 86_400.0
    first = 1_767_225_600.0  # 2026-01-01 UTC
    await site.order("pages", title="A pool", storage="<p>x</p>", created=first, labels=["postmortem"])
    await site.order("pages", title="B", storage="<p>x</p>", created=first + day, labels=["x"])
    body = (await call(site, "GET", SEARCH, params={"cql": cql}))[1]
    assert [hit["title"] for hit in body["results"]] == titles
    assert body["totalSize"] == len(titles)


async def test_a_new_page_is_not_searchable_before_the_index_has_it() -> None:
    stand_in = StandIn(index_lag=3600)
    seeded = stand_in.site.add("Seeded", "<p>x</p>", None, created=1.0)
    made = stand_in.site.add("Made", "<p>x</p>", None)
    assert seeded.searchable < time.time() < made.searchable
    async with TestServer(stand_in.application()) as server, aiohttp.ClientSession() as http:
        site = Site(str(server.make_url("")).rstrip("/"), http, {"email": EMAIL, "token": TOKEN})
        body = (await call(site, "GET", SEARCH, params={"cql": "title = Made or title = Seeded"}))[1]
        assert [hit["title"] for hit in body["results"]] == ["Seeded"]


async def test_a_hidden_page_is_not_shown_by_anything(site: Site) -> None:
    hidden = await site.order("pages", title="Secret", storage="<p>x</p>", hidden=True)
    assert (await call(site, "GET", f"{PAGES}/{hidden['id']}"))[0] == 404
    assert (await call(site, "GET", f"{PAGES}?title=Secret"))[1]["results"] == []
    assert (await call(site, "GET", SEARCH, params={"cql": "title = Secret"}))[1]["totalSize"] == 0
    assert (await call(site, "GET", f"/wiki/spaces/SRE/pages/{hidden['id']}"))[0] == 404


async def test_a_call_before_the_time_that_a_rate_limit_named_is_a_violation(lenient_site: Site) -> None:
    await lenient_site.order("faults", kind="status", status=429, retry_after=60)
    assert [(await call(lenient_site, "GET", PAGES))[0] for _ in range(2)] == [429, 429]
    assert [entry["kind"] for entry in await lenient_site.violations()] == ["before_retry_after"]
    await lenient_site.order("faults", clear=True)
    assert (await call(lenient_site, "GET", PAGES))[0] == 200


async def test_paths_and_parameters_that_are_not_there_are_noted(lenient_site: Site) -> None:
    assert (await call(lenient_site, "GET", "/wiki/api/v2/page"))[0] == 404
    assert (await call(lenient_site, "GET", f"{PAGES}?spaceKey=SRE"))[0] == 400
    assert [entry["kind"] for entry in await lenient_site.violations()] == ["unknown_path", "careless"]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("faults", {"kind": "meteor"}),
        ("pages", {"title": "x"}),
        ("pages", {"title": "x", "storage": "<p>"}),
        ("pages/delete", {"id": "1"}),
    ],
)
async def test_wrong_orders_are_answered_with_a_reason(site: Site, path: str, order: dict[str, Any]) -> None:
    async with site.http.post(f"{site.url}/sandbox/{path}", json=order) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_a_page_can_be_deleted_and_the_space_is_listed_for_people(site: Site) -> None:
    made = await site.order("pages", title="<b>Gone</b>", storage="<p>x</p>")
    assert "&lt;b&gt;Gone&lt;/b&gt;" in (await call(site, "GET", "/wiki/spaces/SRE", auth=False))[1]
    await site.order("pages/delete", id=made["id"])
    assert "Gone" not in (await call(site, "GET", "/", auth=False))[1]


async def test_the_process_says_where_it_listens_and_ends_when_told(tmp_path: Path) -> None:
    child = await Child.start(
        "confluence",
        [sys.executable, "-m", "sandbox.confluence", "--index-lag", "0"],
        ready=r"^confluence stand-in listening on (http://127\.0\.0\.1:\d+)\n",
        log_dir=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    async with aiohttp.ClientSession() as http, http.get(f"{child.found}/sandbox/world") as answer:
        assert (await answer.json())["site"] == f"{child.found}/wiki"
    async with asyncio.timeout(60):
        await child.stop()
    assert not child.running
