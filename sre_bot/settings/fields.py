"""What a field may hold, and what a group of settings is."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, StringConstraints, model_validator

ROOT = Path(__file__).resolve().parent.parent.parent


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


def _split_list(value: object) -> object:
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


def _split_words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


def _resolve_path(value: object) -> Path:
    return (ROOT / Path(str(value)).expanduser()).resolve()


Url = Annotated[str, BeforeValidator(_check_url)]
ApiKey = Annotated[SecretStr, BeforeValidator(_check_key)]
Email = Annotated[str, BeforeValidator(_check_email)]
HeaderText = Annotated[str, StringConstraints(pattern=r"^[!-~]+$")]
LabelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Arguments = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split_list)]
People = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[UWS][A-Z0-9]+$")], ...], BeforeValidator(_split_list)
]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CG][A-Z0-9]+$")]
ProjectPath = Annotated[Path, BeforeValidator(_resolve_path)]


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
