"""A folder with an env file of its own, the tools on it, and a redeploy command that is a few lines of Python."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.clients.redeployment import Redeployer
from sre_bot.tools.remediation import Remediation
from sre_bot.tools.spec import Answer, Tool, specs_of

FILE = """\
# Settings of shop.

# Connections of each worker.
POOL=1   # lowered on Friday
export RATIO="0.5"
MODE='fast'

API_TOKEN=tok-very-secret
DB_URL=postgres://shop:hunter2@db/shop
"""

CATALOG = """\
services:
  shop:
    purpose: Sells
    owner: Shop team
    escalation: "#shop"
    depends_on: [db]
    env_file: shop.env
    config:
      POOL: {type: integer, minimum: 1, maximum: 200, purpose: Connections per worker}
      RATIO: {type: number, minimum: 0, maximum: 1, purpose: Share of requests}
      MODE: {type: text, values: [fast, slow], purpose: How it works}
      RELEASE: {type: text, pattern: '.*', purpose: The release}
      API_TOKEN: {type: secret, purpose: Key of the shop}
  db:
    purpose: Stores
    owner: DB team
    escalation: "#db"
signals: {}
"""

FINE = (sys.executable, "-c", "import sys; print('deployed', sys.argv[1])", "{service}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Configuration and env files; nothing else is in it."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "services.yaml").write_text(CATALOG)
    (folder / "shop.env").write_text(FILE)
    return folder


def remediation(folder: Path, command: Sequence[str] = FINE, timeout: float = 30.0) -> Remediation:
    return Remediation(load_catalog(folder), EnvFiles(folder), Redeployer(command, timeout, folder))


async def call(group: Remediation, name: str, **arguments: object) -> Answer:
    spec = next(spec for spec in specs_of(Remediation) if spec.name == name)
    return await Tool(spec, group).call(arguments)


def listing(folder: Path) -> dict[str, bytes]:
    """Every file in the folder with its content: to tell that nothing changed."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
