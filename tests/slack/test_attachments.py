"""What no card can hold, as a file beside it: whole, once, from the sealed plan, or the reason why it cannot be."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import Unreachable
from sre_bot.incidents.model import Approval
from sre_bot.incidents.plan import Plan
from sre_bot.slack.attachments import Attachments
from sre_bot.slack.cards import proposal
from sre_bot.slack.cards.sealed import PART, PARTS
from sre_bot.slack.files import Files
from sre_bot.slack.outbox import Outbox
from sre_bot.workflows.people import ProposalCard
from tests.slack.test_proposal_card import make, texts

LIMIT = PART * PARTS
SHARE = "files.completeUploadExternal"
PAGE = "\n".join(f"{number:05d} what happened then <!channel> \u202e" for number in range(600))


def attachments(slack: Any) -> Attachments:
    """Those of a process that remembers nothing."""
    client = AsyncWebClient(token=slack.world["tokens"]["bot"], base_url=f"{slack.url}/api/", retry_handlers=[])
    outbox = Outbox(client, speed=20.0)
    return Attachments(Files(client, outbox), outbox)


async def long_one(slack: Any, **plan: Any) -> Approval:
    sealed = {"summary": "Publish a page", "preview": PAGE, **plan}
    return replace(make(plan=Plan(**sealed)), channel=slack.channel, thread_ts=await slack.say("why?"))


async def files_of(slack: Any, approval: Approval) -> list[dict[str, Any]]:
    return [file for message in await slack.replies(approval.thread_ts) for file in message["files"]]


async def read(slack: Any, file: dict[str, Any]) -> str:
    headers = {"Authorization": f"Bearer {slack.world['tokens']['bot']}"}
    async with aiohttp.ClientSession() as http, http.get(file["url_private"], headers=headers) as answer:
        return await answer.text()


async def test_what_the_card_cuts_is_whole_in_a_file_that_the_card_names(slack):
    approval = await long_one(slack)
    assert await attachments(slack).file_proposal(approval) == ""
    (file,) = await files_of(slack, approval)
    text = await read(slack, file)
    assert all(f"{number:05d} what happened then" in text for number in range(600))
    assert 'value = "20"' in text
    assert "\u202e" not in text, "in a file, too, nothing turns what follows"
    shown = texts(proposal.render(ProposalCard(approval, "Ada", "")))
    assert f"the file `{file['name']}` in this thread has all of it" in shown
    assert (await slack.look("pings"))["pings"] == []


@pytest.mark.parametrize("field", ["diff", "preview"])
@pytest.mark.parametrize(("length", "files"), [(LIMIT, 0), (LIMIT + 1, 1)])
async def test_there_is_a_file_exactly_where_the_card_says_that_it_cuts(slack, field: str, length: int, files: int):
    approval = await long_one(slack, **{"preview": "", field: "x" * length})
    await attachments(slack).file_proposal(approval)
    assert len(await files_of(slack, approval)) == files
    assert ("more characters are not shown" in texts(proposal.render(ProposalCard(approval, "Ada", "")))) is bool(files)


async def test_another_process_does_not_share_it_again(slack):
    approval = await long_one(slack)
    for _ in range(3):
        assert await attachments(slack).file_proposal(approval) == ""
    assert len(await files_of(slack, approval)) == 1


async def test_after_a_lost_answer_it_is_there_once(slack):
    approval = await long_one(slack)
    await slack.order("faults", method=SHARE, kind="drop_after")
    beside = attachments(slack)
    with pytest.raises(Unreachable):
        await beside.file_proposal(approval)
    assert await beside.file_proposal(approval) == ""
    assert len(await files_of(slack, approval)) == 1


async def test_where_slack_takes_no_files_it_says_what_to_do(slack):
    await slack.order("faults", method="files.getUploadURLExternal", kind="error", error="missing_scope")
    why = await attachments(slack).file_proposal(await long_one(slack))
    assert "The Slack app needs the scope `files:write`" in why


async def test_a_picture_is_shared_once_by_however_many_processes(slack):
    approval = await long_one(slack)
    file_id = await attachments(slack).upload("verdict-12.png", b"\x89PNG" + b"x" * 500, "Before and after #12")
    assert await files_of(slack, approval) == []
    for _ in range(3):
        await attachments(slack).share(slack.channel, approval.thread_ts, file_id, "Before and after #12")
    assert [file["id"] for file in await files_of(slack, approval)] == [file_id]
