"""What is around a bot, on loopback: Slack, PagerDuty, Confluence and the model, each a process of its own.

Whoever brings up bots adds what is theirs: `stack.py` a fleet with its monitoring and one bot, for the demo and the
journeys; `paged.py` any number of bots that die. The stand-ins are spoken to through their control interfaces, and what
is looked at is what people see.
"""

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp

from sandbox.processes import Child

ROOT = Path(__file__).resolve().parent.parent
SECRET = "a-secret-of-the-sandbox"  # noqa: S105  (signs what never leaves this machine)
RETRIES = (0.5, 1.0, 2.0, 3.0)  # seconds; PagerDuty's own begin with 5 and end with 10 minutes
LISTENS = r"listening on (http://\S+)"
LOOK_EVERY = 0.1  # seconds
PATIENCE = 60.0  # seconds that a card may take
ADA = "Ada"
"""Who is on call."""


class Surroundings(ABC):
    """The running stand-ins; use a subclass as an async context manager.

    Args:
        folder: where logs, data and the bots' files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slack: Child
        self.world: dict[str, Any]
        self.http: aiohttp.ClientSession
        self.model: Child | None = None
        self.pagerduty: Child | None = None
        self.confluence: Child | None = None
        self.subscription = ""
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.http = await self._parts.enter_async_context(aiohttp.ClientSession())
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    @property
    def channel(self) -> str:
        """The incident channel."""
        return str(self.world["channels"]["incidents"])

    @property
    def person(self) -> str:
        """Ada's id."""
        return str(self.world["users"][ADA])

    def names(self) -> dict[str, str]:
        """Ids to what people call them."""
        people = {user: name for name, user in self.world["users"].items()}
        return people | {self.world["bot"]["id"]: "SRE Bot"}

    async def say(self, text: str, *, thread_ts: str | None = None, user: str = ADA) -> str:
        """Write in the incident channel as a person; gives the message's timestamp."""
        message = {"channel": self.channel, "user": user, "text": text}
        below = {"thread_ts": thread_ts} if thread_ts else {}
        return str((await self.order(self.slack, "messages", **message, **below))["ts"])

    async def click(self, message: dict[str, Any], action: str, user: str = ADA) -> None:
        """Use a button of a message as a person does; it must be there."""
        where = {"channel": self.channel, "ts": message["ts"]}
        await self.order(self.slack, "actions", **where, user=user, action_id=action)

    async def thread(self, ts: str) -> list[dict[str, Any]]:
        """The messages of a thread as people see them, the one that began it first."""
        return list((await self.look(self.slack, "thread", channel=self.channel, ts=ts))["messages"])

    async def cards(self) -> list[dict[str, Any]]:
        """What bots have at the channel's top level, for everybody to see."""
        found = (await self.look(self.slack, "channel", channel=self.channel))["messages"]
        return [message for message in found if message["bot"] and "ephemeral_to" not in message]

    async def subscribe_to_pages(self, url: str, **faults: Any) -> None:  # noqa: ANN401  (JSON)
        """Let PagerDuty deliver signed events to a bot's webhook; `duplicates`, `shuffle` and `seed` if given."""
        order = {"url": f"{url}/webhooks/pagerduty", "secret": SECRET, "schedule": RETRIES, **faults}
        self.subscription = (await self.order(self.pagerduty, "webhooks", **order))["id"]

    async def report(self, title: str, service: str = "api-server", **more: Any) -> str:  # noqa: ANN401  (JSON)
        """A monitoring tool reports a problem, and PagerDuty pages; gives the incident's id."""
        return str((await self.order(self.pagerduty, "incidents", title=title, service=service, **more))["id"])

    async def page(self, title: str, service: str = "api-server") -> str:
        """As `report`; waits for the card that the bot posts, and gives its timestamp."""
        known = await self.cards()
        await self.report(title, service)
        return await self.await_card(known)

    async def await_card(self, known: list[dict[str, Any]]) -> str:
        """Wait until a bot has posted a card beside those that are known; gives its timestamp.

        Raises:
            TimeoutError: none has.
        """
        seen = {card["ts"] for card in known}
        async with asyncio.timeout(PATIENCE):
            while True:
                if new := [str(card["ts"]) for card in await self.cards() if card["ts"] not in seen]:
                    return new[0]
                await asyncio.sleep(LOOK_EVERY)

    async def act(self, incident: str, action: str, **more: Any) -> None:  # noqa: ANN401  (JSON)
        """Somebody does something about an incident."""
        await self.order(self.pagerduty, f"incidents/{incident}/{action}", **more)

    async def look(self, part: Child | None, path: str, **query: str) -> Any:  # noqa: ANN401  (JSON)
        """A page of a stand-in's control interface."""
        async with self.http.get(f"{_running(part).found}/sandbox/{path}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def order(self, part: Child | None, path: str, **body: Any) -> Any:  # noqa: ANN401  (JSON)
        """An order to a stand-in.

        Raises:
            RuntimeError: it is not understood, or there is no such stand-in here.
        """
        async with self.http.post(f"{_running(part).found}/sandbox/{path}", json=body) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{_running(part).name} refuses {path}: {await answer.text()}")
            return await answer.json()

    @abstractmethod
    async def _start(self) -> None:
        """Start the parts; what is started is pushed on `_parts`."""

    async def _start_slack(self, *arguments: str) -> None:
        self.slack = await self._start_standin("slack", *arguments)
        self.world = await self.look(self.slack, "world")

    async def _start_model(self) -> None:
        self.model = await self._start_standin("model")

    async def _start_pagerduty(self) -> None:
        self.pagerduty = await self._start_standin("pagerduty")

    async def _start_confluence(self) -> None:
        self.confluence = await self._start_standin("confluence")

    async def _start_standin(self, module: str, *arguments: str) -> Child:
        return await self._start_part(module, [sys.executable, "-m", f"sandbox.{module}", *arguments], LISTENS)

    async def _start_part(self, name: str, command: list[str], ready: str) -> Child:
        child = await Child.start(name, command, ready=ready, log_dir=self.folder, env={"PYTHONPATH": str(ROOT)})
        self._parts.push_async_callback(child.stop)
        return child

    def _slack_settings(self) -> dict[str, str]:
        return {
            "SRE_ENV_FILE": "",  # a real .env beside the checkout stays out of the sandbox
            "SLACK_API_URL": f"{self.slack.found}/api",
            "SLACK_BOT_TOKEN": self.world["tokens"]["bot"],
            "SLACK_APP_TOKEN": self.world["tokens"]["app"],
            "SRE_STATE_DIR": str(self.folder / "agent"),
        }

    def _playbook_settings(self) -> dict[str, str]:
        return {"ANTHROPIC_API_KEY": "sandbox-no-key", "ANTHROPIC_BASE_URL": _running(self.model).found}

    async def _account_settings(self) -> dict[str, str]:
        """How the bot finds PagerDuty and Confluence."""
        account, site = await asyncio.gather(self.look(self.pagerduty, "world"), self.look(self.confluence, "world"))
        return {
            "SLACK_INCIDENT_CHANNEL": self.channel,
            "PAGERDUTY_WEBHOOK_SECRET": SECRET,
            **account_settings(_running(self.pagerduty).found, account, site),
        }


def account_settings(pagerduty: str, account: Mapping[str, Any], site: Mapping[str, Any]) -> dict[str, str]:
    """The settings by which both accounts are found.

    Args:
        pagerduty: address of its stand-in.
        account: what that says of its world.
        site: what the stand-in for Confluence says of its own.
    """
    return {
        "PAGERDUTY_API_URL": pagerduty,
        "PAGERDUTY_API_KEY": account["api_key"],
        "PAGERDUTY_SERVICE_ID": account["service_id"],
        "PAGERDUTY_FROM_EMAIL": account["from_email"],
        "CONFLUENCE_BASE_URL": site["site"],
        "CONFLUENCE_API_TOKEN": site["token"],
        "CONFLUENCE_USER_EMAIL": site["email"],
        "CONFLUENCE_SPACE_KEY": site["space"]["key"],
        "CONFLUENCE_PARENT_PAGE_ID": site["parent"],
    }


def _running(part: Child | None) -> Child:
    if part is None:
        raise RuntimeError("This arrangement has no such stand-in.")
    return part
