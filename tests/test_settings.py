"""The environment: every problem at once, in words, and never a secret."""

from pathlib import Path

import pytest

from sre_bot.errors import SettingsError
from sre_bot.settings import (
    ROOT,
    LokiSettings,
    PagerDutySettings,
    ToolSettings,
    find_problems,
    load_group,
    load_settings,
    load_tool_settings,
    read_environment,
)

COMPLETE = {
    "ANTHROPIC_API_KEY": "sk-model",
    "SLACK_BOT_TOKEN": "xoxb-bot",
    "SLACK_APP_TOKEN": "xapp-app",
}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


def test_every_missing_variable_is_named_at_once() -> None:
    assert {line.split(":")[0] for line in problems({})} == set(COMPLETE)


def test_missing_and_wrong_variables_are_named_together() -> None:
    wrong = {"SLACK_BOT_TOKEN": "xoxb-bot", "PROMETHEUS_URL": "localhost:9090", "SRE_MAX_TURNS": "many"}
    named = {line.split(":")[0] for line in problems(wrong)}
    assert named == {"ANTHROPIC_API_KEY", "SLACK_APP_TOKEN", "PROMETHEUS_URL", "SRE_MAX_TURNS"}


@pytest.mark.parametrize(
    "half",
    [
        {"PROMETHEUS_USERNAME": "ada"},
        {"PROMETHEUS_PASSWORD": "hunter2"},
        {"PROMETHEUS_USERNAME": "ada", "PROMETHEUS_PASSWORD": "hunter2", "PROMETHEUS_BEARER_TOKEN": "t0ken"},
        {"PROMETHEUS_USERNAME": "ada", "PROMETHEUS_BEARER_TOKEN": "t0ken"},
    ],
)
def test_half_or_double_authentication_is_refused_and_its_variables_are_named(half: dict[str, str]) -> None:
    (line,) = problems({**COMPLETE, **half})
    assert "PROMETHEUS_USERNAME" in line
    assert "hunter2" not in line
    assert "t0ken" not in line


def test_no_value_of_any_variable_is_repeated_in_a_message() -> None:
    secret = "very-secret-value"
    environ = dict.fromkeys(
        ("SLACK_BOT_TOKEN", "PROMETHEUS_URL", "FLEET_URL", "SRE_MAX_TURNS", "SRE_MAX_COST_USD"), secret
    )
    assert problems(environ)
    assert secret not in "\n".join(problems(environ))


def test_loaded_secrets_are_not_shown_by_repr() -> None:
    shown = repr(load_settings({**COMPLETE, "PROMETHEUS_BEARER_TOKEN": "t0ken"}))
    assert not [value for value in (*COMPLETE.values(), "t0ken") if value in shown]


def test_defaults_are_those_of_the_documentation() -> None:
    settings = load_settings(COMPLETE)
    assert settings.tools.prometheus.url == "http://localhost:9090"
    assert settings.tools.fleet is None
    assert settings.tools.config_dir == ROOT / "config"


def test_a_group_without_any_variable_is_absent_and_with_one_is_there() -> None:
    assert load_tool_settings({}).fleet is None
    fleet = load_tool_settings({"FLEET_URL": "http://127.0.0.1:8000/"}).fleet
    assert fleet
    assert fleet.url == "http://127.0.0.1:8000"


def test_the_tool_process_reads_the_same_settings_from_the_environment_it_is_given() -> None:
    environ = {**COMPLETE, "FLEET_URL": "http://fleet:8000", "PROMETHEUS_USERNAME": "ada", "PROMETHEUS_PASSWORD": "p w"}
    tools = load_settings(environ).tools
    assert load_tool_settings(tools.environment()) == tools


def test_the_tool_process_is_given_nothing_of_slack_or_the_model() -> None:
    handed = load_settings(COMPLETE).tools.environment()
    assert not set(COMPLETE) & set(handed)
    assert not set(COMPLETE.values()) & set(handed.values())


