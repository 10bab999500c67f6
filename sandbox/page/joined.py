"""The page over the parts of a `Stack`: open before they are up, and following them as they come."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from sandbox.page.parts import Parts
from sandbox.page.server import serve

PORT = 8080
"""Where the page is looked for first, so that an address that somebody kept goes on working."""


class Joined(Protocol):
    """What the page needs of a stack; its parts are attributes that come into being while it starts."""

    env_file: Path


def parts_of(stack: Joined, *, model: str, approvers: tuple[str, ...]) -> Parts:
    """Where the parts of a stack are now.

    Args:
        stack: the parts, each a `Child` whose `found` is its address.
        model: what investigates; empty for the playbook.
        approvers: names of the people who may approve.
    """

    def address(name: str) -> str | None:
        return getattr(getattr(stack, name, None), "found", None) or None

    known: dict[str, str] = getattr(stack, "world", {}).get("users", {})
    return Parts(
        slack=address("slack"),
        fleet=address("fleet"),
        prometheus=_web(address("prometheus")),
        pagerduty=address("pagerduty"),
        confluence=address("confluence"),
        env_file=stack.env_file,
        model=model,
        approvers=tuple(known[name] for name in approvers if name in known),
        bot_ready=hasattr(stack, "bot"),
    )


def show(stack: Joined, *, model: str = "", approvers: tuple[str, ...] = ()) -> AbstractAsyncContextManager[str]:
    """Serve the page of a stack, started or not; the context gives its address. Arguments as of `parts_of`."""
    return serve(lambda: parts_of(stack, model=model, approvers=approvers), PORT)


def _web(address: str | None) -> str | None:
    """Prometheus names its address without a scheme when it has only just said so."""
    return address if address is None or address.startswith("http") else f"http://{address}"
