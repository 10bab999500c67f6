"""The only reader of the environment.

A *group* of settings belongs to one outside system. A group none of whose variables is set is absent (None), and what
needs it is not offered; a half-configured group is an error. Every problem is collected and raised at once, so that a
newcomer edits `.env` once. `.env` is read without being exported, so that child processes do not inherit it.

The tool process reads `ToolSettings` only: it never sees Slack's tokens or the model's key.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from sre_bot.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent


def _check_url(value: object) -> str:
    url = str(value).strip().rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url


def _check_key(value: object) -> str:
    key = str(value).strip()
    if not re.fullmatch(r"[!-~]+", key):
        raise ValueError("must be printable ASCII without blanks: it is sent in a header")
    return key


def _check_email(value: object) -> str:
    email = str(value).strip()
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", email):
        raise ValueError("must be one e-mail address")
    return email


def _split_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _split_words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _resolve_path(value: object) -> Path:
    return (ROOT / Path(str(value)).expanduser()).resolve()


Url = Annotated[str, BeforeValidator(_check_url)]
ApiKey = Annotated[SecretStr, BeforeValidator(_check_key)]
Email = Annotated[str, BeforeValidator(_check_email)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]
Arguments = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
ProjectPath = Annotated[Path, BeforeValidator(_resolve_path)]
G = TypeVar("G", bound="Group")


class Group(BaseModel):
    """Settings that stand or fall together; each field's alias is its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        """Names of the environment variables of this group."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    def environment(self) -> dict[str, str]:
        """This group as environment variables, secrets revealed: for the one child process that needs them."""
        return {name: _as_text(getattr(self, key)) for key, name in _aliases(type(self)) if getattr(self, key)}


def _aliases(group: type[Group]) -> list[tuple[str, str]]:
    return [(key, field.alias or key) for key, field in group.model_fields.items()]


def _as_text(value: Any) -> str:  # noqa: ANN401  (a field's value: str, number, path, secret or tuple)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return shlex.join(value) if isinstance(value, tuple) else str(value)


class HttpAuth(Group):
    """Basic or bearer authentication of one backend; both at once is a mistake, as is half of basic."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        user, password, token = (getattr(self, part, None) for part in ("username", "password", "bearer_token"))
        if token and (user or password):
            raise ValueError("set either a bearer token or a username and password, not both")
        if bool(user) != bool(password):
            raise ValueError("a username and a password belong together")
        return self


class PrometheusSettings(HttpAuth):
    """Where metrics and alerting rules are asked for."""

    url: Url = Field("http://localhost:9090", alias="PROMETHEUS_URL", description="Prometheus, base URL")
    username: str | None = Field(None, alias="PROMETHEUS_USERNAME", description="Basic auth user")
    password: SecretStr | None = Field(None, alias="PROMETHEUS_PASSWORD", description="Basic auth password")
    bearer_token: SecretStr | None = Field(None, alias="PROMETHEUS_BEARER_TOKEN", description="Bearer token")


class FleetSettings(Group):
    """The simulated fleet: the source of logs and deployments where nothing else is configured."""

    url: Url = Field(alias="FLEET_URL", description="The simulated fleet, base URL (logs and deployments)")


class PagerDutySettings(Group):
    """PagerDuty, where people are paged."""

    api_key: ApiKey = Field(alias="PAGERDUTY_API_KEY", description="REST API key, not an integration key")
    service_id: str = Field(
        alias="PAGERDUTY_SERVICE_ID", pattern=r"^[A-Za-z0-9]+$", description="Service that new incidents are opened on"
    )
    from_email: Email = Field(alias="PAGERDUTY_FROM_EMAIL", description="A user of the account: who opens and resolves")
    url: Url = Field("https://api.pagerduty.com", alias="PAGERDUTY_API_URL", description="PagerDuty's REST API")


class RemediationSettings(Group):
    """What changes a service: its env file, and the command that redeploys it."""

    env_dir: ProjectPath | None = Field(
        None, alias="SRE_ENV_DIR", description="Folder of the services' env files; default SRE_CONFIG_DIR"
    )
    redeploy_command: Arguments = Field(
        ("docker-compose", "-f", "config/docker-compose.yml", "up", "--build", "-d", "{service}"),
        alias="REDEPLOY_COMMAND",
        min_length=1,
        description="Program and arguments, no shell; {service} is replaced; run in the project's folder",
    )
    redeploy_timeout: PositiveFloat = Field(
        120.0, alias="REDEPLOY_TIMEOUT", le=540, description="Seconds for that command, then it is killed"
    )


class LedgerSettings(Group):
    """Where the tool process finds approvals; read only where it must (`--allow-changes=approved`)."""

    database_url: str = Field(
        f"sqlite:///{ROOT / 'var' / 'sre_bot.db'}", alias="DATABASE_URL", description="The ledger's database"
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
        4096, alias="SRE_MEMORY_MB", description="MB of memory for all sessions; above it idle ones end, new ones wait"
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


class SlackSettings(Group):
    """The Slack app, in socket mode."""

    bot_token: SecretStr = Field(alias="SLACK_BOT_TOKEN", description="Bot token, `xoxb-…`")
    app_token: SecretStr = Field(alias="SLACK_APP_TOKEN", description="App-level token, `xapp-…`, connections:write")
    api_url: Url = Field("https://slack.com/api", alias="SLACK_API_URL", description="Slack's Web API")


class ToolSettings(Group):
    """What the tool process may know."""

    config_dir: ProjectPath = Field(
        Path("config"), alias="SRE_CONFIG_DIR", description="Folder with services.yaml and runbooks/"
    )
    prometheus: PrometheusSettings
    remediation: RemediationSettings
    fleet: FleetSettings | None = None
    pagerduty: PagerDutySettings | None = None

    def environment(self) -> dict[str, str]:
        """The whole environment that the tool process needs, and nothing else."""
        groups = (value for key in type(self).model_fields if isinstance(value := getattr(self, key), Group))
        # An empty SRE_ENV_FILE: what was decided here is what the tools see, whatever `.env` says by then.
        variables = {"SRE_CONFIG_DIR": str(self.config_dir), "SRE_ENV_FILE": ""}
        for group in groups:
            variables |= group.environment()
        return variables


class Settings(Group):
    """All that the bot may know."""

    tools: ToolSettings
    model: ModelSettings
    run: RunSettings
    house: HouseSettings
    slack: SlackSettings
    database_url: str = Field(
        f"sqlite:///{ROOT / 'var' / 'sre_bot.db'}", alias="DATABASE_URL", description="The ledger's database"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="SRE_LOG_LEVEL", description="How much the bot logs"
    )
    state_dir: ProjectPath = Field(
        Path("var"), alias="SRE_STATE_DIR", description="Folder for the agent's scratch files and transcripts"
    )


def read_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The process environment over the `.env` file (`SRE_ENV_FILE`; empty for none), blank values left out."""
    path = environ.get("SRE_ENV_FILE", str(ROOT / ".env"))
    from_file = dotenv_values(path, interpolate=False) if path and Path(path).is_file() else {}
    merged = {**from_file, **environ}
    return {name: value for name, value in merged.items() if value}


