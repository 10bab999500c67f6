"""`workflows.people.Attachments` on Slack: what no card can hold, as a file in the thread beside it.

A person must be able to see what they approve. A proposal whose call, diff or preview is longer than its card shows is
put into the thread whole, made from the sealed plan and nothing else, before the card is posted. A file is told from
others by its name, or a picture by its id, and is looked for first: nobody remembers across a crash what was shared.
"""

from sre_bot.errors import Refused
from sre_bot.incidents.model import Approval
from sre_bot.slack.cards.sealed import file_name, is_cut, whole
from sre_bot.slack.files import Files
from sre_bot.slack.outbox import Outbox, SlackRefused
from sre_bot.slack.pictures import ADVICE

UNSHOWN = "Slack did not take the file with the whole text: {why}"


class Attachments:
    """Shares them.

    Args:
        files: texts.
        outbox: pictures.
    """

    def __init__(self, files: Files, outbox: Outbox) -> None:
        self._files = files
        self._outbox = outbox

    async def file_proposal(self, approval: Approval) -> str:
        """Share a proposal that its card has to cut; gives why it cannot be. Raises Unreachable, RateLimited."""
        if not is_cut(approval):
            return ""
        try:
            await self._files.share(
                approval.channel,
                approval.thread_ts,
                file_name(approval),
                f"All of proposal #{approval.id}",
                whole(approval),
                search=True,
            )
        except Refused as error:
            code = error.code if isinstance(error, SlackRefused) else ""
            return UNSHOWN.format(why=ADVICE.get(code) or error)
        return ""

    async def upload(self, name: str, data: bytes, description: str) -> str:
        """Give Slack a picture; raises as `Outbox.upload` does."""
        return await self._outbox.upload(name, data, description)

    async def share(self, channel: str, thread_ts: str, file_id: str, title: str) -> None:
        """Show a picture once; raises as `Outbox.share` does."""
        await self._outbox.share(channel, thread_ts, file_id, title, search=True)
