"""What changes a service: its env file, its folder, and the command that redeploys it. Nothing is run or written."""

import os
import shutil
from collections.abc import Iterator

from sre_bot.catalog import load_catalog
from sre_bot.clients.env_files import EnvFiles
from sre_bot.doctor.finding import Finding, absent, failed, ok, problem, skipped
from sre_bot.doctor.folders import why_not_writable
from sre_bot.doctor.known import Known
from sre_bot.errors import CatalogError, RemediationError
from sre_bot.settings import ROOT, RemediationSettings, StateSettings, load_group


async def look_at_state(known: Known) -> list[Finding]:
    """The folder of the agent's files."""
    folder = load_group(StateSettings, known.environ).state_dir
    if obstacle := why_not_writable(folder):
        return [problem("State folder", obstacle, "Let SRE_STATE_DIR name a folder that this user may write to.")]
    return [ok("State folder", f"{folder}{'' if folder.exists() else ' is not there yet; the first start makes it'}.")]


async def look_at_env_files(known: Known) -> list[Finding]:
    """Every env file that the catalog names: it can be read, and replaced."""
    if broken := known.unusable(RemediationSettings, "Env files"):
        return broken
    try:
        services = load_catalog(known.tools.config_dir).services.values()
    except CatalogError:
        return [skipped("Env files", "The catalog, which names them, cannot be used.")]
    names = [service.env_file for service in services if service.env_file]
    if not names:
        return [absent("Env files", "The catalog names none, so no setting can be changed.", "")]
    folder = known.tools.remediation.env_dir or known.tools.config_dir
    found = list(_unreadable(EnvFiles(folder), names))
    if not found and (obstacle := why_not_writable(folder)):
        # The folder, not the file: a file is replaced as a whole.
        found = [problem("Env files", obstacle, "Give this user write access to it, or correct SRE_ENV_DIR.")]
    return found or [ok("Env files", f"{', '.join(names)} in {folder} can be read and replaced.")]


def _unreadable(files: EnvFiles, names: list[str]) -> Iterator[Finding]:
    for name in names:
        try:
            files.read(name)
        except RemediationError as error:
            yield failed("Env files", error)


async def look_at_command(known: Known) -> list[Finding]:
    """The program of REDEPLOY_COMMAND."""
    if broken := known.unusable(RemediationSettings, "Redeploy command"):
        return broken
    program = known.tools.remediation.redeploy_command[0]
    # One with a slash is meant from the project's folder, where the command runs.
    found = shutil.which(str(ROOT / program) if os.sep in program else program)
    if found:
        return [ok("Redeploy command", f"{program} is {found}.")]
    seen = f"There is no program {program!r} on PATH, so redeploy_service would fail."
    advice = "Install it, or let REDEPLOY_COMMAND begin with a program of this machine."
    if "REDEPLOY_COMMAND" in known.environ:
        return [problem("Redeploy command", seen, advice)]
    return [absent("Redeploy command", f"REDEPLOY_COMMAND is not set. {seen}", advice)]
