"""PagerDuty: whether the key is valid and may write, and whether service and user exist. Nothing is created."""

from sre_bot.clients.pagerduty import PagerDuty
from sre_bot.doctor.finding import Finding, absent, failed, ok, problem, skipped
from sre_bot.doctor.known import Known
from sre_bot.errors import Refused
from sre_bot.settings import PagerDutySettings

_KEY, _SERVICE, _USER, _WRITING = "PagerDuty", "PagerDuty service", "PagerDuty user", "PagerDuty writing"


async def look(known: Known) -> list[Finding]:
    """A row for the key, and one each for the service, the user, and what the key may do."""
    settings = known.tools.pagerduty
    if broken := known.unusable(PagerDutySettings, _KEY):
        return broken
    if settings is None:
        return [absent(_KEY, "Its tools are not offered.", "Set PAGERDUTY_API_KEY and its group, to page people.")]
    client = PagerDuty(settings)
    try:
        try:
            await client.list_incidents((), limit=1)
        except Refused as error:
            return [failed(_KEY, error)]
        return [
            ok(_KEY, "It knows the key."),
            await _service(client, settings),
            await _user(client, settings),
            await _writing(client),
        ]
    finally:
        await client.aclose()


async def _service(client: PagerDuty, settings: PagerDutySettings) -> Finding:
    try:
        return ok(_SERVICE, f"{settings.service_id} is {await client.service_name()}.")
    except Refused as error:
        if error.status != 404:
            return failed(_SERVICE, error)
        advice = "Set PAGERDUTY_SERVICE_ID to the last part of the service's address in PagerDuty."
        return problem(_SERVICE, f"The key sees no service {settings.service_id}.", advice)


async def _user(client: PagerDuty, settings: PagerDutySettings) -> Finding:
    try:
        if await client.finds_sender():
            return ok(_USER, f"{settings.from_email} is a user of the account.")
    except Refused as error:
        return failed(_USER, error)
    advice = "Set PAGERDUTY_FROM_EMAIL to the address of a user of this account."
    return problem(_USER, f"The account has no user {settings.from_email}.", advice)


async def _writing(client: PagerDuty) -> Finding:
    try:
        await client.try_write()
    except Refused as error:
        if error.status == 404:  # only who may write is told that there is no such incident
            return ok(_WRITING, "The key may write.")
        if error.status == 403:
            advice = "Make a key without Read-only (Integrations, API Access Keys), and set PAGERDUTY_API_KEY to it."
            return problem(_WRITING, "The key may read only: nobody can be paged with it.", advice)
        if "Requester" in str(error):
            return skipped(_WRITING, "It cannot be told while the user does not exist.")
        return failed(_WRITING, error)
    return ok(_WRITING, "The key may write.")
