"""The model: whether its address answers, the key is accepted, and the model is known."""

from sre_bot.clients.anthropic import Anthropic
from sre_bot.doctor.finding import Finding, ok, skipped
from sre_bot.doctor.known import Known
from sre_bot.settings import ModelSettings


async def look(known: Known) -> list[Finding]:
    """One row; the call that is made costs nothing."""
    settings = known.group(ModelSettings)
    if settings is None:
        return [skipped("Model", "ANTHROPIC_API_KEY is missing, or ANTHROPIC_BASE_URL is wrong.")]
    client = Anthropic(settings)
    try:
        await client.count_tokens("ping")
    finally:
        await client.aclose()
    return [ok("Model", f"{settings.model} at {client.address}: the key is accepted.")]
