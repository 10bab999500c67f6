"""Where the parts of the sandbox are, as far as they are up."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Parts:
    """Base URLs of what the page shows; None while a part is not up yet, or where there is none.

    Attributes:
        env_file: the settings of api-server, which are edited as a file and take effect with a redeploy.
        model: what investigates, such as `claude-…`; empty for the scripted playbook.
        approvers: ids of the people who may approve a change.
        bot_ready: whether the bot has said that it is ready.
    """

    slack: str | None = None
    fleet: str | None = None
    prometheus: str | None = None
    pagerduty: str | None = None
    confluence: str | None = None
    env_file: Path | None = None
    model: str = ""
    approvers: tuple[str, ...] = ()
    bot_ready: bool = True


Whereabouts = Callable[[], Parts]
"""Asked again for every request, so that a page can be open while the parts are still starting."""

TITLES = {
    "slack": "the stand-in for Slack",
    "fleet": "the simulated fleet",
    "prometheus": "Prometheus",
    "pagerduty": "the stand-in for PagerDuty",
    "confluence": "the stand-in for Confluence",
}
