"""What is known of the settings when not all of them can be used: each group by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import SecretStr

from sre_bot.doctor.finding import Finding, skipped
from sre_bot.errors import SettingsError
from sre_bot.settings import Group, Settings, ToolSettings, find_problems, load_group, load_tool_settings

G = TypeVar("G", bound=Group)

_SHORTEST_SECRET = 6  # characters; to hide a shorter one would hide half of the words


@dataclass(frozen=True)
class Known:
    """The environment, and what can be used of it.

    Attributes:
        environ: all variables.
        problems: everything that is wrong, a sentence each.
        tools: what the tool process would know; a group that cannot be used is left out.
        broken: the variables of groups that cannot be used.
    """

    environ: Mapping[str, str]
    problems: tuple[str, ...]
    tools: ToolSettings
    broken: frozenset[str]

    def group(self, group: type[G]) -> G | None:
        """A group by itself; None where it cannot be used."""
        try:
            return load_group(group, self.environ)
        except SettingsError:
            return None

    def unusable(self, group: type[Group], name: str) -> list[Finding]:
        """The row of a thing whose settings are wrong; none where they are right, or absent."""
        if self.broken.isdisjoint(group.variables()):
            return []
        return [skipped(name, "Its settings are incomplete or wrong; the first row names what.")]

    def secrets(self) -> tuple[str, ...]:
        """Every secret there is, the longest first."""
        named = [self.environ[name] for name in _secret_variables(Settings) if name in self.environ]
        parts = [part.strip() for value in named for part in (value, *value.split(","))]
        passwords = [_password(value) for value in self.environ.values() if "://" in value]
        found = {part for part in (*parts, *passwords) if len(part) >= _SHORTEST_SECRET}
        return tuple(sorted(found, key=len, reverse=True))


def read_known(environ: Mapping[str, str]) -> Known:
    """Look at every group by itself."""
    broken: set[str] = set()
    for group in inner_groups(ToolSettings):
        if any(name in environ for name in group.variables()) and find_problems(group, environ):
            broken |= set(group.variables())
    usable = {name: value for name, value in environ.items() if name not in broken}
    return Known(environ, tuple(find_problems(Settings, environ)), load_tool_settings(usable), frozenset(broken))


def inner_groups(group: type[Group]) -> list[type[Group]]:
    """The groups inside a group."""
    candidates = [each for field in group.model_fields.values() for each in (field.annotation, *_inside(field))]
    return [each for each in candidates if isinstance(each, type) and issubclass(each, Group)]


def _secret_variables(group: type[Group]) -> set[str]:
    own = {
        field.alias
        for field in group.model_fields.values()
        if field.alias and (field.annotation is SecretStr or "SecretStr" in repr(_inside(field)))
    }
    return own.union(*map(_secret_variables, inner_groups(group)))


def _inside(field: Any) -> tuple[Any, ...]:  # noqa: ANN401  (pydantic's FieldInfo)
    return get_args(field.annotation)


def _password(url: str) -> str:
    """The password inside an address; of a web address without one the user, which may be a token."""
    scheme, _, rest = url.partition("://")
    credentials, at, _ = rest.partition("/")[0].rpartition("@")
    user, _, password = credentials.partition(":")
    return (password or (user if scheme.startswith("http") else "")) if at else ""
