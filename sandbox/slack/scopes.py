"""What the app may do: the scopes that its manifest asks for, less those that a test has taken away.

Slack names the scopes of a token in the header `x-oauth-scopes` of every answer, and refuses a method that lacks its
own with `missing_scope`. Of methods whose scope depends on the kind of the conversation none is enforced here.
"""

from __future__ import annotations

import json
from pathlib import Path

MANIFEST = Path(__file__).resolve().parents[2] / "config" / "slack-manifest.json"
HEADER = "x-oauth-scopes"

_NEEDED = {
    "chat.getPermalink": "",
    "chat.": "chat:write",
    "reactions.": "reactions:write",
    "users.info": "users:read",
    "usergroups.": "usergroups:read",
    "files.": "files:write",
    "assistant.threads.setStatus": "chat:write",
    "assistant.": "assistant:write",
}


def granted() -> tuple[str, ...]:
    """The scopes of an app that was made from the manifest."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return tuple(manifest["oauth_config"]["scopes"]["bot"])


def needed(method: str) -> str:
    """The scope of a method; empty where none is enforced."""
    return next((scope for prefix, scope in _NEEDED.items() if method.startswith(prefix)), "")
