"""The env file on disk: one key changes and nothing else, or nothing does."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_bot.clients.env_files import MAX_BYTES, EnvFile, EnvFiles, _parse
from sre_bot.errors import RemediationError
from sre_bot.settings import ROOT
from tests.remediation.conftest import FILE, listing


def changed(text: str, key: str = "POOL", value: str = "20") -> str:
    return _parse("shop.env", text.encode()).with_value(key, value).content.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("POOL=1\n", "POOL=20\n"),
        ("POOL=1", "POOL=20"),
        ("POOL=\n", "POOL=20\n"),
        ("  POOL = 1  # why\n", "  POOL = 20  # why\n"),
        ("POOL= # why\n", "POOL=20 # why\n"),
        ("export POOL='1' # why\r\n", "export POOL=20 # why\r\n"),
        ('POOL="1 # not a comment"\n', "POOL=20\n"),
        ("POOL=1#2\n", "POOL=20\n"),
        ("\n\n# a\n\nPOOL=1\n\n# b\nOTHER=1\n", "\n\n# a\n\nPOOL=20\n\n# b\nOTHER=1\n"),
        ("\ufeffPOOL=1\n", "\ufeffPOOL=20\n"),
        ("OTHER=1\n", "OTHER=1\nPOOL=20\n"),
        ("OTHER=1", "OTHER=1\nPOOL=20\n"),
        ("", "POOL=20\n"),
        ("POOLS=1\nXPOOL=2\n# POOL=3\nPOOL=4\n", "POOLS=1\nXPOOL=2\n# POOL=3\nPOOL=20\n"),
        ("TEXT='a\nPOOL=7\nb'\nPOOL=1\n", "TEXT='a\nPOOL=7\nb'\nPOOL=20\n"),
    ],
)
def test_one_value_changes_and_every_other_byte_stays(before: str, after: str) -> None:
    assert changed(before) == after


@pytest.mark.parametrize("text", ["POOL\n", "POOL='a\nb'\n", "'POOL'=1\n", 'POOL="a\\"b"\n'])
def test_an_assignment_that_cannot_be_changed_alone_is_left_to_a_person(text: str) -> None:
    with pytest.raises(RemediationError, match=r"POOL is assigned in a way .* \(line 1\)\. Nothing was changed"):
        changed(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\n\nPOOL=1\nPOOL=2\n", r"line 4: POOL is there twice, first on line 3"),
        ("A=1\nPOOL='1\n", "line 2: cannot be parsed"),
        ("A=1\n\n\n= x 'y\n", "line 4: cannot be parsed"),
    ],
)
def test_a_file_that_is_not_understood_to_its_last_line_is_refused(text: str, words: str) -> None:
    with pytest.raises(RemediationError, match=words):
        changed(text)


ANYTHING = st.text(st.sampled_from("AB=\"'#\\ \t\r\n${}x1\ufeff"), max_size=60)


@given(before=ANYTHING, after=ANYTHING)
def test_whatever_is_around_it_only_this_value_changes_or_the_file_is_refused(before: str, after: str) -> None:
    text = f"{before}\nPOOL=1\n{after}"
    try:
        old = _parse("f", text.encode())
        new = old.with_value("POOL", "20")
    except RemediationError:
        return
    assert dict(new.values) == {**old.values, "POOL": "20"}
    assert list(new.values)[: len(old.values)] == list(old.values)
    assert len(new.content.splitlines()) - len(old.content.splitlines()) == (0 if "POOL" in old.values else 1)


async def replace(folder: Path, key: str = "POOL", value: str = "20") -> tuple[EnvFile, EnvFile]:
    files = EnvFiles(folder)
    async with files.exclusively():
        old = files.read("shop.env")
        new = old.with_value(key, value)
        files.replace(old, new)
    return old, new


async def test_a_change_keeps_the_old_file_as_a_backup_and_leaves_nothing_else(folder: Path) -> None:
    (folder / "shop.env").chmod(0o640)
    old, new = await replace(folder)
    assert listing(folder) == {
        "services.yaml": (folder / "services.yaml").read_bytes(),
        "shop.env": FILE.replace("POOL=1 ", "POOL=20 ").encode(),
        "shop.env.bak": FILE.encode(),
    }
    assert (folder / "shop.env").stat().st_mode & 0o777 == 0o640
    assert (folder / "shop.env.bak").stat().st_mode & 0o777 == 0o640
    assert EnvFiles(folder).read("shop.env").hash == new.hash != old.hash


async def test_a_change_is_taken_back_to_the_byte(folder: Path) -> None:
    old, new = await replace(folder)
    EnvFiles(folder).restore(old, new)
    assert (folder / "shop.env").read_text() == FILE


async def test_neither_a_change_nor_its_way_back_overwrites_what_somebody_else_wrote(folder: Path) -> None:
    files = EnvFiles(folder)
    old = files.read("shop.env")
    new = old.with_value("POOL", "20")
    (folder / "shop.env").write_text("POOL=7\n")
    with pytest.raises(RemediationError, match="changed by somebody else just now; it is left as it is"):
        files.replace(old, new)
    with pytest.raises(RemediationError, match="changed by somebody else"):
        files.restore(old, new)
    assert (folder / "shop.env").read_text() == "POOL=7\n"


@pytest.mark.parametrize("name", ["../secret.env", "/etc/passwd", "", ".", "..", "a/b", "nothing.env"])
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    (folder.parent / "secret.env").write_text("A=1\n")
    with pytest.raises(RemediationError):
        EnvFiles(folder).read(name)


@pytest.mark.parametrize("what", ["symlink", "dangling", "directory", "pipe", "large", "binary", "absent"])
def test_what_is_no_plain_text_file_is_refused_and_not_followed(folder: Path, what: str) -> None:
    path = folder / "shop.env"
    path.unlink()
    elsewhere = folder.parent / "elsewhere.env"
    elsewhere.write_text("POOL=1\n")
    match what:
        case "symlink":
            path.symlink_to(elsewhere)
        case "dangling":
            path.symlink_to(folder.parent / "nowhere")
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "large":
            path.write_text("A=1\n" * MAX_BYTES)
        case "binary":
            path.write_bytes(b"POOL=\xff\xfe\n")
    with pytest.raises(RemediationError, match=r"shop\.env (cannot be used|is not|is larger)"):
        EnvFiles(folder).read("shop.env")
    assert elsewhere.read_text() == "POOL=1\n"


async def test_a_symlink_put_in_place_of_the_file_or_its_backup_is_not_written_through(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.write_text("precious")
    (folder / "shop.env.bak").symlink_to(elsewhere)
    (folder / ".shop.env.new").symlink_to(elsewhere)
    old, new = await replace(folder)
    (folder / "shop.env").unlink()
    (folder / "shop.env").symlink_to(elsewhere)
    with pytest.raises(RemediationError, match="symbolic link"):
        EnvFiles(folder).restore(old, new)
    assert elsewhere.read_text() == "precious"
    assert (folder / "shop.env.bak").read_text() == FILE


async def test_a_folder_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(RemediationError, match="SRE_ENV_DIR"):
        EnvFiles(tmp_path / "nowhere").read("shop.env")


async def test_a_second_writer_waits_and_at_last_gives_up(folder: Path) -> None:
    async with EnvFiles(folder).exclusively():
        with pytest.raises(RemediationError, match="Another change or redeploy is going on"):
            async with EnvFiles(folder, lock_timeout=0.2).exclusively():
                pytest.fail("two at once")
    await replace(folder)


async def test_writers_of_many_processes_lose_no_change(folder: Path) -> None:
    (folder / "shop.env").write_text("".join(f"K{n}=0\n" for n in range(6)))
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", COUNTS_TO_TEN, str(folder), f"K{n}", cwd=ROOT)
        for n in range(6)
    ]
    assert [await writer.wait() for writer in writers] == [0] * 6
    assert (folder / "shop.env").read_text() == "".join(f"K{n}=10\n" for n in range(6))


COUNTS_TO_TEN = """
import asyncio, sys
from pathlib import Path
from sre_bot.clients.env_files import EnvFiles

