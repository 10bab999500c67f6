"""What only the bot may know: the model's key, Slack's tokens, and the bounds of its work."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, model_validator

from sre_bot.settings.backends import ToolSettings
from sre_bot.settings.fields import ROOT, ApiKey, ChannelId, Group, People, ProjectPath, Secrets, Url


class LedgerSettings(Group):
    """Where the tool process finds approvals; read only where it must (`--allow-changes=approved`)."""

    database_url: str = Field(
        f"sqlite:///{ROOT / 'var' / 'sre_bot.db'}",
        alias="DATABASE_URL",
        description="The ledger's database",
        repr=False,
    )


class StateSettings(Group):
    """Where the agent's processes keep their files."""

    state_dir: ProjectPath = Field(
        Path("var"), alias="SRE_STATE_DIR", description="Folder for the agent's scratch files and transcripts"
    )


class ModelSettings(Group):
    """Claude, through the Agent SDK."""

    api_key: SecretStr = Field(alias="ANTHROPIC_API_KEY", description="Key of Anthropic's API")
    base_url: Url | None = Field(None, alias="ANTHROPIC_BASE_URL", description="Another address of that API")
    model: str = Field("claude-sonnet-5", alias="SRE_MODEL", description="The model that investigates")


class RunSettings(Group):
    """Bounds of one run; every bound ends in a message that says which it was."""

    max_turns: PositiveInt = Field(40, alias="SRE_MAX_TURNS", description="Model calls in one run")
    max_cost_usd: PositiveFloat = Field(2.0, alias="SRE_MAX_COST_USD", description="US dollars for one run")
    timeout: PositiveFloat = Field(600.0, alias="SRE_RUN_TIMEOUT", description="Seconds for one run")
    silence: PositiveFloat = Field(
        45.0,
        alias="SRE_SILENCE_TIMEOUT",
        description="Seconds without any sign of the model before a run is ended",
    )
    concurrent: PositiveInt = Field(
        5,
        alias="SRE_MAX_RUNS",
        description="Runs at the same time; each costs about 250 MB. Others wait their turn",
    )
    concurrent_in_all: PositiveInt = Field(
        10, alias="SRE_MAX_RUNS_IN_ALL", description="Runs at the same time in all replicas on one database"
    )
    idle: PositiveFloat = Field(
        300.0, alias="SRE_SESSION_IDLE", description="Seconds a thread's session stays warm after its last answer"
    )
    idle_sessions: PositiveInt = Field(
        5, alias="SRE_IDLE_SESSIONS", description="Warm sessions kept for threads that have just talked"
    )
    spare_sessions: NonNegativeInt = Field(
        1, alias="SRE_SPARE_SESSIONS", description="Sessions started before they are needed"
    )


class HouseSettings(Group):
    """What the agent's processes may hold on this machine, all together."""

    memory_mb: PositiveInt = Field(
        4096,
        alias="SRE_MEMORY_MB",
        description="MB of memory for all sessions; above it idle ones end, new are refused",
    )
    session_memory_mb: PositiveInt = Field(
        1024, alias="SRE_SESSION_MEMORY_MB", description="MB of memory for one session; above it its run is ended"
    )
    scratch_mb: PositiveInt = Field(
        500, alias="SRE_SCRATCH_MB", description="MB of scratch files and local transcripts; the oldest go first"
    )
    scratch_hours: PositiveFloat = Field(
        24.0, alias="SRE_SCRATCH_HOURS", description="Hours after which scratch files and local transcripts go"
    )


StreamMode = Literal["auto", "native", "edit"]


class SlackSettings(Group):
    """The Slack app, in socket mode."""

    bot_token: SecretStr = Field(alias="SLACK_BOT_TOKEN", description="Bot token, `xoxb-…`")
    app_token: SecretStr = Field(alias="SLACK_APP_TOKEN", description="App-level token, `xapp-…`, connections:write")
    api_url: Url = Field("https://slack.com/api", alias="SLACK_API_URL", description="Slack's Web API")
    incident_channel: ChannelId | None = Field(
        None,
        alias="SLACK_INCIDENT_CHANNEL",
        description="Id of the channel where incidents get their cards (C0123456789); without it none are posted",
    )
    stream_mode: StreamMode = Field(
        "auto",
        alias="SRE_STREAM_MODE",
        description="How replies grow: native (Slack's streams), edit (messages that are edited, which everybody sees "
        "grow), or auto: native in direct messages, edit in channels",
    )
    pace: PositiveFloat = Field(
        1.0,
        alias="SLACK_PACE",
        description="How many times faster than Slack's documented rate limits to write, where Slack has raised them",
    )


