"""The composition root: builds every part, joins them, starts them, and stops them in the right order.

The only file that imports every layer. What is decided here is who knows whom; how things are done is decided below.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from os import EX_TEMPFAIL
from typing import Any
from uuid import uuid4

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from sre_bot.agent.options import prepare_environment
from sre_bot.assembly import AgentParts, Flows, Place, assemble_agent, assemble_flows
from sre_bot.catalog import load_catalog
from sre_bot.clients.alertmanager import Alertmanager
from sre_bot.clients.confluence import Confluence
from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.clients.prometheus import Prometheus
from sre_bot.errors import LeaseLost, SettingsError, SreBotError
from sre_bot.incidents.ledger import Ledger
from sre_bot.settings import Settings, load_settings, read_environment
from sre_bot.slack import home, listeners
from sre_bot.slack.approvers import Approvers
from sre_bot.slack.attachments import Attachments
from sre_bot.slack.board import SlackBoard
from sre_bot.slack.cards import closing, evidence, feedback, incident, proposal, reply
from sre_bot.slack.catching_up import CatchingUp
from sre_bot.slack.files import Files
from sre_bot.slack.membership import Membership
from sre_bot.slack.outbox import Outbox, refusal
from sre_bot.slack.people import SlackPeople
from sre_bot.slack.reading import ThreadReader
from sre_bot.slack.replies import Replies
from sre_bot.slack.sockets import Sockets
from sre_bot.slack.status import StatusLine
from sre_bot.slack.streams import Streams
from sre_bot.vitals import Readiness, vital_signs
from sre_bot.webhooks.listener import Listener
from sre_bot.workflows.actions import Actions, AlertmanagerSilencer, PagerDutySilencer, Silencer
from sre_bot.workflows.briefing import Briefings
from sre_bot.workflows.exhibits import ExhibitRoom
from sre_bot.workflows.overview import Overviews
from sre_bot.workflows.ratings import Ratings
from sre_bot.workflows.vigil import Probe, Vigil

log = logging.getLogger(__name__)

STOP_WITHIN = 35.0
"""Seconds from the signal to the end at most; last words have 20 of them."""


def main() -> int:
    """Run the bot until it is told to stop; gives the exit status.

    Mistakes in the settings end it with 2; one that others took for dead ends with 75, which asks to be started again.
    """
    try:
        settings = load_settings(read_environment())
        _log_to_stderr(settings.log_level)
        prepare_environment(settings)
        asyncio.run(_run_until_signal(settings))
    except SreBotError as error:
        print(error, file=sys.stderr)  # noqa: T201  (a person at a terminal)
        return EX_TEMPFAIL if isinstance(error, LeaseLost) else 2
    return 0


def _log_to_stderr(level: str) -> None:
    """One line an event. Slack's library reports a failed connection with a traceback, where its message says all."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def without_traceback(record: logging.LogRecord) -> bool:
        if record.name.startswith("slack"):
            record.exc_info = None
        return True

    # Below INFO the SDK logs the addresses of its sockets, which are tickets.
    for library in ("slack_sdk", "slack_bolt"):
        logging.getLogger(library).setLevel(max(logging.INFO, logging.getLevelName(level)))
    # These log every statement, some with what is stored, and every request.
    for library in ("alembic", "aiosqlite", "httpx2", "psycopg", "sqlalchemy"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(without_traceback)


async def _run_until_signal(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM, which are heard while starting too."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    bot = asyncio.create_task(_run(settings), name="bot")
    stopping = asyncio.create_task(stop.wait(), name="signals")
    await asyncio.wait({bot, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not bot.done():
        log.info("stopping")
        _bound_the_end()
        bot.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await bot


def _bound_the_end() -> None:
    """End the process whatever hangs: without its database the engine tries for ever to write down where it is."""

    def end() -> None:
        log.warning("not all came to its end within %g s; the next start goes on with it", STOP_WITHIN)
        os._exit(EX_TEMPFAIL)

    timer = threading.Timer(STOP_WITHIN, end)
    timer.daemon = True
    timer.start()


async def _run(settings: Settings) -> None:
    async with running(settings) as lost:
        log.info("ready: mention the bot in Slack")
        await lost.wait()
    raise LeaseLost(
        "Other replicas took this one for dead, since it gave no sign of life for too long, and have its work. "
        "Start it again; it then begins anew beside them."
    )


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[asyncio.Event]:
    """The whole bot, from the first check of its settings to the last visible word of what it was doing.

    Gives an event that is set when other replicas took this one for dead.
    """
    async with AsyncExitStack() as stack:
        catalog = load_catalog(settings.tools.config_dir)
        web = _web_client(settings)
        identity = await _identify(web)
        ledger = await Ledger.open(settings.database_url)
        stack.push_async_callback(ledger.close)
        approvers = Approvers(web, settings.approvals.approvers)
        agent = assemble_agent(settings, catalog, ledger, approvers.name)
        stack.push_async_callback(agent.pool.close)
        boot = uuid4().hex
        place = Place("local" if ledger.single else f"{socket.gethostname()}:{boot}", boot, identity["team_id"])
        sources = await _sources(settings, stack)
        outbox = Outbox(web, settings.slack.pace)
        streams = Streams(web, outbox, identity["user_id"], settings.slack.pace)
        files = Files(web, outbox)
        replies = Replies(outbox, files, streams, settings.slack.stream_mode, StatusLine(web))
        approvers = Approvers(web, settings.approvals.approvers)
        flows = assemble_flows(
            settings,
            catalog,
            ledger,
            agent,
            SlackPeople(outbox, ThreadReader(web, identity["user_id"]), ledger, replies),
            SlackBoard(outbox),
            Attachments(files, outbox),
            approvers,
            sources.metrics,
            frozenset(sources.silencers),
            place,
            sources.library,
        )
        replies.stop = flows.turns.stop
        app = AsyncApp(client=web)
        ratings = Ratings(ledger.feedback)
        vigil = Vigil(catalog, sources.metrics, sources.probes)
        door = Membership(web)
        tabs = home.Home(web, outbox, door, Overviews(ledger, vigil, settings.incidents))
        briefer = CatchingUp(web, Briefings(ledger, flows.cases, approvers))
        actions = Actions(ledger, flows.turns, sources.pager, sources.silencers, identity["team_id"])
        listeners.register(app, flows.turns, door, identity["user_id"], flows.proposals, briefer)
        home.register(app, tabs)
        reply.register(app, flows.turns)
        feedback.register(app, ratings, door)
        incident.register(app, actions, door)
        proposal.register(app, flows.proposals, door)
        evidence.register(app, ExhibitRoom(ledger, agent.describe), door)
        closing.register(app, flows.closing, door)
        sockets = Sockets(app, settings.slack.app_token.get_secret_value())
        ready = Readiness(settings, ledger, sockets, flows.cases)
        listener = Listener(
            settings.webhooks,
            ledger.deliveries,
            ready.missing,
            flows.intake.wake,
            warnings=ready.warnings,
            registry=vital_signs(flows.turns, flows.intake, sockets, ratings),
        )
        await _open(flows, agent, stack)
        stack.push_async_callback(tabs.close)
        tabs.open()
        stack.push_async_callback(sockets.close)
        await sockets.open()
        stack.push_async_callback(listener.close)
        await listener.open()
        yield flows.lease.lost


async def _open(flows: Flows, agent: AgentParts, stack: AsyncExitStack) -> None:
    """Begin to work. What is opened last is closed first: nothing new comes in while what runs says its last words.

    The lease is taken before and let go after everything that is done in its name.
    """
    stack.push_async_callback(flows.lease.close)
    await flows.lease.join()
    stack.push_async_callback(agent.hand.close)  # what the engine began with it comes to its end
    stack.push_async_callback(flows.engine.close)
    await flows.engine.open()
    agent.pool.start()
    for part in (flows.cases, flows.turns, flows.intake, flows.retention):
        stack.push_async_callback(part.close)
    stack.callback(flows.lease.retire)
    flows.turns.open()
    flows.lease.open()
    flows.intake.open()
    flows.retention.open()


@dataclass(frozen=True)
class _Sources:
    """The systems that the bot itself calls: for clicks, the check after a change, its home, and earlier incidents."""

    metrics: Prometheus
    library: Confluence | None
    pager: PagerDuty | None
    silencers: Mapping[str, Silencer]
    probes: Mapping[str, Probe]


async def _sources(settings: Settings, stack: AsyncExitStack) -> _Sources:
    metrics = Prometheus(settings.tools.prometheus)
    stack.push_async_callback(metrics.aclose)
    pager = PagerDuty(settings.tools.pagerduty) if settings.tools.pagerduty else None
    alertmanager = Alertmanager(settings.tools.alertmanager) if settings.tools.alertmanager else None
    silencers: dict[str, Silencer] = {}
    probes: dict[str, Probe] = {}
    if alertmanager:
        stack.push_async_callback(alertmanager.aclose)
        silencers["am"], probes["Alertmanager"] = AlertmanagerSilencer(alertmanager), alertmanager.routing
    if pager:
        stack.push_async_callback(pager.aclose)
        silencers["pd"], probes["PagerDuty"] = PagerDutySilencer(pager), pager.service_name
    library = Confluence(settings.tools.confluence) if settings.tools.confluence else None
    if library:
        stack.push_async_callback(library.aclose)
    return _Sources(metrics, library, pager, silencers, probes)


def _web_client(settings: Settings) -> AsyncWebClient:
    return AsyncWebClient(
        token=settings.slack.bot_token.get_secret_value(),
        base_url=f"{settings.slack.api_url}/",
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=5)],
    )


async def _identify(web: AsyncWebClient) -> Mapping[str, Any]:
    """Who the bot is in Slack; says at once when the token or the network is wrong."""
    try:
        return (await web.auth_test()).data  # type: ignore[return-value]  # JSON, never bytes, for this method
    except SlackApiError as error:
        raise SettingsError(f"Slack refuses SLACK_BOT_TOKEN ({refusal(error)}). Check the token.") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SettingsError(f"Slack cannot be reached at {web.base_url} ({error}). Check SLACK_API_URL.") from error
