"""`python sre_bot_slack.py --check`: every look side by side, each with a bound on its time, and one table of them all.

Ends with 0 where nothing is a problem, else with 1.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sre_bot.agent.options import forget_environment
from sre_bot.doctor import (
    backends,
    catalog,
    cli,
    confluence,
    ledger,
    model,
    pagerduty,
    remediation,
    settings,
    slack,
    tools,
    webhooks,
)
from sre_bot.doctor.finding import Finding, State, failed, problem
from sre_bot.doctor.known import Known, read_known
from sre_bot.doctor.table import render
from sre_bot.errors import SreBotError
from sre_bot.settings import read_environment

ANSWER = 20.0
"""Seconds for a system to answer in: its client gives up after 15."""
START = 45.0
"""Seconds for a process to start in, on a machine that is busy (the bot's own bound on its sessions is about that)."""


Look = Callable[[Known], Awaitable[Sequence[Finding]]]
"""Looks at one thing: what was found, or an SreBotError that says what is not well."""


@dataclass(frozen=True)
class Check:
    """A look, what it is called where it gives no finding of its own, and how long it may take."""

    name: str
    look: Look
    seconds: float = ANSWER


CHECKS = (
    Check("Settings", settings.look),
    Check("Catalog", catalog.look),
    Check("Ledger", ledger.look),
    Check("State folder", remediation.look_at_state),
    Check("Slack bot token", slack.look_at_bot),
    Check("Slack app token", slack.look_at_app),
    Check("Incident channel", slack.look_at_channel),
    Check("Webhooks", webhooks.look),
    Check("Model", model.look),
    Check("Claude Code", cli.look, START),
    Check("MCP server", tools.look, START),
    Check("Prometheus", backends.look_at_prometheus),
    Check("Alertmanager", backends.look_at_alertmanager),
    Check("Loki", backends.look_at_loki),
    Check("Deployments", backends.look_at_deployments),
    Check("Fleet", backends.look_at_fleet),
    Check("PagerDuty", pagerduty.look),
    Check("Confluence", confluence.look),
    Check("Env files", remediation.look_at_env_files),
    Check("Redeploy command", remediation.look_at_command),
)


def main() -> int:
    """Examine this installation; gives the exit status."""
    known = read_known(read_environment())
    forget_environment()
    # Libraries report a failed connection by themselves, with a traceback; the table says it in a sentence.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        findings = asyncio.run(examine(known))
    except KeyboardInterrupt:
        return 130
    colour = sys.stdout.isatty() and "NO_COLOR" not in known.environ
    sys.stdout.write(render(findings, colour=colour))
    return 1 if any(finding.state is State.PROBLEM for finding in findings) else 0


async def examine(known: Known, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Every finding, in the order of the checks."""
    found = await asyncio.gather(*map(partial(_perform, known), checks))
    # Before anything is wrapped: a secret that is broken over two lines would not be found.
    return [_conceal(finding, known.secrets()) for findings in found for finding in findings]


async def _perform(known: Known, check: Check) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(check.seconds):
            return await check.look(known)
    except TimeoutError:
        advice = "Check that it runs and is not overloaded, and that its address is right."
        return [problem(check.name, f"No answer within {check.seconds:.0f} s.", advice)]
    except SreBotError as error:
        return [failed(check.name, error)]
    except Exception as error:  # noqa: BLE001  (the top level of a look: what it did not foresee is a finding too)
        return [problem(check.name, f"The look itself failed: {_innermost(error)}.", "Please report this.")]


def _innermost(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def _conceal(finding: Finding, secrets: Sequence[str]) -> Finding:
    """The finding without the secrets: what others say may repeat what they were sent."""
    seen, advice = finding.seen, finding.advice
    for secret in secrets:
        seen, advice = seen.replace(secret, "[secret]"), advice.replace(secret, "[secret]")
    return replace(finding, seen=seen, advice=advice)
