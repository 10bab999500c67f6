"""Slack: both tokens, the scopes that the app was given, and the channel of the incidents. Nothing is posted."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from sre_bot.doctor.finding import Finding, absent, ok, problem, skipped
from sre_bot.doctor.known import Known
from sre_bot.errors import BackendError, Refused, Unreachable
from sre_bot.settings import ROOT, SlackSettings, WebhookSettings
from sre_bot.slack.outbox import refusal

MANIFEST = ROOT / "config" / "slack-manifest.json"
"""What the app is made from: the only list of scopes."""

_BOT, _APP, _CHANNEL = "Slack bot token", "Slack app token", "Incident channel"
_SKIPPED = "SLACK_BOT_TOKEN, SLACK_APP_TOKEN or SLACK_API_URL is missing or wrong; the first row names what."
_REINSTALL = "reinstall the app to the workspace (api.slack.com/apps, Install App)"

_REFUSALS = {
    "channel_not_found": "Correct SLACK_INCIDENT_CHANNEL (the id, in the channel's details); a private channel is "
    "found only when the bot has been invited to it.",
    "missing_scope": f"Add the scope that it lacks, and {_REINSTALL}.",
    "not_allowed_token_type": "Check that SLACK_BOT_TOKEN holds the xoxb token and SLACK_APP_TOKEN the xapp token.",
    "account_inactive": f"The app was removed or its workspace is gone: {_REINSTALL}.",
    "token_revoked": f"Somebody revoked the token: {_REINSTALL}, and set the new one.",
    "invalid_auth": "Copy the token again from api.slack.com/apps.",
}
_TOKEN_REFUSED = ("account_inactive", "invalid_auth", "not_allowed_token_type", "not_authed", "token_revoked")


def wanted_scopes() -> list[str]:
    """The bot scopes that the manifest asks for."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return sorted(manifest["oauth_config"]["scopes"]["bot"])


async def look_at_bot(known: Known) -> list[Finding]:
    """The bot token, and the scopes that it carries."""
    settings = known.group(SlackSettings)
    if settings is None:
        return [skipped(_BOT, _SKIPPED), skipped("Slack scopes", _SKIPPED)]
    token = settings.bot_token.get_secret_value()
    unknown = skipped("Slack scopes", "They come with the answer to a bot token that works.")
    if not token.startswith("xoxb-"):
        advice = "Take the Bot User OAuth Token of OAuth & Permissions."
        return [problem(_BOT, f"SLACK_BOT_TOKEN does not start with xoxb-{_kind(token)}.", advice), unknown]
    async with _client(settings) as web:
        try:
            answer = await _call(web.auth_test)
        except BackendError as error:
            return [_refused(_BOT, "SLACK_BOT_TOKEN", error), unknown]
    who = f"@{answer.get('user')} in {answer.get('team')}"
    return [ok(_BOT, f"Slack knows it: {who}."), judge_scopes(answer.headers)]


def judge_scopes(headers: Mapping[str, str]) -> Finding:
    """The scopes of a token, from the header of any answer, beside those of the manifest."""
    named = {name.lower(): value for name, value in headers.items()}.get("x-oauth-scopes")
    if named is None:
        return skipped("Slack scopes", "Slack's answer does not name them.")
    granted = {scope.strip() for scope in named.split(",") if scope.strip()}
    wanted = wanted_scopes()
    if missing := [scope for scope in wanted if scope not in granted]:
        advice = f"Paste config/slack-manifest.json as the app's manifest, or add these scopes, and {_REINSTALL}."
        return problem("Slack scopes", f"Missing: {', '.join(missing)}.", advice)
    return ok("Slack scopes", f"All {len(wanted)} that config/slack-manifest.json asks for.")


