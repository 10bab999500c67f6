"""The app's own tabs. Home is published when somebody opens it, and again when it changes while they may look at it.

Slack does not say when somebody closes it, so a home counts as looked at for `LATELY` seconds after it was opened. What
it shows is read from the ledger each time, so that it does not matter on which replica something changed. The Messages
tab gets prompts to pick from.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.errors import BackendError, LedgerError
from sre_bot.slack.cards.home import render, render_words
from sre_bot.slack.listeners import Door
from sre_bot.slack.mrkdwn import to_mrkdwn
from sre_bot.slack.outbox import Outbox, SlackRefused, answer
from sre_bot.workflows.overview import Overview, SuggestedPrompt

log = logging.getLogger(__name__)

LATELY = 600.0  # seconds after its opening in which a home is kept up to date
EVERY = 10.0  # seconds between two looks for what has changed
MOST_READERS = 20  # homes that are kept up to date; of more, those that were opened last
MOST_LINKS = 500  # addresses of messages that are remembered
PROMPTS_TITLE = "What shall I look into?"
CONFLICT = "hash_conflict"
"""Slack's code where the home was published since, which another replica did that heard of a later opening."""

View = dict[str, Any]


class Looks(Protocol):
    """Looks at what is going on; see `workflows.overview.Overviews`."""

    async def look(self) -> Overview:
        """Everything, as it is now; raises LedgerError."""

    async def prompts(self) -> list[SuggestedPrompt]:
        """What one may want to ask now."""


@dataclass(slots=True)
class Reader:
    """Somebody who may look at their home: when they opened it, and what it shows."""

    opened: float
    view: View = field(default_factory=dict)
    hash: str | None = None


class Home:
    """Publishes homes and offers prompts.

    Args:
        client: the Web API.
        outbox: the way to Slack.
        door: knows who may speak to the bot.
        looks: what is going on.
        every: seconds between two looks for what has changed.
        lately: seconds for which an opened home is kept up to date.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        outbox: Outbox,
        door: Door,
        looks: Looks,
        every: float = EVERY,
        lately: float = LATELY,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._door = door
        self._looks = looks
        self._every = every
        self._lately = lately
        self._readers: dict[str, Reader] = {}
        self._links: dict[tuple[str, str], str] = {}
        self._publishing = asyncio.Lock()  # what was looked at first is shown first
        self._anybody = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to keep homes up to date."""
        self._refreshing = asyncio.create_task(self._refresh_on(), name="homes")

    async def close(self) -> None:
        """Stop; homes stay as they are."""
        if self._refreshing:
            self._refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refreshing

    async def opened(self, event: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        """Somebody opened a tab."""
        why = await self._door.refuse(event, body)
        if event.get("tab") == "messages":
            if not why:
                await self._offer(event["channel"])
        elif why:
            await self._show_words(event["user"], why)
        else:
            await self._welcome(event["user"])

    async def _welcome(self, person: str) -> None:
        """Show a home to somebody who has just opened it, whatever it showed before."""
        self._readers.pop(person, None)
        self._readers[person] = Reader(time.monotonic())
        for oldest in list(self._readers)[:-MOST_READERS]:
            del self._readers[oldest]
        self._anybody.set()
        await self._show([person])

    async def _show(self, people: list[str]) -> None:
        """Make these homes say what is true; those that say it already are left alone."""
        async with self._publishing:
            try:
                overview = await self._looks.look()
            except LedgerError as error:
                log.warning("homes are not brought up to date: %s", error)
                for person in people:
                    await self._show_words(person, str(error))
                return
            links = await self._addresses(overview)
            for person in people:
                if reader := self._readers.get(person):
                    await self._publish(person, reader, render(overview, person, links))

    async def _show_words(self, person: str, words: str) -> None:
        reader = self._readers.get(person) or Reader(0.0)
        await self._publish(person, reader, render_words(to_mrkdwn(words)))

    async def _publish(self, person: str, reader: Reader, view: View) -> None:
        if view == reader.view:
            return
        try:
            reader.hash = await self._outbox.publish(person, view, reader.hash)
            reader.view = view
        except BackendError as error:
            if isinstance(error, SlackRefused) and error.code == CONFLICT:
                self._readers.pop(person, None)
                return
            reader.hash = None  # it may have been applied
            log.warning("the home of %s is not brought up to date: %s", person, error)

    async def _refresh_on(self) -> None:
        while True:
            await self._anybody.wait()
            await asyncio.sleep(self._every)
            now = time.monotonic()
            self._readers = {who: each for who, each in self._readers.items() if now - each.opened < self._lately}
            if not self._readers:
                self._anybody.clear()
                continue
            try:
                await self._show(list(self._readers))
            except Exception:  # the top level of the homes: one strange record may not end them for all
                log.exception("homes are not brought up to date; the next look follows")

    async def _addresses(self, overview: Overview) -> dict[tuple[str, str], str]:
        """Where messages are; what Slack does not say is left out, and asked again at the next look."""
        cases = [(case.channel, case.thread_ts or "") for case in overview.cases]
        proposals = [(each.channel, each.card_ts or each.thread_ts) for each in overview.waiting]
        places = dict.fromkeys([*cases, *proposals, *((turn.channel, turn.thread_ts) for turn in overview.runs)])
        wanted = [place for place in places if all(place)]
        for place in wanted:
            if place not in self._links:
                await self._find(place)
        while len(self._links) > MOST_LINKS:
            del self._links[next(iter(self._links))]
        return {place: self._links[place] for place in wanted if place in self._links}

    async def _find(self, place: tuple[str, str]) -> None:
        try:
            found = await answer(self._client.chat_getPermalink(channel=place[0], message_ts=place[1]))
        except BackendError as error:
            log.info("no address for the message %s %s: %s", *place, error)
        else:
            self._links[place] = str(found["permalink"])

    async def _offer(self, channel: str) -> None:
        """Prompts in a direct message. In an app that is an agent they belong to no thread; a courtesy, only logged."""
        prompts = [{"title": each.title, "message": each.message} for each in await self._looks.prompts()]
        call = self._client.assistant_threads_setSuggestedPrompts(
            channel_id=channel, title=PROMPTS_TITLE, prompts=prompts
        )
        try:
            await answer(call)
        except BackendError as error:
            log.info("no prompts in %s: %s", channel, error)


def register(app: AsyncApp, home: Home) -> None:
    """Bind the event with which Slack tells that somebody opened a tab."""

    @app.event("app_home_opened")
    async def on_opened(event: dict[str, Any], body: dict[str, Any]) -> None:
        await home.opened(event, body)
