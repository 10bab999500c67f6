"""The webhooks: whether their secrets are set, and whether the port is free or the running bot's own."""

import asyncio
import errno
import socket

import httpx2

from sre_bot.doctor.finding import Finding, absent, ok, problem, skipped
from sre_bot.doctor.known import Known
from sre_bot.settings import WebhookSettings


async def look(known: Known) -> list[Finding]:
    """A row for each source, and one for the port."""
    settings = known.group(WebhookSettings)
    if settings is None:
        return [skipped("Webhooks", "Their settings are wrong; the first row names what.")]
    return [_pagerduty(settings), _alertmanager(settings), await _port(settings)]


def _pagerduty(settings: WebhookSettings) -> Finding:
    name = "PagerDuty webhook"
    if count := len(settings.pagerduty_secrets):
        return ok(name, f"{count} {'secret is' if count == 1 else 'secrets are'} set.")
    return absent(name, "Every delivery is refused with 503.", "For pages from PagerDuty set PAGERDUTY_WEBHOOK_SECRET.")


def _alertmanager(settings: WebhookSettings) -> Finding:
    name = "Alertmanager webhook"
    if settings.alertmanager_token or settings.alertmanager_username:
        return ok(name, f"{'A bearer token' if settings.alertmanager_token else 'A user with a password'} is set.")
    advice = "For pages from Alertmanager set ALERTMANAGER_WEBHOOK_TOKEN."
    return absent(name, "Every delivery is refused with 503.", advice)


async def _port(settings: WebhookSettings) -> Finding:
    where, name = f"{settings.host}:{settings.port}", "Webhook port"
    if not settings.port:
        return ok(name, "Any free one, as WEBHOOK_PORT=0 says.")
    try:
        await asyncio.to_thread(_bind, settings.host, settings.port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return await _occupied(settings, where)
        advice = "Let WEBHOOK_HOST name an address of this machine, and WEBHOOK_PORT a port above 1023."
        return problem(name, f"The bot could not listen on {where}: {error.strerror}.", advice)
    return ok(name, f"{where} is free.")


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the listener does
        probe.bind(address)


async def _occupied(settings: WebhookSettings, where: str) -> Finding:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  (a name, no listening)
    url = httpx2.URL(scheme="http", host=host, port=settings.port)
    try:
        async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=5.0) as http:
            alive = await http.get("/healthz")
            if alive.headers.get("Server") == "sre-bot":
                return _of_running(where, await http.get("/readyz"))
    except httpx2.HTTPError:
        pass  # whoever listens there does not speak HTTP, so it is not the bot
    return problem(
        "Webhook port",
        f"Another process listens on {where} already, and it is not this bot.",
        "Stop it, or let WEBHOOK_PORT name another port.",
    )


def _of_running(where: str, ready: httpx2.Response) -> Finding:
    if ready.is_success:
        return ok("Webhook port", f"The bot runs on {where}, and is ready.")
    try:
        missing = "; ".join(f"{part}: {why}" for part, why in ready.json()["not_ready"].items())
    except (ValueError, KeyError, AttributeError):
        missing = f"it answers {ready.status_code}"
    return problem("Webhook port", f"The bot runs on {where}, and is not ready. {missing}", "Do what it says.")
