"""policy.yaml: what it does not say is gated, and what would open the gate of a change is refused."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from sre_bot.assembly import FURTHER, load_further_servers
from sre_bot.errors import CatalogError
from sre_bot.policy import FILE, Policy, load_policy
from sre_bot.settings import ROOT
from sre_bot.tools.offer import describe_tools
from sre_bot.tools.spec import Access

TOOLS = {spec.name: spec.access is Access.NOTIFY for spec in describe_tools() if spec.access is not Access.READ}


def read(folder: Path, text: str) -> Policy:
    (folder / FILE).write_text(text, encoding="utf-8")
    return load_policy(folder, TOOLS)


def test_without_a_file_everything_that_writes_is_gated(tmp_path: Path):
    policy = load_policy(tmp_path, TOOLS)
    assert (policy.approval.free, policy.foreign_tools()) == (frozenset(), frozenset())
    assert policy.expires == timedelta(minutes=30)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "approval: {}\nread_only: {}\n"])
def test_an_empty_file_is_the_safest_policy(tmp_path: Path, text: str):
    assert read(tmp_path, text) == Policy()


def test_the_policy_that_is_shipped_frees_nothing():
    assert load_policy(ROOT / "config", TOOLS) == Policy()


def test_only_what_notifies_people_may_be_freed(tmp_path: Path):
    for name, may in TOOLS.items():
        text = yaml.safe_dump({"approval": {"free": [name]}})
        if may:
            assert read(tmp_path, text).approval.free == {name}
        else:
            with pytest.raises(CatalogError, match=name):
                read(tmp_path, text)
    assert {"update_service_config", "redeploy_service"} <= {name for name, may in TOOLS.items() if not may}


def test_tools_of_other_servers_are_named_as_claude_code_names_them(tmp_path: Path):
    policy = read(tmp_path, "read_only: {github: [get_issue, search_code], k8s: []}")
    assert policy.foreign_tools() == {"mcp__github__get_issue", "mcp__github__search_code"}


@pytest.mark.parametrize(
    "text",
    [
        "approval: {free: [update_service_config]}",
        "approval: {free: [get_service_health]}",
        "approval: {free: ['*']}",
        "approval: {free: [Pagerduty_create_incident]}",
        "approval: {free: pagerduty_create_incident}",
        "approval: {expires_minutes: 0}",
        "approval: {expires_minutes: -1}",
        "approval: {expires_minutes: 1441}",
        "approval: {expires_minutes: .inf}",
        "approval: {expires_minutes: .nan}",
        "approval: {expires: 5}",
        "approve: {}",
        "read_only: {sre: [update_service_config]}",
        "read_only: {SRE: [get_logs]}",
        "read_only: {sre__x: [get_logs]}",
        "read_only: {mcp__sre: [get_logs]}",
        "read_only: {'': [get_logs]}",
        "read_only: {github: get_issue}",
        "read_only: [github]",
        "- approval",
        "approval: [",
        "!!python/object/apply:os.system [id]",
        "just words",
        "42",
    ],
)
def test_what_cannot_be_meant_is_refused_and_the_file_named(tmp_path: Path, text: str):
    with pytest.raises(CatalogError, match=r"policy\.yaml"):
        read(tmp_path, text)


NAMES = ["sre", "SRE", "sre ", "sre_", "mcp__sre__get_logs", "a__b", "git hub", "s.re", "\u0455re", "sre\u200b", ""]


@pytest.mark.parametrize("name", NAMES)
def test_another_server_cannot_be_called_what_could_be_taken_for_ours_or_for_a_third(tmp_path: Path, name: str):
    servers = {"github": {"command": "x"}, name: {"command": "y"}}
    (tmp_path / FURTHER).write_text(json.dumps({"mcpServers": servers}))
    with pytest.raises(CatalogError, match=r"mcp\.json"):
        load_further_servers(tmp_path)


@pytest.mark.parametrize("name", ["github", "GitHub", "git-hub", "git_hub", "k8s", "sre2", "my-sre"])
def test_any_other_name_is_a_servers(tmp_path: Path, name: str):
    (tmp_path / FURTHER).write_text(json.dumps({"mcpServers": {name: {"command": "x"}}}))
    assert set(load_further_servers(tmp_path)) == {name}


def test_a_file_that_is_no_text_or_no_file_is_refused(tmp_path: Path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match=r"policy\.yaml"):
        load_policy(tmp_path, TOOLS)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(CatalogError, match=r"policy\.yaml"):
        load_policy(tmp_path, TOOLS)