class ApprovalSettings(Group):
    """Who decides on what the agent proposes."""

    approvers: People = Field(
        (),
        alias="SLACK_APPROVERS",
        description="Ids of users (U…) and user groups (S…) that may approve, separated by commas; none: nobody may",
    )


class VerificationSettings(Group):
    """When the figures after a change are compared with those before it."""

    after: PositiveFloat = Field(
        75.0,
        alias="SRE_VERIFY_AFTER",
        description="Seconds after a change before the first look; longer than the window of the catalog's rates",
    )
    within: PositiveFloat = Field(
        240.0, alias="SRE_VERIFY_WITHIN", description="Seconds after a change at which the last look is taken"
    )


class WebhookSettings(Group):
    """The listener that PagerDuty and Alertmanager call, with /healthz, /readyz and /metrics.

    A route whose secret is not set refuses every delivery and says why.
    """

    host: str = Field(
        "127.0.0.1", alias="WEBHOOK_HOST", description="Address to listen on; 0.0.0.0 in a container behind a proxy"
    )
    port: int = Field(3000, ge=0, le=65535, alias="WEBHOOK_PORT", description="Port to listen on; 0 for a free one")
    pagerduty_secrets: Secrets = Field(
        (),
        alias="PAGERDUTY_WEBHOOK_SECRET",
        description="Secret of PagerDuty's webhook subscription; several while rotating, separated by commas",
    )
    alertmanager_token: ApiKey | None = Field(
        None, alias="ALERTMANAGER_WEBHOOK_TOKEN", description="Bearer token that Alertmanager's receiver sends"
    )
    alertmanager_username: str | None = Field(
        None, alias="ALERTMANAGER_WEBHOOK_USERNAME", description="Basic auth user that Alertmanager's receiver sends"
    )
    alertmanager_password: SecretStr | None = Field(
        None, alias="ALERTMANAGER_WEBHOOK_PASSWORD", description="Basic auth password of that user"
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.alertmanager_username) != bool(self.alertmanager_password):
            raise ValueError("ALERTMANAGER_WEBHOOK_USERNAME and ALERTMANAGER_WEBHOOK_PASSWORD belong together")
        return self


class IncidentSettings(Group):
    """What happens to an incident by itself, and what it may cost."""

    auto_investigate: bool = Field(
        default=True, alias="SRE_AUTO_INVESTIGATE", description="Investigate an incident when its card is posted"
    )
    storm_window: PositiveFloat = Field(
        600.0,
        alias="SRE_STORM_WINDOW",
        description="Seconds after a page during which a related one joins its card",
    )
    ask_again: PositiveFloat = Field(
        60.0,
        alias="SRE_ASK_AGAIN",
        description="Seconds between two questions that the bot asks by itself about one incident",
    )
    incident_budget_usd: PositiveFloat = Field(
        6.0, alias="SRE_INCIDENT_BUDGET_USD", description="US dollars for all runs in one thread"
    )
    hour_budget_usd: PositiveFloat = Field(
        20.0, alias="SRE_HOUR_BUDGET_USD", description="US dollars for all runs of an hour"
    )
    day_budget_usd: PositiveFloat = Field(
        100.0, alias="SRE_DAY_BUDGET_USD", description="US dollars for all runs of 24 hours"
    )
    reserve: float = Field(
        0.25,
        ge=0,
        lt=1,
        alias="SRE_BUDGET_RESERVE",
        description="Share of the hour's and the day's budget that is kept for high urgency and for people's questions",
    )
    retention_days: float = Field(
        90.0,
        ge=3,
        alias="SRE_RETENTION_DAYS",
        description="Days that deliveries, conversations and transcripts are kept; PagerDuty repeats for 48 hours",
    )


class Settings(StateSettings):
    """All that the bot may know."""

    tools: ToolSettings
    model: ModelSettings
    run: RunSettings
    house: HouseSettings
    slack: SlackSettings
    approvals: ApprovalSettings
    verification: VerificationSettings
    webhooks: WebhookSettings
    incidents: IncidentSettings
    database_url: str = Field(
        f"sqlite:///{ROOT / 'var' / 'sre_bot.db'}",
        alias="DATABASE_URL",
        description="The ledger's database",
        repr=False,
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="SRE_LOG_LEVEL", description="How much the bot logs"
    )
