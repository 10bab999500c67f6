"""Reading pages and finding post-mortems."""

import time

import pytest

from sre_bot.errors import SettingsError
from sre_bot.settings import load_tool_settings
from sre_bot.tools.spec import SOFT_LIMIT
from tests.confluence.conftest import TEXT, Site, Tools

DAY = 86_400.0


async def add(site: Site, title: str, text: str = "pool", days: float = 1.0, labels: tuple[str, ...] = ()) -> str:
    page = await site.order(
        "pages",
        title=title,
        storage=f"<p>{text}</p>",
        created=time.time() - days * DAY,
        labels=["postmortem", *labels],
    )
    return str(page["id"])


async def test_a_page_is_read_by_its_id_and_by_its_title(site: Site, tools: Tools) -> None:
    number = await add(site, "API outage", "caf&eacute; &nbsp; &rarr; <em>closed</em>", days=3)
    by_id = await tools.ok("get_page", page=f" {number} ")
    assert by_id == await tools.ok("get_page", page="API outage")
    first, facts, _, text = by_id.splitlines()
    assert first == f"API outage (page {number}) {site.url}/wiki/spaces/SRE/pages/{number}/API+outage"
    assert facts.startswith("version 1, created 20")
    assert text == "café   → closed"


async def test_a_number_may_be_a_title(site: Site, tools: Tools) -> None:
    await add(site, "2026")
    assert (await tools.ok("get_page", page="2026")).startswith("2026 (page ")


async def test_a_published_page_reads_as_it_was_written(site: Site, tools: Tools) -> None:
    await tools.ok("create_postmortem", **TEXT | {"impact": "café “quoted” → ≥ 5 %"})
    text = await tools.ok("get_page", page=TEXT["title"])
    assert "## Impact\n\ncafé “quoted” → ≥ 5 %" in text
    assert "- 14:00 deploy\n- 14:05 alert" in text
    assert "- [ ] ada: bound the pool size in the schema, Friday" in text


async def test_a_long_page_is_read_part_by_part_and_nothing_is_lost(site: Site, tools: Tools) -> None:
    lines = [f"line {number:05} " + "x" * 40 for number in range(600)]
    number = await add(site, "Long", "<br/>".join(lines))
    seen: list[str] = []
    part = 1
    while True:
        text = await tools.ok("get_page", page=number, part=part)
        assert len(text) <= SOFT_LIMIT
        seen += [line for line in text.splitlines() if line.startswith("line ")]
        assert f"part {part} of 4" in text
        if "it goes on" not in text:
            break
        part += 1
        assert f"confluence_get_page with page={number} and part={part}" in text
    assert seen == lines
    assert "has 4 parts, no part 5" in await tools.fails("get_page", page=number, part=5)


async def test_one_endless_line_is_split_too(site: Site, tools: Tools) -> None:
    number = await add(site, "Endless", "x" * 30_000)
    assert "part 1 of 4" in await tools.ok("get_page", page=number)


async def test_an_empty_page_says_so(site: Site, tools: Tools) -> None:
    assert "(the page is empty)" in await tools.ok("get_page", page=await add(site, "Empty", ""))


@pytest.mark.parametrize("page", ["999", "API outages", "\x00", 'x" or type=page', "../../x", "9" * 400])
async def test_a_page_that_is_not_there_is_said_with_close_titles(site: Site, tools: Tools, page: str) -> None:
    await add(site, "API outage")
    said = await tools.fails("get_page", page=page)
    assert said.startswith("The account sees no page with the id or the exact title")
    assert ("Close titles: API outage" in said) == ("API" in page)
    assert "confluence_list_postmortems searches by words" in said


async def test_postmortems_are_listed_newest_first_with_excerpts(site: Site, tools: Tools) -> None:
    old = await add(site, "Old", "The pool of A &amp; B", days=40)
    new = await add(site, "New", "pool", days=2)
    text = await tools.ok("list_postmortems", words="Pool")
    head, first, _, second, excerpt = text.splitlines()
    assert head == "2 of 2 pages in space SRE (label postmortem, words 'Pool'), newest first"
    assert f"New (page {new}) {site.url}/wiki/spaces/SRE/pages/{new}/New" in first
    assert f"Old (page {old})" in second
    assert excerpt == "  The pool of A & B"


async def test_the_list_is_narrowed_by_words_label_and_time(site: Site, tools: Tools) -> None:
    await add(site, "One", "pool api-server", days=40, labels=("api-server",))
    await add(site, "Two", "pool", days=2)
    for arguments, title in (
        ({"words": "pool api-server"}, "One"),
        ({"label": "API-server"}, "One"),
        ({"since": "-7d"}, "Two"),
        ({"since": "-7d", "words": "pool"}, "Two"),
    ):
        text = await tools.ok("list_postmortems", **arguments)
        assert text.startswith("1 of 1 pages")
        assert f"{title} (page " in text


async def test_what_was_left_out_is_counted(site: Site, tools: Tools) -> None:
    for number in range(3):
        await add(site, f"Outage {number}")
    text = await tools.ok("list_postmortems", limit=2)
    assert text.startswith("2 of 3 pages")
    assert "raise limit or narrow the search" in text


async def test_nothing_found_is_no_data_with_what_was_asked(site: Site, tools: Tools) -> None:
    text = await tools.ok("list_postmortems", words="unicorn", since="-1d")
    assert text.startswith("NO DATA: no page in space SRE (label postmortem, words 'unicorn', created since ")


async def test_a_published_postmortem_is_found_once_the_index_has_it(site: Site, tools: Tools) -> None:
    await tools.ok("create_postmortem", **TEXT)
    while "NO DATA" in (text := await tools.ok("list_postmortems", words="exhausted connections")):
        pass
    assert TEXT["title"] in text


async def test_a_time_that_is_none_is_refused(site: Site, tools: Tools) -> None:
    assert "'soon' is not a time" in await tools.fails("list_postmortems", since="soon")


def test_half_of_the_settings_name_the_missing_half() -> None:
    with pytest.raises(SettingsError) as caught:
        load_tool_settings({"CONFLUENCE_BASE_URL": "https://x.atlassian.net/wiki"})
    named = {line.split(":")[0].strip(" -") for line in str(caught.value).splitlines()[1:]}
    assert named == {"CONFLUENCE_API_TOKEN", "CONFLUENCE_USER_EMAIL", "CONFLUENCE_SPACE_KEY"}


def test_settings_reach_the_tool_process_whole() -> None:
    environ = {
        "CONFLUENCE_BASE_URL": "https://x.atlassian.net/wiki",
        "CONFLUENCE_API_TOKEN": "t0ken",
        "CONFLUENCE_USER_EMAIL": "ada@example.com",
        "CONFLUENCE_SPACE_KEY": "SRE",
        "CONFLUENCE_PARENT_PAGE_ID": "12",
    }
    settings = load_tool_settings(environ)
    assert "t0ken" not in repr(settings)
    assert load_tool_settings(settings.environment()).confluence == settings.confluence
