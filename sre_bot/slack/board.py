"""`workflows.people.Board` on Slack: one card for each case in the incident channel, and lines in its thread.

A card that cannot be shown as it should be is shown shorter; one whose message somebody deleted is posted anew, since
an incident that nobody sees is worse than a card too many. The thread below a deleted message is gone with it for
readers of the channel, so the new card begins a new one.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sre_bot.slack.cards.incident import Detail, Sheet
from sre_bot.slack.cards.proposal import ProposalSheet
from sre_bot.slack.cards.reply import Page
from sre_bot.slack.outbox import GONE, TOO_LONG, UNSHOWABLE, Outbox, SlackRefused
from sre_bot.slack.pages import paginate
from sre_bot.workflows.people import Card, ProposalCard, Shown

log = logging.getLogger(__name__)

MISPLACED = frozenset({"channel_not_found", "not_in_channel", "is_archived"})
"""Codes for a channel in which the bot cannot post."""
ADVICE = (
    "Slack does not take cards in the channel {channel} ({code}). Invite the bot to the channel of "
    "SLACK_INCIDENT_CHANNEL, or correct that setting."
)
CLOCKS_APART = timedelta(minutes=10)  # how much earlier by Slack's clock a card may be than its case by ours

Now = Callable[[], Awaitable[Card]]


class SlackBoard:
    """The incident channel.

    Args:
        outbox: the way to Slack, and its pace, shared with the replies.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def show(self, now: Now, *, search: bool) -> Shown:
        """Post the card, or make its message say what is true when its turn has come; see the Protocol.

        Raises:
            SlackRefused: it will not be taken there; says what to do where the channel is wrong.
            Unreachable, RateLimited: try again with `search`.
        """
        card = await now()
        try:
            return await self._show(card, now, search=search)
        except SlackRefused as error:
            if error.code in MISPLACED:
                advice = ADVICE.format(channel=card.case.channel, code=error.code)
                raise SlackRefused(error.code, advice) from error
            raise

    async def tell(self, channel: str, thread_ts: str, text: str, key: str, *, search: bool) -> None:
        """Markdown in a card's thread, once for its key; in several messages only where it is too long for one."""
        for number, part in enumerate(paginate(text)):
            part_key = f"{key}/{number}" if number else key
            await self._outbox.post(channel, thread_ts, Page(part), part_key, search=search)

    async def show_proposal(self, now: Callable[[], Awaitable[ProposalCard]], *, search: bool) -> str:
        """Post a proposal in its thread, or make its message say what is true now; gives its timestamp.

        Raises as `show` does.
        """
        card = await now()
        for short in (False, True):
            try:
                return await self._show_proposal(card, ProposalSheet(card, short), search=search)
            except SlackRefused as error:
                if short or error.code not in TOO_LONG | UNSHOWABLE:
                    raise
                log.warning("Slack refuses proposal %d as it is (%s): showing less", card.approval.id, error.code)
        raise AssertionError("the last attempt returns or raises")

    async def _show_proposal(self, card: ProposalCard, sheet: ProposalSheet, *, search: bool) -> str:
        approval = card.approval
        key = f"proposal:{approval.id}"
        if approval.card_ts:
            try:
                await self._outbox.update(approval.channel, approval.card_ts, lambda: sheet)
                return approval.card_ts
            except SlackRefused as error:
                if error.code not in GONE:
                    raise
                key = f"{key}:again"  # its message was deleted; a decision must stay possible, and visible
        return await self._outbox.post(approval.channel, approval.thread_ts, sheet, key, search=search)

    async def _show(self, card: Card, now: Now, *, search: bool) -> Shown:
        channel, key = card.case.channel, f"case:{card.case.id}"
        if ts := card.case.thread_ts:
            try:
                return await self._update(channel, ts, card, now)
            except SlackRefused as error:
                if error.code not in GONE:
                    raise
                log.warning("the card of case %s is gone (%s): posting another", card.case.id, error.code)
        if search or self._outbox.doubts(key):
            found = await self._outbox.find(channel, key, since=card.case.opened_at - CLOCKS_APART)
            if found:
                shown = await self._update(channel, found, card, now)
                self._outbox.settle(key)
                return shown
        return await self._post(channel, key, now)

    async def _update(self, channel: str, ts: str, card: Card, now: Now) -> Shown:
        async def replace(sheet: Sheet) -> str:
            await self._outbox.replace(channel, ts, sheet)
            return ts

        return await _fit(lambda: self._outbox.wait_to_update(progress=card.case.open), now, replace)

    async def _post(self, channel: str, key: str, now: Now) -> Shown:
        async def send(sheet: Sheet) -> str:
            return await self._outbox.send(channel, sheet, key)

        return await _fit(lambda: self._outbox.wait_to_post(channel, begins_thread=True), now, send)


async def _fit(turn: Callable[[], Awaitable[None]], now: Now, send: Callable[[Sheet], Awaitable[str]]) -> Shown:
    """Send a card as it is when its turn has come; with less detail each time that Slack refuses what is in it."""
    for detail in (Detail.FULL, Detail.SHORT):
        try:
            return await _send(detail, turn, now, send)
        except SlackRefused as error:
            if error.code not in TOO_LONG | UNSHOWABLE:
                raise
            log.warning("Slack refuses a card (%s): showing less of it", error.code)
    return await _send(Detail.WORDS, turn, now, send)


async def _send(
    detail: Detail, turn: Callable[[], Awaitable[None]], now: Now, send: Callable[[Sheet], Awaitable[str]]
) -> Shown:
    await turn()
    card = await now()
    return Shown(await send(Sheet(card, detail)), card.case.revision)
