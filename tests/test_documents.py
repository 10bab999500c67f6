"""What the documents claim: every name, path, command and list in them is held against the code."""

import re
import subprocess
from pathlib import Path

import pytest

from sre_bot.doctor.slack import wanted_scopes
from sre_bot.settings import ROOT, Settings
from sre_bot.tools.offer import describe_tools

DOCUMENTS = (
    "README.md",
    "DEMO.md",
    "CLAUDE.md",
    "CHANGELOG.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
)
PATHS = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]*\.[\w.-]+)?|[\w-]+\.(?:py|md|yaml|yml|txt|toml|json))`")
ELSEWHERE = ("sre_bot/", "")  # CLAUDE.md names files of the product by their place below the package


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _variables(group: type) -> set[str]:
    """Every environment variable of a settings class, inner groups included."""
    found: set[str] = set()
    for field in group.model_fields.values():  # type: ignore[attr-defined]
        if field.alias:
            found.add(field.alias)
        candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for inner in candidates:
            if hasattr(inner, "model_fields"):
                found |= _variables(inner)
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_exists(name: str):
    missing = [
        path
        for path in PATHS.findall(_text(name))
        if not any((ROOT / place / path).exists() for place in ELSEWHERE) and not path.startswith(("var/", "chat."))
    ]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_inside_the_project_leads_somewhere(name: str):
    prose = re.sub(r"`[^`]*`", "", _text(name))
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(name: str):
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`(?:\$ )?make ([a-z]+)", _text(name))) <= targets


def test_the_readme_names_every_tool_and_no_other():
    table = _text("README.md").partition("<!-- table: tools -->")[2].partition("<!-- end of table -->")[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == {spec.name for spec in describe_tools()}


def test_the_readme_names_the_scopes_of_the_manifest_and_no_other():
    listed = _text("README.md").partition("the bot scopes\n")[2].partition(". Install it")[0]
    assert re.findall(r"`([a-z_:]+)`", listed) == wanted_scopes()


def test_the_example_environment_names_every_setting_and_no_other():
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", _text(".env.example"), re.MULTILINE))
    assert named == _variables(Settings)


def test_every_setting_that_a_document_names_exists():
    known = _variables(Settings) | {"SRE_ENV_FILE"}
    for name in DOCUMENTS:
        named = set(re.findall(r"`((?:SRE|SLACK|PAGERDUTY|CONFLUENCE|LOKI|PROMETHEUS)_[A-Z_]+)`", _text(name)))
        assert named <= known, name


def test_claude_md_stays_short():
    assert len(_text("CLAUDE.md").splitlines()) < 100


def test_no_python_file_is_longer_than_four_hundred_lines():
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    sizes = {name: len(Path(ROOT, name).read_text().splitlines()) for name in listed.stdout.split()}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_locked_requirements_carry_hashes_and_no_addresses():
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert "://" not in _text(name)
        pins = re.split(r"\n(?=\S)", _text(name).strip())
        assert len(pins) > 50
        assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []
