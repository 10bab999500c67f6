"""The evidence of a thread, for the people in it."""

from sre_bot.evidence.exhibit import Exhibit
from sre_bot.incidents.ledger import Ledger
from sre_bot.workflows.checking import Describe


class ExhibitRoom:
    """Finds what the bot's answers in a thread cite.

    Args:
        ledger: keeps it.
        describe: the line that people read for a call.
    """

    def __init__(self, ledger: Ledger, describe: Describe) -> None:
        self._ledger = ledger
        self._describe = describe

    async def find(self, channel: str, thread_ts: str, number: int) -> tuple[Exhibit, str] | None:
        """An exhibit of this thread, and a line of Markdown on its call; None where it has none of this number.

        Raises:
            LedgerError: the database cannot be read.
        """
        thread = await self._ledger.find_thread(channel, thread_ts)
        found = await self._ledger.exhibits.read(thread.id, [number]) if thread else {}
        exhibit = found.get(number)
        return (exhibit, self._describe(exhibit.tool, exhibit.arguments)) if exhibit else None
