"""PagerDuty's signature: HMAC-SHA256 of the raw body with each current secret (PagerDuty: "Verifying signatures").

The header is `v1=<hex>,v1=<hex>`: while a secret is rotated there are several, and one match is enough.
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

HEADER = "X-PagerDuty-Signature"

_VERSION = "v1="


def signatures_in(headers: Iterable[str]) -> list[bytes]:
    """The signatures of the version that we know, from every header of the name."""
    entries = (entry.strip() for header in headers for entry in header.split(","))
    return [
        entry.removeprefix(_VERSION).lower().encode(errors="surrogateescape")
        for entry in entries
        if entry.startswith(_VERSION)
    ]


def is_signed(body: bytes, signatures: Sequence[bytes], secrets: Sequence[str]) -> bool:
    """Whether one of the signatures is of one of the secrets; takes the same time whichever it is, or none."""
    expected = [
        hmac.new(secret.encode(errors="surrogateescape"), body, sha256).hexdigest().encode() for secret in secrets
    ]
    matches = [hmac.compare_digest(own, given) for own in expected for given in signatures]
    return any(matches)
