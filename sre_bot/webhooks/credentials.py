"""What Alertmanager's receiver proves itself with: a bearer token, or a user and a password."""

import base64
import binascii
import hmac

from sre_bot.settings import WebhookSettings


class Credentials:
    """What one listener accepts."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._known: list[tuple[str, bytes]] = []
        if settings.alertmanager_token:
            self._known.append(
                ("bearer", settings.alertmanager_token.get_secret_value().encode(errors="surrogateescape"))
            )
        if settings.alertmanager_username and settings.alertmanager_password:
            pair = f"{settings.alertmanager_username}:{settings.alertmanager_password.get_secret_value()}"
            self._known.append(("basic", pair.encode(errors="surrogateescape")))

    def __bool__(self) -> bool:
        return bool(self._known)

    def fit(self, authorization: str) -> bool:
        """Whether the header's value is one of them; takes the same time whichever it is, or none."""
        scheme, _, given = authorization.strip().partition(" ")
        proof = (scheme.lower(), _decoded(scheme, given.strip()))
        matches = [(known == proof[0]) & hmac.compare_digest(secret, proof[1]) for known, secret in self._known]
        return any(matches)


def _decoded(scheme: str, given: str) -> bytes:
    raw = given.encode(errors="surrogateescape")
    if scheme.lower() != "basic":
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        return b""
