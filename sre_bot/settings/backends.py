"""The systems that the tools call, one group each, and together what the tool process may know."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, SecretStr

from sre_bot.settings.fields import (
    ApiKey,
    Arguments,
    Email,
    Group,
    HeaderText,
    HttpAuth,
    LabelName,
    ProjectPath,
    Url,
)


class PrometheusSettings(HttpAuth):
    """Where metrics and alerting rules are asked for."""

    url: Url = Field("http://localhost:9090", alias="PROMETHEUS_URL", description="Prometheus, base URL")
    username: str | None = Field(None, alias="PROMETHEUS_USERNAME", description="Basic auth user")
    password: SecretStr | None = Field(None, alias="PROMETHEUS_PASSWORD", description="Basic auth password")
    bearer_token: SecretStr | None = Field(None, alias="PROMETHEUS_BEARER_TOKEN", description="Bearer token")


class AlertmanagerSettings(HttpAuth):
    """Where silences and inhibitions are kept; without it alerts come from Prometheus' rules alone."""

    url: Url = Field(alias="ALERTMANAGER_URL", description="Alertmanager, base URL")
    username: str | None = Field(None, alias="ALERTMANAGER_USERNAME", description="Basic auth user")
    password: SecretStr | None = Field(None, alias="ALERTMANAGER_PASSWORD", description="Basic auth password")
    bearer_token: SecretStr | None = Field(None, alias="ALERTMANAGER_BEARER_TOKEN", description="Bearer token")


class LokiSettings(HttpAuth):
    """Where logs are read; it comes before the fleet's.

    The labels' defaults are those that Loki itself adds since 3.0. The service's label must be one of streams; the
    level's may be structured metadata.
    """

    url: Url = Field(alias="LOKI_URL", description="Loki, base URL")
    tenant: HeaderText | None = Field(None, alias="LOKI_TENANT", description="X-Scope-OrgID; several: a|b")
    username: str | None = Field(None, alias="LOKI_USERNAME", description="Basic auth user")
    password: SecretStr | None = Field(None, alias="LOKI_PASSWORD", description="Basic auth password")
    bearer_token: SecretStr | None = Field(None, alias="LOKI_BEARER_TOKEN", description="Bearer token")
    service_label: LabelName = Field("service_name", alias="LOKI_SERVICE_LABEL", description="Label of the service")
    level_label: LabelName = Field("detected_level", alias="LOKI_LEVEL_LABEL", description="Label of the level")


class DeploymentSettings(HttpAuth):
    """Where deployments are read; it comes before the fleet's. The shape is described in docs/integrations.md."""

    url: Url = Field(alias="DEPLOYMENTS_URL", description="JSON of what was deployed, the whole address")
    username: str | None = Field(None, alias="DEPLOYMENTS_USERNAME", description="Basic auth user")
    password: SecretStr | None = Field(None, alias="DEPLOYMENTS_PASSWORD", description="Basic auth password")
    bearer_token: SecretStr | None = Field(None, alias="DEPLOYMENTS_BEARER_TOKEN", description="Bearer token")


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


class ConfluenceSettings(Group):
    """The Confluence Cloud space where post-mortems are kept."""

    base_url: Url = Field(alias="CONFLUENCE_BASE_URL", description="`https://<site>.atlassian.net/wiki`")
    api_token: ApiKey = Field(alias="CONFLUENCE_API_TOKEN", description="API token of an Atlassian account")
    user_email: Email = Field(alias="CONFLUENCE_USER_EMAIL", description="E-mail address of that account")
    space_key: str = Field(alias="CONFLUENCE_SPACE_KEY", description="Key of the space, such as `SRE`")
    parent_page_id: Annotated[str, Field(pattern=r"^[0-9]+$")] | None = Field(
        None, alias="CONFLUENCE_PARENT_PAGE_ID", description="Number of the page under which post-mortems are put"
    )


class ToolSettings(Group):
    """What the tool process may know."""

    config_dir: ProjectPath = Field(
        Path("config"), alias="SRE_CONFIG_DIR", description="Folder with services.yaml and runbooks/"
    )
    prometheus: PrometheusSettings
    remediation: RemediationSettings
    fleet: FleetSettings | None = None
    alertmanager: AlertmanagerSettings | None = None
    loki: LokiSettings | None = None
    deployments: DeploymentSettings | None = None
    pagerduty: PagerDutySettings | None = None
    confluence: ConfluenceSettings | None = None

    def environment(self) -> dict[str, str]:
        """The whole environment that the tool process needs, and nothing else."""
        groups = (value for key in type(self).model_fields if isinstance(value := getattr(self, key), Group))
        # An empty SRE_ENV_FILE: what was decided here is what the tools see, whatever `.env` says by then.
        variables = {"SRE_CONFIG_DIR": str(self.config_dir), "SRE_ENV_FILE": ""}
        for group in groups:
            variables |= group.environment()
        return variables
