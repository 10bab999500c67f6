"""How a publication is told of, and recognised again: the first line of the tool's outcome, which the ledger keeps."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre_bot.incidents.model import Approval

POSTMORTEM = "confluence_create_postmortem"
"""The tool that publishes."""

MADE, FOUND = "Published", "Nothing was made: this is published already as"
UNKNOWN = "It is not known whether the page was made."
_LINE = re.compile(rf"(?:{MADE}|{FOUND}) .*\(page \d+\) (https?://\S+)")


def announce(page: str, *, made: bool) -> str:
    """The outcome's first line; `page` is `title (page number) address`."""
    return f"{MADE if made else FOUND} {page}"


def link_of(approval: "Approval") -> str:
    """The address of the page that an approved call published, whatever else became of it; empty where it did not."""
    if approval.tool != POSTMORTEM:
        return ""
    # The title is the model's and comes first: only what ends the line is the address.
    found = _LINE.fullmatch(approval.outcome.partition("\n")[0])
    return found[1] if found else ""


def is_unknown(approval: "Approval") -> bool:
    """Whether a call began to publish and nobody can say whether it did: its answer, or its process, was lost."""
    if approval.tool != POSTMORTEM or approval.consumed_at is None:
        return False
    return not approval.outcome or UNKNOWN in approval.outcome or "outcome is UNKNOWN" in approval.outcome


def published(approvals: Sequence["Approval"]) -> "Approval | None":
    """The newest of these that published a post-mortem."""
    return next((each for each in reversed(approvals) if link_of(each)), None)
