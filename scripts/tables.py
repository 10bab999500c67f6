"""Writes the tables of README.md that are made from the code; with --check it only says whether they are stale.

Each stands between two comments, `<!-- table: NAME -->` and `<!-- end of table -->`.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sre_bot.settings import Settings  # noqa: E402 - the checkout is not an installed package
from sre_bot.settings.fields import Group  # noqa: E402
from sre_bot.tools.offer import describe_tools  # noqa: E402
from sre_bot.tools.spec import Access  # noqa: E402

README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- table: (?P<name>[a-z]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def tools() -> str:
    """Every tool with what the model is told of it, in the order in which the server lists them."""
    rows = ["| Tool | Acts | What the model is told of it |", "|---|---|---|"]
    for spec in describe_tools():
        told = " ".join(spec.description.split())
        rows.append(
            f"| `{spec.name}` | {'reads' if spec.access is Access.READ else 'needs an approval'} | {_cell(told)} |"
        )
    return "\n".join(rows)


def settings() -> str:
    """Every environment variable, group by group."""
    rows = ["| Variable | Default | What it is |", "|---|---|---|"]
    for group, fields, optional in _groups(Settings, optional=False):
        title = (group.__doc__ or "").strip().splitlines()[0]
        rows.append(f"| **{_cell(title)}** | {'may be absent' if optional else ''} | |")
        rows += [f"| `{field.alias}` | {_default(field)} | {_cell(field.description or '')} |" for field in fields]
    return "\n".join(rows)


def _groups(group: type[Group], *, optional: bool) -> Iterator[tuple[type[Group], list[FieldInfo], bool]]:
    own = [field for field in group.model_fields.values() if field.alias]
    if own:
        yield group, own, optional
    for field in group.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, Group):
                yield from _groups(inner, optional=not field.is_required())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value: Any = field.default
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        value = " ".join(value)
    return f"`{str(value).replace(str(ROOT), '.')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def render(text: str) -> str:
    """The document with its tables made anew."""
    made = {"tools": tools, "settings": settings}
    return TABLE.sub(lambda found: f"{found[1]}{made[found['name']]()}\n{found[3]}", text)


def main() -> int:
    """Write, or check: 1 where a table is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 where a table is stale")
    check = parser.parse_args().check
    before = README.read_text(encoding="utf-8")
    after = render(before)
    if check and after != before:
        print("README.md has a stale table: run `make tables`.", file=sys.stderr)
        return 1
    if after != before:
        README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
