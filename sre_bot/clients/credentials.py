"""How the settings of a backend become the credentials of its HTTP client."""

from typing import Protocol, TypedDict

from pydantic import SecretStr

from sre_bot.clients.http import bearer


class Authenticated(Protocol):
    """Settings with basic or bearer authentication; `settings.HttpAuth` has refused both at once."""

    @property
    def username(self) -> str | None:
        """User of basic authentication."""

    @property
    def password(self) -> SecretStr | None:
        """Its password."""

    @property
    def bearer_token(self) -> SecretStr | None:
        """Token of bearer authentication."""


class Credentials(TypedDict):
    """Arguments of `HttpService`."""

    auth: tuple[str, str] | None
    headers: dict[str, str]


ANONYMOUS: Credentials = {"auth": None, "headers": {}}


def credentials(settings: Authenticated) -> Credentials:
    """Basic authentication, or a bearer header, or neither."""
    user, password, token = settings.username, settings.password, settings.bearer_token
    return {
        "auth": (user, password.get_secret_value()) if user and password else None,
        "headers": bearer(token.get_secret_value()) if token else {},
    }
