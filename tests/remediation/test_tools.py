"""The three tools: what they show, what they change, what they refuse, and what stands after a failure."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.settings import ROOT
from sre_bot.tools.remediation import Remediation
from tests.remediation.conftest import CATALOG, FILE, call, listing, remediation

FAILS = (sys.executable, "-c", "print('image of tok-very-secret not found'); raise SystemExit(3)")


def hash_of(folder: Path) -> str:
    return EnvFiles(folder).read("shop.env").hash


async def test_reading_shows_values_bounds_and_hash_and_masks_what_is_secret_or_unknown(folder: Path) -> None:
    answer = await call(remediation(folder), "read_service_config", service="shop")
    lines = answer.text.splitlines()
    assert lines[0].startswith(f"shop: shop.env, hash {hash_of(folder)}, 5 keys, read ")
    assert lines[1:] == [
        "POOL=1 | integer 1 to 200 | Connections per worker",
        "RATIO=0.5 | number 0 to 1 | Share of requests",
        "MODE=fast | one of fast, slow | How it works",
        "API_TOKEN=(masked) | secret, never changed by a tool | Key of the shop",
        "DB_URL=(masked) | not declared in services.yaml, cannot be changed",
        "RELEASE is not set | text like .* | The release",
        "(masked): the value is there and is withheld: a secret, or a key that services.yaml lacks.",
        "The service reads this at its deployment: what runs may differ from the file.",
    ]


async def test_changing_gives_the_diff_of_one_line_and_the_way_back(folder: Path) -> None:
    before = hash_of(folder)
    answer = await call(
        remediation(folder), "update_service_config", service="shop", key="POOL", value="20", expected_hash=before
    )
    after = hash_of(folder)
    assert not answer.is_error
    assert answer.text.splitlines() == [
        f"CHANGED shop.env, hash {before} → {after}; shop.env.bak holds what was before",
        "@@ line 4 @@",
        "-POOL=1",
        "+POOL=20",
        f'Way back: update_service_config(service="shop", key="POOL", value="1", expected_hash="{after}")',
        'NOT YET IN EFFECT: shop reads it at redeploy_service(service="shop").',
    ]
    assert (folder / "shop.env").read_text() == FILE.replace("POOL=1 ", "POOL=20 ")


async def test_a_change_with_its_redeploy_is_one_call(folder: Path) -> None:
    answer = await call(
        remediation(folder), "update_service_config", service="shop", key="POOL", value="20", redeploy=True
    )
    assert not answer.is_error
    assert ", redeploy=true)\nREDEPLOYED shop: exit status 0 after " in answer.text
    assert answer.text.endswith("Output:\ndeployed shop")
    assert "NOT YET" not in answer.text


async def test_a_value_that_stands_already_writes_nothing_and_is_still_redeployed(folder: Path) -> None:
    before = listing(folder)
    answer = await call(
        remediation(folder), "update_service_config", service="shop", key="POOL", value="1", redeploy=True
    )
    assert answer.text.startswith("UNCHANGED: POOL=1 stands in shop.env already")
    assert "REDEPLOYED shop" in answer.text
    assert listing(folder) == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (FAILS, "The redeploy: exit status 3 after "),
        (("no-such-program",), "'no-such-program' cannot be started"),
    ],
)
async def test_a_redeploy_that_fails_puts_the_file_back(folder: Path, command: tuple[str, ...], words: str) -> None:
    before = hash_of(folder)
    answer = await call(
        remediation(folder, command), "update_service_config", service="shop", key="POOL", value="20", redeploy=True
    )
    assert answer.is_error
    assert f"The redeploy of shop FAILED, and shop.env is again as it was (hash {before})" in answer.text
    assert words in answer.text
    assert "tok-very-secret" not in answer.text
    assert (folder / "shop.env").read_text() == FILE


async def test_a_file_that_somebody_edits_during_the_redeploy_is_not_overwritten_by_the_way_back(folder: Path) -> None:
    edit = f"from pathlib import Path; Path({str(folder / 'shop.env')!r}).write_text('POOL=9'); raise SystemExit(1)"
    answer = await call(
        remediation(folder, (sys.executable, "-c", edit)),
        "update_service_config",
        service="shop",
        key="POOL",
        value="20",
        redeploy=True,
    )
    assert answer.is_error
    assert "shop.env could NOT be restored" in answer.text
    assert "shop.env.bak holds the earlier content" in answer.text
    assert (folder / "shop.env").read_text() == "POOL=9"


async def test_only_one_change_or_redeploy_goes_on_at_a_time(folder: Path) -> None:
    started, go = folder / "started", folder / "go"
    waits = (
        "import sys, time\nfrom pathlib import Path\n"
        f"Path({str(started)!r}).touch()\nwhile not Path({str(go)!r}).exists(): time.sleep(0.01)"
    )
    slow = remediation(folder, (sys.executable, "-c", waits))
    other = Remediation(slow._catalog, EnvFiles(folder, lock_timeout=0.1), slow._redeployer)
    first = asyncio.create_task(
        call(slow, "update_service_config", service="shop", key="POOL", value="20", redeploy=True)
    )
    while not started.exists():
        await asyncio.sleep(0.01)
    for name, arguments in (
        ("update_service_config", {"service": "shop", "key": "MODE", "value": "slow"}),
        ("redeploy_service", {"service": "shop"}),
    ):
        answer = await call(other, name, **arguments)
        assert answer.is_error
        assert "Another change or redeploy is going on" in answer.text
    go.touch()
    assert not (await first).is_error


async def test_redeploying_alone_reports_what_the_command_said(folder: Path) -> None:
    answer = await call(remediation(folder), "redeploy_service", service="db")
    assert answer.text.startswith("REDEPLOYED db: exit status 0 after ")
    failed = await call(remediation(folder, FAILS), "redeploy_service", service="shop")
    assert failed.is_error
    assert "The redeploy of shop FAILED. No file was changed." in failed.text
    assert failed.text.endswith("Output:\nimage of (masked) not found")


async def test_a_redeploy_of_another_file_than_the_one_seen_is_refused(folder: Path) -> None:
    group = remediation(folder)
    seen = hash_of(folder)
    assert not (await call(group, "redeploy_service", service="shop", expected_hash=seen)).is_error
    (folder / "shop.env").write_text("POOL=9\n")
    answer = await call(group, "redeploy_service", service="shop", expected_hash=seen)
    assert answer.is_error
    assert f"not {seen}. Nothing was changed" in answer.text
    assert (await call(group, "redeploy_service", service="db", expected_hash=seen)).is_error


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"service": "db"}, "db has no env_file in services.yaml. Services that have one: shop."),
    ({"service": "../shop"}, "No service '../shop' in the catalog"),
    ({"service": "shop/../../etc"}, "No service"),
    ({"key": "PATH"}, "'PATH' is no key of shop that may be changed. Nothing was changed. Keys: POOL, RATIO, MODE"),
    ({"key": "API_TOKEN", "value": "x"}, "'API_TOKEN' is no key of shop that may be changed"),
    ({"key": "POOL\nEVIL"}, "no key of shop"),
    ({"key": "pool"}, "no key of shop"),
    ({"value": "0"}, "POOL must be integer 1 to 200, not '0'. Nothing was changed. (Connections per worker.)"),
    ({"value": "201"}, "POOL must be integer 1 to 200"),
    ({"value": "9" * 100_000}, "POOL must be integer 1 to 200"),
    ({"value": "020"}, "POOL must be"),
    ({"value": "2e1"}, "POOL must be"),
    ({"value": "20.0"}, "POOL must be"),
    ({"value": "\uff12\uff10"}, "POOL must be"),
    ({"value": " 20"}, "POOL must be"),
    ({"value": "20\n"}, "POOL must be"),
    ({"value": "20\nEVIL=1"}, "POOL must be"),
    ({"value": "20\r\nEVIL=1"}, "POOL must be"),
    ({"value": ""}, "POOL must be"),
    ({"key": "RATIO", "value": "nan"}, "RATIO must be number 0 to 1"),
    ({"key": "RATIO", "value": "inf"}, "RATIO must be"),
    ({"key": "MODE", "value": "medium"}, "MODE must be one of fast, slow"),
    ({"key": "RELEASE", "value": "$(touch x)"}, "RELEASE must be text like .*"),
    ({"key": "RELEASE", "value": "`id`"}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "1.0 # x"}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "1;id"}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "a'b"}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "${API_TOKEN}"}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "x" * 201}, "RELEASE must be"),
    ({"key": "RELEASE", "value": "a\x00b"}, "RELEASE must be"),
    ({"expected_hash": "0" * 16}, "shop.env is not the file that was seen: its hash is "),
    ({"expected_hash": ""}, "is not the file that was seen"),
    ({"path": "/etc/passwd"}, "there is no argument 'path'"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=lambda value: repr(value)[:50])
async def test_what_is_not_allowed_changes_nothing_on_disk(folder: Path, changes: dict[str, Any], words: str) -> None:
    before, around = listing(folder), listing(folder.parent)
    arguments = {"service": "shop", "key": "POOL", "value": "20", "redeploy": True, **changes}
    answer = await call(remediation(folder, FAILS), "update_service_config", **arguments)
    assert answer.is_error
    assert words in answer.text
    assert "The redeploy" not in answer.text
    assert (listing(folder), listing(folder.parent)) == (before, around)


async def test_two_changes_from_the_same_reading_cannot_both_be_made(folder: Path) -> None:
    group, seen = remediation(folder), hash_of(folder)
    answers = await asyncio.gather(
        *(
            call(group, "update_service_config", service="shop", key="POOL", value=value, expected_hash=seen)
            for value in ("20", "30")
        )
    )
    assert sorted(answer.is_error for answer in answers) == [False, True]


ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=3), max_size=2)
LIKELY = st.sampled_from(["shop", "db", "POOL", "API_TOKEN", "20", "../x", "a\nb", "${X}", "'", "\ud800", "\x00"])


@settings(max_examples=80)
@given(
    name=st.sampled_from(["read_service_config", "update_service_config", "redeploy_service"]),
    arguments=st.dictionaries(
        st.sampled_from(["service", "key", "value", "expected_hash", "redeploy"]) | st.text(max_size=5), ANY | LIKELY
    ),
)
def test_any_arguments_give_a_bounded_answer_and_a_file_that_still_parses(
    tmp_path_factory: pytest.TempPathFactory, name: str, arguments: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "services.yaml").write_text(CATALOG)
    (folder / "shop.env").write_text(FILE)
    arguments.pop("name", None)
    answer = asyncio.run(call(remediation(folder, ("true",)), name, **arguments))
    assert "defect of the tool" not in answer.text
    assert 0 < len(answer.text) < 4_000
    assert "very-secret" not in answer.text
    assert "hunter2" not in answer.text
    values = EnvFiles(folder).read("shop.env").values
    assert values["DB_URL"] == "postgres://shop:hunter2@db/shop"
    assert {path.name for path in folder.iterdir()} <= {"services.yaml", "shop.env", "shop.env.bak"}


async def test_the_shipped_incident_is_mended_through_this_tool_alone(tmp_path: Path) -> None:

    for name in ("services.yaml", "api-server.env"):
        (tmp_path / name).write_bytes((ROOT / "config" / name).read_bytes())
    healthy = (tmp_path / "api-server.env").read_text()
    (tmp_path / "api-server.env").write_text(healthy.replace("DB_POOL_SIZE=20", "DB_POOL_SIZE=1"))
    answer = await call(
        remediation(tmp_path),
        "update_service_config",
        service="api-server",
        key="DB_POOL_SIZE",
        value="20",
        redeploy=True,
    )
    assert not answer.is_error
    assert (tmp_path / "api-server.env").read_text() == healthy


def test_every_key_of_the_shipped_env_file_is_declared_and_its_value_allowed() -> None:

    catalog = load_catalog(ROOT / "config")
    declared = catalog.service("api-server").config
    file = EnvFiles(ROOT / "config").read("api-server.env")
    assert {key: declared[key].accepts(value) for key, value in file.values.items()} == dict.fromkeys(declared, True)
