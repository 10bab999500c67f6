"""Publishing a post-mortem: once, whatever happens on the way, and never over somebody's words."""

import asyncio

import pytest

from sre_bot.clients.confluence import Confluence
from tests.confluence.conftest import TEXT, Network, Site, Tools

NAME = "create_postmortem"


async def test_a_postmortem_is_published_under_the_parent_with_its_labels(site: Site, tools: Tools) -> None:
    said = await tools.ok(NAME, **TEXT, labels="api-server, DB pool!")
    (page,) = await site.postmortems()
    assert said.splitlines() == [
        f"Published {TEXT['title']} (page {page['id']}) {page['url']}",
        "Labels: postmortem, api-server, db-pool.",
    ]
    assert page["title"] == TEXT["title"]
    assert page["labels"] == ["postmortem", "api-server", "db-pool"]
    lines = page["text"].splitlines()
    headings = ["Summary", "Impact", "Timeline (UTC)", "Root cause", "Resolution", "What went well", "Action items"]
    assert [line for line in lines if line in headings] == headings
    assert "Requests failed for 12 minutes." in lines
    assert "14:05 alert" in lines
    assert "<ac:task-status>incomplete</ac:task-status>" in page["storage"]


async def test_a_page_can_be_read_by_people_in_the_sandbox(site: Site, tools: Tools) -> None:
    await tools.ok(NAME, **TEXT | {"impact": "<script>alert(1)</script>"})
    (page,) = await site.postmortems()
    async with site.http.get(page["url"]) as answer:
        html = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<h2>Root cause</h2>" in html
    assert "&lt;script&gt;alert(1)" in html


async def test_the_same_call_again_makes_no_second_page(site: Site, tools: Tools) -> None:
    await tools.ok(NAME, **TEXT)
    said = await tools.ok(NAME, **TEXT)
    assert said.startswith(f"Nothing was made: this is published already as {TEXT['title']} (page ")
    assert len(await site.postmortems()) == 1


async def test_the_same_call_again_finds_the_page_after_people_have_edited_it(site: Site, tools: Tools) -> None:
    await tools.ok(NAME, **TEXT)
    (page,) = await site.postmortems()
    edited = page["storage"].replace("Pool size back to 20.", "Ada put it back to 20.")
    await site.order("pages/edit", id=page["id"], storage=edited)
    assert (await tools.ok(NAME, **TEXT)).startswith("Nothing was made")
    assert [entry["storage"] for entry in await site.postmortems()] == [edited]


async def test_the_same_call_at_the_same_time_makes_one_page(site: Site, tools: Tools) -> None:
    said = await asyncio.gather(*(tools.ok(NAME, **TEXT) for _ in range(5)))
    assert len([text for text in said if text.startswith("Published")]) == 1
    assert len(await site.postmortems()) == 1


async def test_another_text_under_a_title_that_is_taken_gets_a_number(site: Site, tools: Tools) -> None:
    first = await site.order("pages", title=TEXT["title"].upper(), storage="<p>Ours.</p>")
    said = await tools.ok(NAME, **TEXT)
    assert said.startswith(f"Published {TEXT['title']} (2) (page ")
    assert f"Another page has the title '{TEXT['title']}'" in said
    again = await tools.ok(NAME, **TEXT)
    assert again.startswith(f"Nothing was made: this is published already as {TEXT['title']} (2)")
    pages = await site.postmortems()
    assert len(pages) == 2
    assert next(page for page in pages if page["id"] == first["id"])["storage"] == "<p>Ours.</p>"


async def test_a_title_that_a_hidden_page_has_gets_a_number_too(site: Site, tools: Tools) -> None:
    await site.order("pages", title=TEXT["title"], storage="<p>Secret.</p>", hidden=True)
    assert f"{TEXT['title']} (2)" in await tools.ok(NAME, **TEXT)


