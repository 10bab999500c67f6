"""Every way in which Confluence can fail to answer, for every call: the reader is told what to do."""

from collections.abc import Awaitable, Callable

import pytest

from sre_bot.clients.confluence import Confluence
from sre_bot.errors import BackendError, RateLimited, Refused, Unreachable
from tests.confluence.conftest import Network, Site

Call = Callable[[Confluence], Awaitable[object]]

CALLS: dict[str, tuple[str, Call]] = {
    "page": ("/api/v2/pages/", lambda client: client.page("65633")),
    "find_page": ("/api/v2/pages", lambda client: client.find_page("Post-mortems")),
    "create_page": ("/api/v2/pages", lambda client: client.create_page("New", "<p>text</p>")),
    "add_labels": ("/label", lambda client: client.add_labels("65633", ["postmortem"])),
    "search": ("/search", lambda client: client.search("pool")),
    "close_titles": ("/search", lambda client: client.close_titles("pool")),
    "space": ("/spaces", lambda client: client.find_page("Post-mortems")),
}
ADVICE = {
    400: "change what these words name",
    401: "CONFLUENCE_API_TOKEN belongs to CONFLUENCE_USER_EMAIL",
    403: "needs the permission to view",
    404: "the account of CONFLUENCE_USER_EMAIL may not see it",
    409: "read it again, then repeat the call",
    500: "try again in a minute; status.atlassian.com",
    503: "try again in a minute; status.atlassian.com",
}


async def failure(site: Site, client: Confluence, name: str, **fault: object) -> BackendError:
    path, call = CALLS[name]
    await site.order("faults", path=path, **fault)
    with pytest.raises(BackendError) as caught:
        await call(client)
    for secret in (site.world["token"], site.world["email"]):
        assert secret not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", ADVICE)
async def test_each_refusal_says_what_to_do(site: Site, client: Confluence, name: str, status: int) -> None:
    told = await failure(site, client, name, kind="status", status=status)
    assert isinstance(told, Refused)
    assert told.status == status
    assert ADVICE[status] in str(told)
    assert "{" not in str(told), "raw JSON is no message"


@pytest.mark.parametrize("name", CALLS)
async def test_a_long_rate_limit_says_when_to_come_back(site: Site, client: Confluence, name: str) -> None:
    told = await failure(site, client, name, kind="status", status=429, retry_after=90)
    assert isinstance(told, RateLimited)
    assert told.retry_after == 90
    assert "was not carried out; repeat it in 90 s" in str(told)


async def test_a_rate_limit_that_names_no_time_is_not_guessed_at(site: Site, client: Confluence) -> None:
    told = await failure(site, client, "search", kind="status", status=429)
    assert "repeat it in a minute" in str(told)


@pytest.mark.parametrize("name", CALLS)
async def test_a_short_rate_limit_is_waited_for_once(site: Site, client: Confluence, name: str) -> None:
    path, call = CALLS[name]
    await site.order("faults", kind="status", status=429, retry_after=0, path=path)
    await call(client)
    assert [entry["status"] for entry in (await site.look("calls"))["calls"] if path in entry["path"]][:2] == [429, 200]


@pytest.mark.parametrize("name", CALLS)
async def test_a_login_page_instead_of_an_answer_is_named(site: Site, client: Confluence, name: str) -> None:
    told = await failure(site, client, name, kind="html")
    assert isinstance(told, Refused)
    assert "not JSON: Log in Log in with Atlassian account" in str(told)
    assert "Check that CONFLUENCE_BASE_URL points to Confluence itself" in str(told)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", ["half_body", "nothing", "hang"])
async def test_no_whole_answer_is_unreachable(
    site: Site, network: Network, client: Confluence, name: str, kind: str
) -> None:
    if kind == "hang":
        network.patience = 0.3
    told = await failure(site, client, name, kind=kind)
    assert isinstance(told, Unreachable)
    assert str(told).startswith("UNREACHABLE: Confluence at http://127.0.0.1:")
    assert "CONFLUENCE_BASE_URL is right" in str(told)


async def test_refused_credentials_are_refused_by_every_call(site: Site) -> None:
    client = Confluence(site.settings(CONFLUENCE_API_TOKEN="expired"), Network())
    for _, call in CALLS.values():
        with pytest.raises(Refused, match="has not expired"):
            await call(client)
    await client.aclose()


async def test_a_space_that_is_not_there_names_its_setting(site: Site) -> None:
    client = Confluence(site.settings(CONFLUENCE_SPACE_KEY="NOPE"), Network())
    with pytest.raises(Refused, match=r"no space 'NOPE'.*Check CONFLUENCE_SPACE_KEY"):
        await client.find_page("x")
    await client.aclose()


async def test_a_parent_that_is_not_there_names_its_setting(site: Site) -> None:
    client = Confluence(site.settings(CONFLUENCE_PARENT_PAGE_ID="1"), Network())
    with pytest.raises(Refused, match=r"Cannot find parent with id 1.*CONFLUENCE_PARENT_PAGE_ID"):
        await client.create_page("New", "<p>text</p>")
    await client.aclose()


async def test_a_base_url_without_its_path_gets_it(site: Site) -> None:
    client = Confluence(site.settings(CONFLUENCE_BASE_URL=site.url), Network())
    found = await client.find_page("Post-mortems")
    assert found
    assert found.url == f"{site.url}/wiki/spaces/SRE/pages/{found.id}/Post-mortems"
    await client.aclose()


async def test_a_title_that_is_taken_is_no_error(site: Site, client: Confluence) -> None:
    assert await client.create_page("POST-MORTEMS", "<p>text</p>") is None


async def test_all_results_are_fetched_page_by_page(site: Site, client: Confluence) -> None:
    for number in range(31):
        await site.order("pages", title=f"Outage {number}", storage="<p>pool</p>", created=1_700_000_000 + number)
    hits = await client.search("pool", limit=28)
    assert [hit.title for hit in hits.found] == [f"Outage {number}" for number in range(30, 2, -1)]
    assert hits.total == 31
    assert len([call for call in (await site.look("calls"))["calls"] if call["path"].endswith("/search")]) == 2


@pytest.mark.parametrize(
    "words", ['"', "\\", 'a" or type = page or text ~ "b', "a:b", "OR", "not (x", "DB_POOL_SIZE", "*", "é ü", "[", "-x"]
)
async def test_no_words_are_read_as_query_syntax(site: Site, client: Confluence, words: str) -> None:
    await client.search(words, label=words)
    await client.close_titles(words)
