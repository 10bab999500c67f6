"""One call of a Web API method: its arguments, its refusal, and the table of methods.

A method is one decorated coroutine that takes a `Call` and returns the answer without `ok`. Arguments that
the method does not have are passed over by Slack, and noted here: they are typing errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox.slack.workspace import Workspace
from sandbox.slack.world import Channel, Message

Json = dict[str, Any]
TS = re.compile(r"\d{1,10}\.\d{6}")


class Refused(Exception):
    """The call is answered with `ok: false`; `messages` are Slack's `[ERROR]` lines."""

    def __init__(self, error: str, *messages: str, **details: str) -> None:
        super().__init__(error)
        self.error = error
        self.details = details
        self.messages = list(messages)
        self.ordered = False  # a test made Slack refuse it: no mistake of the app


class RateLimited(Exception):
    """The call is answered with 429; seconds to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"wait {seconds} s")
        self.seconds = seconds


@dataclass
class Call:
    """A call whose token and tier are in order."""

    name: str
    args: Json
    workspace: Workspace
    base_url: str
    take_post: Callable[[str], int]

    def text(self, name: str) -> str:
        """An argument as a string, "" when absent."""
        value = self.args.get(name)
        return "" if value is None else str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """An argument as true or false, in JSON or form spelling."""
        value = self.args.get(name)
        return default if value is None else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """An argument as an integer within Slack's bounds, else a refusal."""
        value = self.text(name)
        if not value:
            return default
        if not value.isdigit() or not least <= int(value) <= most:
            error = "invalid_limit" if name == "limit" else "invalid_arguments"
            raise Refused(error, f"must be between {least} and {most} [json-pointer:/{name}]")
        return int(value)

    def structure(self, name: str, error: str) -> Any:  # noqa: ANN401 - JSON of any shape
        """An argument that is JSON, as an object or as a string that holds one; None when absent."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(error) from None

    def channel(self, name: str = "channel", *, by_name: bool = False) -> Channel:
        """The conversation that an argument names, whether or not the bot is in it."""
        reference = self.text(name)
        found = self.workspace.world.channel(reference)
        if found is None or (found.id != reference and not by_name):
            raise Refused("channel_not_found")
        return found

    def message(self, channel: Channel, name: str = "ts", error: str = "message_not_found") -> Message:
        """The message that an argument names."""
        found = channel.messages.get(self.text(name))
        if found is None:
            raise Refused(error)
        return found

    def violate(self, kind: str, detail: str) -> None:
        """Note a violation of this call."""
        self.workspace.journal.violate(kind, detail, method=self.name)


Handler = Callable[[Call], Awaitable[Json]]


@dataclass(frozen=True)
class Method:
    """One row of the table: who may call it, how often a minute, with which arguments."""

    handler: Handler
    per_minute: int
    token: str
    required: tuple[str, ...]
    optional: tuple[str, ...]


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    per_minute: int,
    required: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    token: str = "xoxb",  # noqa: S107 - the kind of token
) -> Callable[[Handler], Handler]:
    """Enter a coroutine in the table of methods."""

    def enter(handler: Handler) -> Handler:
        METHODS[name] = Method(handler, per_minute, token, required, optional)
        return handler

    return enter
