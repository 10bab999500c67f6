"""The settings: every mistake at once."""

from sre_bot.doctor.finding import Finding, ok, problem
from sre_bot.doctor.known import Known


async def look(known: Known) -> list[Finding]:
    """One row with everything that is missing or unusable, a line each."""
    if known.problems:
        advice = "Set these in the environment or in .env; .env.example describes each."
        return [problem("Settings", "\n".join(known.problems), advice)]
    return [ok("Settings", "Nothing is missing, and all that is set can be used.")]