async def test_nine_taken_titles_are_enough(site: Site, tools: Tools) -> None:
    for suffix in ("", *(f" ({number})" for number in range(2, 10))):
        await site.order("pages", title=TEXT["title"] + suffix, storage="<p>Other.</p>")
    said = await tools.fails(NAME, **TEXT)
    assert said.startswith("Nothing was published")
    assert "Choose another" in said


@pytest.mark.parametrize("kind", ["drop_after", "half_body"])
async def test_a_page_whose_answer_was_lost_is_found_and_finished(site: Site, tools: Tools, kind: str) -> None:
    await site.order("faults", kind=kind, method="POST", path="/api/v2/pages")
    assert (await tools.ok(NAME, **TEXT)).startswith("Published ")
    (page,) = await site.postmortems()
    assert page["labels"] == ["postmortem"]


@pytest.mark.parametrize("fault", [{"kind": "nothing"}, {"kind": "hang"}, {"kind": "html"}, {"kind": "status"}])
async def test_an_unknown_outcome_says_so_and_the_same_call_is_safe(
    site: Site, network: Network, tools: Tools, fault: dict[str, str]
) -> None:
    await site.order("faults", method="POST", path="/api/v2/pages", **fault)
    if fault["kind"] == "hang":
        network.patience = 1.0
    said = await tools.fails(NAME, **TEXT)
    network.patience = 60.0
    assert "It is not known whether the page was made. Repeat the same call" in said
    assert (await tools.ok(NAME, **TEXT)).startswith("Published ")
    assert len(await site.postmortems()) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429])
async def test_a_refusal_is_passed_on_and_nothing_is_unknown(site: Site, tools: Tools, status: int) -> None:
    await site.order("faults", kind="status", status=status, method="POST", path="/api/v2/pages")
    assert "not known" not in await tools.fails(NAME, **TEXT)
    assert await site.postmortems() == []


async def test_labels_that_failed_are_told_and_added_by_the_same_call(site: Site, tools: Tools) -> None:
    await site.order("faults", kind="status", status=403, path="/label")
    said = await tools.ok(NAME, **TEXT)
    assert "Its labels are missing: Confluence answered 403" in said
    assert "Repeat the same call to add them" in said
    assert "Labels: postmortem." in await tools.ok(NAME, **TEXT)
    (page,) = await site.postmortems()
    assert page["labels"] == ["postmortem"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": " \n\x00 "}, "title is empty"),
        ({"title": "x" * 252}, "title is longer than 251 characters"),
        ({"timeline": "x" * 20_001}, "timeline has 20,001 characters, at most 20,000"),
        ({"labels": ",".join(map(str, range(10)))}, "at most 10 are taken"),
    ],
)
async def test_what_cannot_be_published_is_refused_before_anything_is_sent(
    site: Site, tools: Tools, changed: dict[str, str], words: str
) -> None:
    said = await tools.fails(NAME, **TEXT | changed)
    assert words in said
    assert (await site.look("calls"))["calls"] == []


async def test_a_section_without_words_says_that_nothing_is_established(site: Site, tools: Tools) -> None:
    await tools.ok(NAME, **TEXT | {"root_cause": " "})
    (page,) = await site.postmortems()
    assert "Root cause\nNot established." in page["text"]


async def test_the_longest_title_has_room_for_its_number(site: Site, tools: Tools) -> None:
    text = TEXT | {"title": "x" * 251}
    await site.order("pages", title=text["title"], storage="<p>Other.</p>")
    assert f"{text['title']} (2)" in await tools.ok(NAME, **text)


async def test_without_a_parent_the_page_is_put_under_the_home_page(site: Site) -> None:
    client = Confluence(site.settings(CONFLUENCE_PARENT_PAGE_ID=""), Network())
    await Tools(client).ok(NAME, **TEXT)
    await client.aclose()
    assert await site.postmortems() == []
    assert (await site.look("pages"))["pages"][0]["title"] == TEXT["title"]