async def count():
    files = EnvFiles(Path(sys.argv[1]), lock_timeout=60)
    for number in range(1, 11):
        async with files.exclusively():
            old = files.read("shop.env")
            files.replace(old, old.with_value(sys.argv[2], str(number)))

asyncio.run(count())
"""


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        ("backup", {"shop.env": FILE, ".shop.env.bak.new": FILE}),
        ("between", {"shop.env": FILE, "shop.env.bak": FILE, ".shop.env.new": FILE.replace("POOL=1 ", "POOL=20 ")}),
        ("after", {"shop.env": FILE.replace("POOL=1 ", "POOL=20 "), "shop.env.bak": FILE}),
    ],
)
def test_a_process_killed_at_any_rename_leaves_a_whole_file_and_the_next_change_works(
    folder: Path, moment: str, left: dict[str, str]
) -> None:
    renames = {"backup": 0, "between": 1, "after": 2}[moment]
    ended = subprocess.run([sys.executable, "-c", DIES_AT_A_RENAME, str(folder), str(renames)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    (folder / "services.yaml").unlink()
    assert {name: content.decode() for name, content in listing(folder).items()} == left
    asyncio.run(replace(folder, value="21"))
    assert set(listing(folder)) == {"shop.env", "shop.env.bak"}
    assert "POOL=21 " in (folder / "shop.env").read_text()


DIES_AT_A_RENAME = """
import os, signal, sys
from pathlib import Path
from sre_bot.clients.env_files import EnvFiles

left, rename = [int(sys.argv[2])], os.rename

def counted(*arguments, **more):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    rename(*arguments, **more)

os.rename = counted
files = EnvFiles(Path(sys.argv[1]))
old = files.read("shop.env")
files.replace(old, old.with_value("POOL", "20"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_disk_that_is_full_leaves_the_file_as_it_was(folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HAS_NO_ROOM, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "cannot be used: File too large. It is as it was." in ended.stdout
    assert (folder / "shop.env").read_text() == FILE
    assert not [name for name in listing(folder) if name.startswith(".")]


HAS_NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from sre_bot.clients.env_files import EnvFiles
from sre_bot.errors import RemediationError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files = EnvFiles(Path(sys.argv[1]))
old = files.read("shop.env")
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
try:
    files.replace(old, old.with_value("POOL", "20"))
except RemediationError as error:
    sys.stdout.write(str(error))
"""
