"""What people's buttons on a card do: acknowledge, investigate, silence. Only a person's click leads here.

A click is answered with one sentence. Nothing here is decided by text that a model or a monitoring system wrote.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from sre_bot.clients.alertmanager import Alertmanager
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.errors import BadRequest, SreBotError
from sre_bot.incidents.ledger import Ledger
from sre_bot.incidents.model import UNFINISHED
from sre_bot.incidents.paging import Case, Incident, IncidentStatus, Urgency
from sre_bot.workflows.cases import Desk
from sre_bot.workflows.people import Prompt

QUIET_FOR = 3600.0
"""Seconds that something is silenced."""
MOST = 25
"""Incidents that one click tells the source of: each is a call or two, and a person waits for the sentence."""

LOOK = "{person} asked for this with the button on the card. Look into it now; what monitoring said is quoted below."


class Pager(Protocol):
    """PagerDuty, as far as a click goes."""

    async def acknowledge(self, incident: str, note: str) -> None:
        """Say that somebody has it. Raises SreBotError."""


class Silencer(Protocol):
    """Whoever pages, and can be told to be quiet."""

    async def silence(self, incident: Incident, seconds: float, person: str) -> None:
        """Keep one incident's alert quiet for a while. Raises SreBotError."""


class PagerDutySilencer:
    """Snoozes incidents."""

    def __init__(self, pagerduty: PagerDuty) -> None:
        self._pagerduty = pagerduty

    async def silence(self, incident: Incident, seconds: float, _person: str) -> None:
        """Keep an incident from paging for a while."""
        await self._pagerduty.snooze(incident.key.removeprefix("pd:"), seconds)


class AlertmanagerSilencer:
    """Makes silences."""

    def __init__(self, alertmanager: Alertmanager) -> None:
        self._alertmanager = alertmanager

    async def silence(self, incident: Incident, seconds: float, person: str) -> None:
        """Keep an alert quiet for a while."""
        fingerprint = incident.key.split(":")[1]
        await self._alertmanager.silence(fingerprint, seconds, person, f"Silenced in Slack by {person}.")


class Actions:
    """The buttons of cards.

    Args:
        ledger: knows the cases.
        desk: where the agent is asked.
        pager: PagerDuty; None where it is not configured.
        silencers: by source (`pd`, `am`), where one is configured.
        team: id of the Slack workspace.
    """

    def __init__(
        self, ledger: Ledger, desk: Desk, pager: Pager | None, silencers: Mapping[str, Silencer], team: str
    ) -> None:
        self._ledger = ledger
        self._desk = desk
        self._pager = pager
        self._silencers = silencers
        self._team = team

    async def acknowledge(self, case_id: int, person: str) -> str:
        """Tell PagerDuty that a person has the case's incidents.

        Raises:
            BadRequest: it cannot be done; says why.
        """
        case = await self._case(case_id)
        pager = self._pager
        if pager is None:
            raise BadRequest("PagerDuty is not configured here (PAGERDUTY_API_KEY), so I cannot acknowledge.")
        waiting = [each for each in case.incidents if each.source == "pd" and each.status is IncidentStatus.TRIGGERED]
        if not waiting:
            return "Nothing is left to acknowledge."
        note = f"Acknowledged in Slack by {person}."
        return await _each(waiting, lambda each: pager.acknowledge(each.key.removeprefix("pd:"), note), "acknowledged")

    async def investigate(self, case_id: int, person: str) -> str:
        """Ask the agent to look into the case now.

        Raises:
            BadRequest: it cannot be done; says why.
        """
        case = await self._case(case_id)
        if case.thread_ts is None:
            raise BadRequest("The card is not posted yet. Try again in a moment.")
        thread = await self._ledger.find_thread(case.channel, case.thread_ts)
        turns = await self._ledger.turns_of(thread.id) if thread else []
        if any(turn.state in UNFINISHED for turn in turns):
            return "It is being looked into already: see the card's thread."
        # Of two clicks at once both find the same number of turns, and one of them becomes a turn.
        prompt = Prompt(self._team, case.channel, case.thread_ts, f"click:{len(turns)}", "", LOOK.format(person=person))
        await self._desk.ask(prompt, Urgency.HIGH)
        return "I look into it: see the card's thread."

    async def silence(self, case_id: int, person: str) -> str:
        """Keep whoever pages for the case quiet for an hour.

        Raises:
            BadRequest: it cannot be done; says why.
        """
        case = await self._case(case_id)
        loud = [each for each in case.incidents if each.open and each.source in self._silencers]
        if not loud:
            return "Nothing is left that I could silence."
        return await _each(
            loud, lambda each: self._silencers[each.source].silence(each, QUIET_FOR, person), "silenced for an hour"
        )

    async def _case(self, case_id: int) -> Case:
        case = await self._ledger.cases.get(case_id)
        if case is None:
            raise BadRequest("I do not know this incident any more: its record is older than I keep.")
        return case


async def _each(incidents: Sequence[Incident], act: Callable[[Incident], Awaitable[None]], done: str) -> str:
    """Do it for each incident, and say of how many it is true."""
    chosen = incidents[:MOST]
    results = await asyncio.gather(*map(act, chosen), return_exceptions=True)
    failed = [result for result in results if isinstance(result, SreBotError)]
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, SreBotError):
            raise result
    told = f"{len(chosen) - len(failed)} of {len(incidents)} incidents {done}."
    return f"{told} {failed[0]}" if failed else told