async def look_at_app(known: Known) -> list[Finding]:
    """The app-level token: whether it opens socket mode. The address that it gives is thrown away unused."""
    settings = known.group(SlackSettings)
    if settings is None:
        return [skipped(_APP, _SKIPPED)]
    token = settings.app_token.get_secret_value()
    if not token.startswith("xapp-"):
        advice = "Make an App-Level Token with connections:write (Basic Information of the app)."
        return [problem(_APP, f"SLACK_APP_TOKEN does not start with xapp-{_kind(token)}.", advice)]
    async with _client(settings) as web:
        try:
            await _call(web.apps_connections_open, app_token=token)
        except BackendError as error:
            return [_refused(_APP, "SLACK_APP_TOKEN", error)]
    return [ok(_APP, "Slack opens socket mode for it.")]


async def look_at_channel(known: Known) -> list[Finding]:
    """The channel where incidents get their cards."""
    settings = known.group(SlackSettings)
    if settings is None:
        return [skipped(_CHANNEL, _SKIPPED)]
    if settings.incident_channel is None:
        return [_without_channel(known)]
    async with _client(settings) as web:
        try:
            answer = await _call(web.conversations_info, channel=settings.incident_channel)
        except BackendError as error:
            if isinstance(error, Unreachable) or str(error) in _TOKEN_REFUSED:
                return [skipped(_CHANNEL, "It can be looked at when the bot token works.")]
            return [_refused(_CHANNEL, settings.incident_channel, error)]
    channel: Mapping[str, Any] = answer["channel"]
    return [judge_channel(f"#{channel.get('name', settings.incident_channel)}", channel)]


def judge_channel(name: str, channel: Mapping[str, Any]) -> Finding:
    """Whether the bot can and may post in a channel."""
    if channel.get("is_archived"):
        advice = "Unarchive it, or let SLACK_INCIDENT_CHANNEL name another."
        return problem(_CHANNEL, f"{name} is archived: nobody can post there.", advice)
    if not channel.get("is_member"):
        return problem(_CHANNEL, f"The bot is not in {name}.", "Invite it there: /invite @ and the app's name.")
    if channel.get("is_ext_shared"):
        return problem(
            _CHANNEL,
            f"{name} is shared with another organisation, which would read every card; the bot answers nobody there.",
            "Let SLACK_INCIDENT_CHANNEL name a channel of your own workspace.",
        )
    return ok(_CHANNEL, f"The bot is in {name}.")


def _without_channel(known: Known) -> Finding:
    webhooks = known.group(WebhookSettings)
    advice = "Set SLACK_INCIDENT_CHANNEL to a channel's id, and invite the bot there."
    if webhooks and (webhooks.pagerduty_secrets or webhooks.alertmanager_token or webhooks.alertmanager_username):
        return problem(_CHANNEL, "Webhooks are configured, and no card can be posted for what they bring.", advice)
    return absent(_CHANNEL, "Without SLACK_INCIDENT_CHANNEL no card is posted for a page.", advice)


@asynccontextmanager
async def _client(settings: SlackSettings) -> AsyncIterator[AsyncWebClient]:
    """Without the SDK's repetitions: a look is quick, and may be repeated by who looks."""
    yield AsyncWebClient(
        token=settings.bot_token.get_secret_value(), base_url=f"{settings.api_url}/", timeout=15, retry_handlers=[]
    )


async def _call(method: Callable[..., Awaitable[AsyncSlackResponse]], **arguments: str) -> AsyncSlackResponse:
    """Slack's answer, its headers with it; Refused with Slack's own code as message, or Unreachable."""
    try:
        return await method(**arguments)
    except SlackApiError as error:
        needed = f", needs {error.response.get('needed')}" if refusal(error) == "missing_scope" else ""
        raise Refused(f"{refusal(error)}{needed}", error.response.status_code) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _refused(name: str, what: str, error: BackendError) -> Finding:
    if isinstance(error, Unreachable):
        return problem(name, f"Slack did not answer ({error}).", "Check the network, the proxy, and SLACK_API_URL.")
    code = str(error)
    advice = _REFUSALS.get(code.partition(",")[0], "docs.slack.dev explains this code for the method.")
    return problem(name, f"Slack refuses {what} ({code}).", advice)


def _kind(token: str) -> str:
    """What the token seems to be instead, which is no secret."""
    kind = token.partition("-")[0]
    return f", it starts with {kind}-" if kind in ("xapp", "xoxb", "xoxp", "xoxe") else ""
