"""Environment and `.env` file to settings, with every problem named at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, TypeVar, get_args

from dotenv import dotenv_values
from pydantic import ValidationError

from sre_bot.errors import SettingsError
from sre_bot.settings.backends import ToolSettings
from sre_bot.settings.bot import LedgerSettings, Settings
from sre_bot.settings.fields import ROOT, Group

G = TypeVar("G", bound=Group)


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


def load_group(group: type[G], environ: Mapping[str, str]) -> G:
    """One group by itself, whatever is wrong with the others; raises SettingsError as `load_settings` does."""
    return _load(group, environ)


def find_problems(group: type[Group], environ: Mapping[str, str]) -> list[str]:
    """Everything that is missing or unusable in a group and the groups inside it, a sentence each."""
    problems: list[str] = []
    _read(group, environ, problems)
    return problems


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