def load_settings(environ: Mapping[str, str]) -> Settings:
    """The bot's settings.

    Raises:
        SettingsError: names every missing or unusable variable, one a line.
    """
    return _load(Settings, environ)


def load_ledger_settings(environ: Mapping[str, str]) -> LedgerSettings:
    """Where approvals are; raises SettingsError as `load_settings` does."""
    return _load(LedgerSettings, environ)


def load_tool_settings(environ: Mapping[str, str]) -> ToolSettings:
    """The tool process's settings; raises SettingsError as `load_settings` does."""
    return _load(ToolSettings, environ)


def _load(group: type[G], environ: Mapping[str, str]) -> G:
    problems: list[str] = []
    loaded = _read(group, environ, problems)
    if problems or loaded is None:
        listed = "\n".join(f"  - {line}" for line in problems)
        raise SettingsError(
            f"The settings are not complete. Set these in the environment or in .env (see .env.example):\n{listed}"
        )
    return loaded


def _read(group: type[G], environ: Mapping[str, str], problems: list[str]) -> G | None:
    """One group with the groups inside it; what is wrong is appended to `problems`."""
    values: dict[str, Any] = {}
    for key, field in group.model_fields.items():
        inner = _inner_group(field.annotation)
        if inner is None:
            name = field.alias or key
            if name in environ:
                values[name] = environ[name]
        elif _optional(field.annotation) and not any(name in environ for name in inner.variables()):
            values[key] = None
        else:
            values[key] = _read(inner, environ, problems)
    try:
        return group.model_validate(values)
    except ValidationError as error:
        problems.extend(_explain(group, error))
        return None


def _inner_group(annotation: Any) -> type[Group] | None:  # noqa: ANN401  (a type annotation)
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Group):
            return candidate
    return None


def _optional(annotation: Any) -> bool:  # noqa: ANN401  (a type annotation)
    return NoneType in get_args(annotation)


def _explain(group: type[Group], error: ValidationError) -> list[str]:
    """Pydantic's findings in words, without its input values: they may be secrets."""
    inner = {key for key, field in group.model_fields.items() if _inner_group(field.annotation)}
    described = {field.alias: field.description for field in group.model_fields.values()}
    lines = []
    for finding in error.errors(include_input=False, include_url=False):
        name = str(finding["loc"][0]) if finding["loc"] else " / ".join(group.variables())
        if name in inner:
            continue  # its own line is there already
        what = "missing" if finding["type"] == "missing" else finding["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {what}" + (f" ({described[name]})" if described.get(name) else ""))
    return lines
