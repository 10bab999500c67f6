"""views.*: the App Home of a person, and modals that follow a click."""

from __future__ import annotations

import json

from sandbox.slack.block_table import VIEW_BLOCKS
from sandbox.slack.blocks import VIEW_MOST_BLOCKS, faults_of
from sandbox.slack.limits import TIERS
from sandbox.slack.triggers import Untriggered
from sandbox.slack.web_api.call import Call, Json, Refused, method

VIEW_MOST_BYTES = 250_000  # Slack: view_too_large
COMMON = {"type", "blocks", "private_metadata", "callback_id", "external_id"}
FIELDS = {"home": COMMON, "modal": {*COMMON, "title", "submit", "close", "clear_on_close", "notify_on_close"}}
TITLE_MOST = 24  # characters of a modal's title, submit and close


def _view(call: Call, kind: str) -> Json:
    view = call.structure("view", "invalid_arguments")
    if not isinstance(view, dict) or view.get("type") != kind:
        raise Refused("invalid_arguments", f"view.type must be {kind} [json-pointer:/view/type]")
    faults = [f"invalid additional property: {name} [json-pointer:/view]" for name in view.keys() - FIELDS[kind]]
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        raise Refused("invalid_arguments", "missing required field: blocks [json-pointer:/view]")
    faults += faults_of(blocks, VIEW_BLOCKS, VIEW_MOST_BLOCKS, "/view/blocks")
    for name in ("title", "submit", "close"):
        if len(view.get(name, {}).get("text", "")) > TITLE_MOST:
            faults.append(f"must be less than {TITLE_MOST + 1} characters [json-pointer:/view/{name}/text]")
    if kind == "modal" and "title" not in view:
        faults.append("missing required field: title [json-pointer:/view]")
    if faults:
        raise Refused("invalid_arguments", *faults)
    if len(json.dumps(view).encode()) > VIEW_MOST_BYTES:
        raise Refused("view_too_large")
    return {"id": call.workspace.world.next_id("V"), "hash": call.workspace.world.next_id("h"), **view}


@method("views.publish", per_minute=TIERS[4], required=("user_id", "view"), optional=("hash",))
async def publish(call: Call) -> Json:
    """Show an App Home to one person; with `hash` only in place of the view that has it.

    Slack: "if you use hash and it does not match the view's state, you get a hash_conflict".
    """
    user = call.text("user_id")
    if user not in call.workspace.world.users:
        raise Refused("user_not_found")
    view = _view(call, "home")
    if call.text("hash") and call.text("hash") != call.workspace.world.homes.get(user, {}).get("hash"):
        raise Refused("hash_conflict")
    call.workspace.world.homes[user] = view
    call.workspace.feed.publish("home", user=user, view=view)
    return {"view": view}


@method("views.open", per_minute=TIERS[4], required=("view",), optional=("trigger_id", "interactivity_pointer"))
async def open_view(call: Call) -> Json:
    """Open a modal for the person who clicked, within three seconds of the click."""
    view = _view(call, "modal")
    try:
        user = call.workspace.triggers.use(call.text("trigger_id"))
    except Untriggered as reason:
        raise Refused(str(reason)) from None
    call.workspace.world.modals.append({**view, "user": user})
    call.workspace.feed.publish("modal", user=user, view=view)
    return {"view": view}
