"""config/slack-manifest.json makes an app that can do what the code does, and nothing that Slack would refuse."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sre_bot.doctor.slack import MANIFEST, wanted_scopes
from sre_bot.settings import ROOT

READ_HISTORY = ("channels:history", "groups:history", "im:history")
READ_CHANNELS = ("channels:read", "groups:read")

SCOPES: dict[str, tuple[str, ...]] = {
    "apps_connections_open": (),  # connections:write of the app-level token
    "assistant_threads_setStatus": ("chat:write",),
    "assistant_threads_setSuggestedPrompts": ("assistant:write",),
    "auth_test": (),
    "chat_appendStream": ("chat:write",),
    "chat_delete": ("chat:write",),
    "chat_getPermalink": (),
    "chat_postEphemeral": ("chat:write",),
    "chat_postMessage": ("chat:write",),
    "chat_startStream": ("chat:write",),
    "chat_stopStream": ("chat:write",),
    "chat_stream": ("chat:write",),
    "chat_update": ("chat:write",),
    "conversations_history": READ_HISTORY,
    "conversations_info": READ_CHANNELS,
    "conversations_replies": READ_HISTORY,
    "files_completeUploadExternal": ("files:write",),
    "files_getUploadURLExternal": ("files:write",),
    "files_upload_v2": ("files:write",),
    "reactions_add": ("reactions:write",),
    "reactions_remove": ("reactions:write",),
    "usergroups_users_list": ("usergroups:read",),
    "users_info": ("users:read",),
    "views_open": (),
    "views_publish": (),
    "views_update": (),
}
"""Bot scopes of each method (docs.slack.dev, methods); of conversations.*, those of each kind of channel."""

EVENTS = {
    "agent_session_stopped": ("assistant:write",),  # which an app that is an agent has
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
}
FAMILIES = "agents|apps|assistant|auth|bots|chat|conversations|files|reactions|team|usergroups|users|views"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))


def _sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in Path(ROOT, "sre_bot").rglob("*.py"))


def _methods() -> set[str]:
    called = re.findall(rf"\.((?:{FAMILIES})_[A-Za-z_0-9]+)\b", _sources())
    named = re.findall(rf"[\"']((?:{FAMILIES})(?:\.[A-Za-z]+)+)[\"']", _sources())
    return {*called, *(name.replace(".", "_") for name in named)}


def test_every_method_that_the_code_calls_has_its_scope() -> None:
    assert _methods() - set(SCOPES) == set(), "say above which scopes these need"
    assert {"chat_postMessage", "users_info", "conversations_info"} <= _methods(), "the search finds nothing"
    needed = {scope for name in _methods() for scope in SCOPES[name]}
    assert needed - set(wanted_scopes()) == set()
    assert "files:read" in wanted_scopes(), "files that people share are downloaded with the bot's token"


def test_every_event_has_its_scope_and_every_event_that_is_listened_to_comes(manifest: dict[str, Any]) -> None:
    subscribed = manifest["settings"]["event_subscriptions"]["bot_events"]
    assert sorted(subscribed) == sorted(EVENTS)
    assert {scope for event in subscribed for scope in EVENTS[event]} <= set(wanted_scopes())
    heard = set(re.findall(r"@app\.event\(\"(\w+)\"\)", _sources()))
    assert heard
    assert heard <= {event.partition(".")[0] for event in subscribed}


def test_the_scopes_are_in_order_and_named_once(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]["bot"]
    assert scopes == sorted(set(scopes))


def test_it_is_an_app_in_socket_mode_that_is_asked_in_messages(manifest: dict[str, Any]) -> None:
    settings, home = manifest["settings"], manifest["features"]["app_home"]
    assert settings["socket_mode_enabled"]
    assert settings["interactivity"]["is_enabled"]
    assert not settings["token_rotation_enabled"], "the bot does not renew tokens"
    assert home["messages_tab_enabled"]
    assert not home["messages_tab_read_only_enabled"], "nobody could write to it"
    assert "request_url" not in json.dumps(manifest), "socket mode has no addresses"


def test_its_texts_are_as_long_as_slack_takes_them(manifest: dict[str, Any]) -> None:
    """Slack: "App manifest reference", lengths; of agent_view, as third parties have found."""
    shown, view = manifest["display_information"], manifest["features"]["agent_view"]
    assert set(shown) == {"name", "description", "long_description", "background_color"}
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000
    assert re.fullmatch("#[0-9a-f]{6}", shown["background_color"])
    assert len(view["agent_description"]) <= 300
    assert 0 < len(view["suggested_prompts"]) <= 4
    assert all(set(prompt) == {"title", "message"} for prompt in view["suggested_prompts"])
    assert len(manifest["features"]["bot_user"]["display_name"]) <= 80
