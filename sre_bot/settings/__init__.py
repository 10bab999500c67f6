"""The only reader of the environment.

A *group* of settings belongs to one outside system. A group none of whose variables is set is absent (None), and what
needs it is not offered; a half-configured group is an error. Every problem is collected and raised at once, so that a
newcomer edits `.env` once. `.env` is read without being exported, so that child processes do not inherit it.

The tool process reads `ToolSettings` only: it never sees Slack's tokens or the model's key.
"""

from sre_bot.settings.backends import (
    AlertmanagerSettings,
    ConfluenceSettings,
    DeploymentSettings,
    FleetSettings,
    LokiSettings,
    PagerDutySettings,
    PrometheusSettings,
    RemediationSettings,
    ToolSettings,
)
from sre_bot.settings.bot import (
    ApprovalSettings,
    HouseSettings,
    IncidentSettings,
    LedgerSettings,
    ModelSettings,
    RunSettings,
    Settings,
    SlackSettings,
    StateSettings,
    StreamMode,
    VerificationSettings,
    WebhookSettings,
)
from sre_bot.settings.fields import ROOT, Group
from sre_bot.settings.reading import (
    find_problems,
    load_group,
    load_ledger_settings,
    load_settings,
    load_tool_settings,
    read_environment,
)

__all__ = [
    "ROOT",
    "AlertmanagerSettings",
    "ApprovalSettings",
    "ConfluenceSettings",
    "DeploymentSettings",
    "FleetSettings",
    "Group",
    "HouseSettings",
    "IncidentSettings",
    "LedgerSettings",
    "LokiSettings",
    "ModelSettings",
    "PagerDutySettings",
    "PrometheusSettings",
    "RemediationSettings",
    "RunSettings",
    "Settings",
    "SlackSettings",
    "StateSettings",
    "StreamMode",
    "ToolSettings",
    "VerificationSettings",
    "WebhookSettings",
    "find_problems",
    "load_group",
    "load_ledger_settings",
    "load_settings",
    "load_tool_settings",
    "read_environment",
]