def test_the_process_environment_wins_over_the_env_file_and_blanks_count_as_absent(tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("FLEET_URL=http://from-file\nSRE_MODEL=from-file\nSLACK_BOT_TOKEN=\nODD=a${HOME}b\n")
    read = read_environment({"SRE_ENV_FILE": str(env_file), "SRE_MODEL": "from-process", "PROMETHEUS_URL": ""})
    assert read == {
        "SRE_ENV_FILE": str(env_file),
        "FLEET_URL": "http://from-file",
        "SRE_MODEL": "from-process",
        "ODD": "a${HOME}b",
    }


def test_the_command_that_redeploys_is_split_into_arguments_once() -> None:
    given = {"REDEPLOY_COMMAND": "curl -X POST 'http://127.0.0.1:1/a b/{service}'", "SRE_ENV_DIR": "/srv/env"}
    tools = load_tool_settings(given)
    assert tools.remediation.redeploy_command == ("curl", "-X", "POST", "http://127.0.0.1:1/a b/{service}")
    assert load_tool_settings(tools.environment()) == tools
    assert load_tool_settings({}).remediation.redeploy_command[-1] == "{service}"


@pytest.mark.parametrize(
    "wrong", [{"REDEPLOY_COMMAND": "curl 'x"}, {"REDEPLOY_TIMEOUT": "0"}, {"REDEPLOY_TIMEOUT": "541"}]
)
def test_a_redeploy_that_could_not_run_is_refused_at_the_start(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        load_tool_settings(wrong)


def test_an_empty_name_of_the_env_file_means_that_none_is_read() -> None:
    assert read_environment({"SRE_ENV_FILE": "", "A": "b"}) == {"A": "b"}


def test_a_relative_folder_is_taken_from_the_project_whatever_the_current_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_tool_settings({"SRE_CONFIG_DIR": "elsewhere"}).config_dir == ROOT / "elsewhere"


PAGERDUTY = {
    "PAGERDUTY_API_KEY": "pd-key",
    "PAGERDUTY_SERVICE_ID": "PT4KHLK",
    "PAGERDUTY_FROM_EMAIL": "ada@example.com",
}


def test_pagerduty_is_absent_whole_or_a_mistake_that_names_what_is_missing() -> None:
    assert load_tool_settings({}).pagerduty is None
    found = load_tool_settings(PAGERDUTY)
    assert found.pagerduty
    assert found.pagerduty.url == "https://api.pagerduty.com"
    assert load_tool_settings(found.environment()) == found
    for name in PAGERDUTY:
        half = {key: value for key, value in PAGERDUTY.items() if key != name}
        assert [line.split(":")[0] for line in problems({**COMPLETE, **half})] == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAGERDUTY_API_KEY", "two words"),
        ("PAGERDUTY_API_KEY", "key\nX-Injected: yes"),
        ("PAGERDUTY_API_KEY", "schlüssel"),
        ("PAGERDUTY_SERVICE_ID", "../users"),
        ("PAGERDUTY_FROM_EMAIL", "ada"),
        ("PAGERDUTY_FROM_EMAIL", "ada@example.com\nX: y"),
    ],
)
def test_what_cannot_stand_in_a_request_is_refused_and_not_repeated(name: str, value: str) -> None:
    (line,) = problems({**COMPLETE, **PAGERDUTY, name: value})
    assert line.startswith(f"{name}: ")
    assert value not in line


def test_a_group_can_be_read_by_itself_whatever_is_wrong_with_the_others() -> None:
    environ = {**PAGERDUTY, "LOKI_URL": "nonsense"}
    assert load_group(PagerDutySettings, environ).service_id == PAGERDUTY["PAGERDUTY_SERVICE_ID"]
    assert [line.split(":")[0] for line in find_problems(ToolSettings, environ)] == ["LOKI_URL"]
    with pytest.raises(SettingsError, match="LOKI_URL"):
        load_group(LokiSettings, environ)
