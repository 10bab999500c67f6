"""Secrets that turn up in settings and in log lines, replaced before anyone reads them.

By the name of a setting, and by the forms in which secrets usually stand in text. It is a net, not a proof: a secret in
a form of its own passes.
"""

import re

MASKED = "(masked)"

_SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|DSN|DATABASE_URL", re.I)
_SECRET_TEXT = re.compile(
    r"""
    (?P<scheme> \b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{0,80}: ) [^\s@/]{1,200} (?=@)            # user:password@host
    | (?P<header> \bauthorization["']?\s{0,3}[=:]\s{0,3}["']? (?:\w{1,20}\s)? ) [^\s"',;]+      # Authorization: Basic x
    | (?P<bearer> \bbearer\s ) (?=\S{0,200}\d) [A-Za-z0-9._~+/=-]{12,}                        # Bearer x, wherever
    | (?P<name> \b[\w.-]{0,40}(?:passw(?:or)?d|pwd|secret|token|api[_-]?key|access[_-]?key|credentials?)
        ["']?\s{0,3}[=:]\s{0,3}["']? ) (?!\s) [^\s"',;&]{1,}                                  # password=value
    | \b (?: xox[a-z]-[\w-]{8,} | gh[pousr]_\w{16,} | sk-[\w-]{16,} | AKIA[0-9A-Z]{16} )     # keys by their own look
    | \b eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]* (?![\w-])                                            # JSON web token
    """,
    re.I | re.X,
)


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name is taken for a secret whatever its value is."""
    return bool(_SECRET_NAME.search(name))


def mask_secrets(text: str) -> str:
    """`text` with what looks like a secret replaced by MASKED; what precedes it stays."""
    return _SECRET_TEXT.sub(lambda found: "".join(filter(None, found.groups())) + MASKED, text)
