"""auth.test and apps.connections.open: who am I, and where do my events come from."""

from __future__ import annotations

from sandbox.slack.limits import SPECIAL, TIERS
from sandbox.slack.web_api.call import Call, Json, method
from sandbox.slack.world import APP_ID, BOT_ID, BOT_USER, TEAM_ID


@method("auth.test", per_minute=SPECIAL)
async def auth_test(call: Call) -> Json:
    """Identify the bot."""
    return {
        "url": f"{call.base_url}/",
        "team": "Sandbox",
        "user": "sre-bot",
        "team_id": TEAM_ID,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


@method("apps.connections.open", per_minute=TIERS[1], token="xapp")  # noqa: S106 - a kind
async def open_connection(call: Call) -> Json:
    """A one-use address for one socket."""
    address = call.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={call.workspace.sockets.issue_ticket()}&app_id={APP_ID}"}
