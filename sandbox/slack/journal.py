"""What the stand-in noticed: calls, violations, pings and acknowledgements.

The oracle of every test. A violation is something that a careful app never does, whether or not the call
was refused; a refusal that life can cause (a channel was archived, a message was deleted) is none.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

MOST_CALLS = 50_000

# Refusals that only careless code gets. The rest of Slack's error codes describe the workspace.
CARELESS = frozenset(
    {
        "invalid_arguments", "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_name",
        "invalid_metadata_format", "metadata_too_large", "invalid_json", "json_not_object", "too_many_attachments",
        "markdown_text_conflict", "msg_too_long", "msg_blocks_too_long", "msg_blocks_too_many", "no_text",
        "not_allowed_token_type", "unknown_method", "invalid_cursor", "invalid_limit", "invalid_ts_latest",
        "invalid_ts_oldest", "view_too_large", "invalid_types", "invalid_trigger_id", "exchanged_trigger_id",
        "cannot_provide_both_markdown_text_and_chunks", "invalid_chunks", "streaming_mode_mismatch",
        "streaming_state_conflict", "missing_recipient_user_id", "missing_recipient_team_id",
        "users_list_not_supplied", "no_item_specified", "invalid_thread_ts", "method_not_supported_for_channel_type",
    }
)  # fmt: skip


@dataclass
class Journal:
    """Append-only notes; every entry is JSON as the control API shows it."""

    calls: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    violations: list[dict[str, Any]] = field(default_factory=list)
    pings: list[dict[str, Any]] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)

    def violate(self, kind: str, detail: str, *, method: str = "") -> None:
        """Note that the app did something that a careful app does not do."""
        self.violations.append({"kind": kind, "detail": detail, "method": method, "time": time.time()})
