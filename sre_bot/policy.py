"""policy.yaml: which tools run without asking. What it does not say is gated: a missing file is the safest policy.

Hints of other MCP servers about their own tools are not read: a server that lies about itself would open its own gate.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre_bot.errors import CatalogError

FILE = "policy.yaml"
OWN_SERVER = "sre"
"""The name of our MCP server, which no other may have."""

_SERVER = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")


class ApprovalPolicy(BaseModel):
    """What approvals are like, and which of our tools need none although they write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expires_minutes: float = Field(30.0, gt=0, le=24 * 60)
    free: frozenset[str] = frozenset()


class Policy(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approval: ApprovalPolicy = ApprovalPolicy()
    read_only: Mapping[str, frozenset[str]] = {}

    @property
    def expires(self) -> timedelta:
        """How long a proposal may be decided."""
        return timedelta(minutes=self.approval.expires_minutes)

    def foreign_tools(self) -> frozenset[str]:
        """Tools of other servers that may run, as Claude Code names them."""
        return frozenset(f"mcp__{server}__{name}" for server, names in self.read_only.items() for name in names)


def load_policy(config_dir: Path, tools: Mapping[str, bool]) -> Policy:
    """Read the policy.

    Args:
        config_dir: where `policy.yaml` is; a missing one gives the defaults.
        tools: our tools that write, and whether each may be freed.

    Raises:
        CatalogError: it cannot be used; says which file and why.
    """
    path = config_dir / FILE
    if not path.exists():
        return Policy()
    try:
        policy = Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise CatalogError(f"{path}: cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: is not valid YAML: {error}") from error
    except ValidationError as error:
        findings = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors(include_url=False)]
        raise CatalogError("\n".join(f"{path}: {where}: {what}" for where, what in findings)) from error
    if problems := list(_problems(policy, tools)):
        raise CatalogError("\n".join(f"{path}: {problem}" for problem in problems))
    return policy


def _problems(policy: Policy, tools: Mapping[str, bool]) -> Iterator[str]:
    """What a well-formed policy may not say."""
    for name in sorted(policy.approval.free):
        if not tools.get(name, False):
            yield (
                f"approval.free: {name!r} cannot run without an approval: it changes a service, or is no tool that "
                f"writes. May be listed: {', '.join(sorted(each for each, may in tools.items() if may))}."
            )
    for name in policy.read_only:
        if problem := problem_of_server(name):
            yield f"read_only: {problem}"


def problem_of_server(name: str) -> str:
    """Why another MCP server may not be called this; empty where it may.

    Claude Code writes a tool as mcp__SERVER__TOOL and puts an underscore for what it does not take, so that two names
    could become one: mcp__a__b__c is c of a__b, or b__c of a. And people read these names beside those of our tools.
    """
    if name.casefold() == OWN_SERVER:
        return f"{name!r} is the bot's own server, which is always there; which of its tools read is known."
    if not _SERVER.fullmatch(name):
        return f"{name!r}: a server's name is letters a to z and digits, with single - or _ between them."
    return ""
