"""What is recorded of a thread, with the names of the people in it: what the plan of a post-mortem is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.record import Record
from sre_bot.tools.timeline import people_in

Name = Callable[[str], Awaitable[str]]
"""What somebody is called, by Slack's id; the id where that is not known."""


class Recorder:
    """Reads records.

    Args:
        ledger: holds them.
        name: names people.
    """

    def __init__(self, ledger: Ledger, name: Name) -> None:
        self._ledger = ledger
        self._name = name

    async def read(self, channel: str, thread_ts: str) -> Record:
        """Everything that is recorded of a thread; raises LedgerError."""
        record = await self._ledger.records.of_thread(channel, thread_ts)
        names = {person: await self._name(person) for person in sorted(people_in(record))}
        return replace(record, names=names)
