"""Confluence: whether it takes the credentials, and shows the space and the parent page. Nothing is published."""

from sre_bot.clients.confluence import Confluence
from sre_bot.doctor.finding import Finding, absent, failed, ok, problem
from sre_bot.doctor.known import Known
from sre_bot.errors import Refused
from sre_bot.settings import ConfluenceSettings

_NAME, _PARENT = "Confluence", "Confluence parent"


async def look(known: Known) -> list[Finding]:
    """A row for the space, and one for the parent page. Whether pages may be added there shows when one is."""
    settings = known.tools.confluence
    if broken := known.unusable(ConfluenceSettings, _NAME):
        return broken
    if settings is None:
        seen = "Post-mortems are neither published nor found."
        return [absent(_NAME, seen, "Set CONFLUENCE_BASE_URL and its group, to publish them.")]
    client = Confluence(settings)
    try:
        await client.space_id()
        found = ok(_NAME, f"It shows the space {settings.space_key} to {settings.user_email}.")
        return [found, await _parent(client, settings.parent_page_id)]
    finally:
        await client.aclose()


async def _parent(client: Confluence, page_id: str | None) -> Finding:
    if page_id is None:
        return absent(_PARENT, "Post-mortems are put at the top of the space.", "")
    try:
        return ok(_PARENT, f"{page_id} is {(await client.page(page_id)).title!r}.")
    except Refused as error:
        if error.status != 404:
            return failed(_PARENT, error)
        advice = "Set CONFLUENCE_PARENT_PAGE_ID to the number in the page's address, or remove it."
        return problem(_PARENT, f"The account sees no page {page_id}.", advice)
