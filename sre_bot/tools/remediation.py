"""Reading and changing a service's configuration, and redeploying it: the only tools that change the services.

The model names a service and a key, never a path or a command: the file is the catalog's, the values are bounded by the
catalog's schema, and the command is the operator's. A change with its redeploy is one act: when the redeploy fails, the
file is put back. The group refuses whatever is not declared, and says after every failure what stands now. Whether
a call may run at all is decided around it (`approval.py`), not here.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from sre_bot.catalog import Catalog, Setting
from sre_bot.clients.env_files import EnvFile, EnvFiles
from sre_bot.clients.redeployment import Redeployer, Redeployment
from sre_bot.errors import BadRequest, RemediationError
from sre_bot.tools.masking import MASKED, mask_secrets
from sre_bot.tools.moments import clock
from sre_bot.tools.spec import Access, shorten, tool

_OUTPUT = 1_200  # characters of a command's output, the last ones: an error result holds 2,000
_MASKED_FROM = 4  # characters: a shorter secret would blank out half of any output
_DEADLINE = 600.0  # seconds, above the largest REDEPLOY_TIMEOUT with the wait for the lock

SeenHash = Annotated[str | None, Field(description="From read_service_config")]


class Remediation:
    """Tools that read and change env files and redeploy.

    Args:
        catalog: services, their files and the keys that may be changed.
        files: the folder of env files.
        redeployer: the command.
    """

    def __init__(self, catalog: Catalog, files: EnvFiles, redeployer: Redeployer) -> None:
        self._catalog = catalog
        self._files = files
        self._redeployer = redeployer

    @tool(Access.READ, title="Service configuration", progress="Reading the configuration of {service}")
    async def read_service_config(self, service: str) -> str:
        """Env file of a service: values, what each may be, the file's hash. Secrets are masked."""
        name, declared = self._known(service)
        file = await asyncio.to_thread(self._files.read, name)
        lines = [f"{service}: {name}, hash {file.hash}, {len(file.values)} keys, read {clock(time.time())}"]
        lines += [
            f"{key}={mask_secrets(value) if is_shown(declared, key) else MASKED} | {_describe(declared.get(key))}"
            for key, value in file.values.items()
        ]
        lines += [f"{key} is not set | {_describe(each)}" for key, each in declared.items() if key not in file.values]
        if any(not is_shown(declared, key) for key in file.values):
            lines.append(f"{MASKED}: the value is there and is withheld: a secret, or a key that services.yaml lacks.")
        return "\n".join([*lines, "The service reads this at its deployment: what runs may differ from the file."])

    @tool(
        Access.CHANGE,
        title="Change configuration",
        progress="Setting {key}={value} for {service}",
        timeout=_DEADLINE,
        check="read_service_config and get_service_health",
    )
    async def update_service_config(
        self,
        service: str,
        key: str,
        value: str,
        expected_hash: SeenHash = None,
        redeploy: Annotated[bool, Field(description="Apply it; a failure restores the file")] = False,
    ) -> str:
        """Set one key in a service's env file."""
        name, declared = self._known(service)
        check_setting(service, declared, key, value)
        async with self._files.exclusively():
            old = await asyncio.to_thread(self._files.read, name)
            _compare(old, expected_hash)
            new = old.with_value(key, value)
            if new.content != old.content:
                await asyncio.to_thread(self._files.replace, old, new)
            done = _report_change(service, key, old, new, redeploy=redeploy)
            if redeploy:
                done.append(await self._apply(service, old, new))
        return "\n".join(done)

    @tool(
        Access.CHANGE,
        title="Redeploy",
        progress="Redeploying {service}",
        timeout=_DEADLINE,
        check="get_recent_deployments and get_service_health",
    )
    async def redeploy_service(self, service: str, expected_hash: SeenHash = None) -> str:
        """Redeploy a service with its present configuration."""
        known = self._catalog.service(service)
        async with self._files.exclusively():
            file = await asyncio.to_thread(self._files.read, known.env_file) if known.env_file else None
            _compare(file, expected_hash)
            ended = await self._redeployer.redeploy(service)
        report = f"{ended.ending}\n{_output(ended, _secrets(dict(known.config), file))}"
        if not ended.succeeded:
            raise RemediationError(
                f"The redeploy of {service} FAILED. No file was changed. What runs now is unknown: check "
                f"get_service_health.\nThe redeploy: {report}"
            )
        return f"REDEPLOYED {service}: {report}"

    async def _apply(self, service: str, old: EnvFile, new: EnvFile) -> str:
        """Redeploy with the new file, or put the old one back and raise."""
        secrets = _secrets(self._known(service)[1], new)
        try:
            ended = await self._redeployer.redeploy(service)
            report = f"{ended.ending}\n{_output(ended, secrets)}"
            if ended.succeeded:
                return f"REDEPLOYED {service}: {report}"
        except RemediationError as error:
            report = str(error)
        try:
            if new.content != old.content:
                await asyncio.to_thread(self._files.restore, old, new)
            stands = f"{old.name} is again as it was (hash {old.hash})"
        except RemediationError as error:
            stands = f"{old.name} could NOT be restored ({error}); {old.name}.bak holds the earlier content"
        raise RemediationError(
            f"The redeploy of {service} FAILED, and {stands}. What runs now is unknown: check get_service_health; "
            f"redeploy_service would apply the file as it is.\nThe redeploy: {report}"
        )

    def _known(self, service: str) -> tuple[str, dict[str, Setting]]:
        """The file of a service and its declared keys."""
        known = self._catalog.service(service)
        if known.env_file is None:
            configured = ", ".join(name for name, each in self._catalog.services.items() if each.env_file)
            raise BadRequest(f"{service} has no env_file in services.yaml. Services that have one: {configured}.")
        return known.env_file, dict(known.config)


def _compare(file: EnvFile | None, expected_hash: str | None) -> None:
    """Refuse a file that is not the one whose hash the caller has seen."""
    if expected_hash is None or (file and expected_hash == file.hash):
        return
    found = f"{file.name} is not the file that was seen: its hash is {file.hash}" if file else "There is no env_file"
    raise RemediationError(
        f"{found}, not {shorten(expected_hash, 40)}. Nothing was changed. Read it again with read_service_config."
    )


def check_setting(service: str, declared: dict[str, Setting], key: str, value: str) -> None:
    """Refuse a key that is not declared and a value that its declaration does not allow."""
    if key not in declared or declared[key].type == "secret":
        changeable = ", ".join(name for name, each in declared.items() if each.type != "secret")
        raise BadRequest(
            f"{shorten(key, 60)!r} is no key of {service} that may be changed. Nothing was changed. Keys: {changeable}."
        )
    if not declared[key].accepts(value):
        raise BadRequest(
            f"{key} must be {declared[key].allowed}, not {shorten(value, 60)!r}. Nothing was changed. "
            f"({declared[key].purpose}.)"
        )


def _report_change(service: str, key: str, old: EnvFile, new: EnvFile, *, redeploy: bool) -> list[str]:
    """What was changed, as a diff of the one line: its neighbours may be secrets."""
    before, after = old.values.get(key), new.values[key]
    if new.content == old.content:
        done = [f"UNCHANGED: {key}={after} stands in {old.name} already (hash {old.hash})."]
    else:
        done = [
            f"CHANGED {old.name}, hash {old.hash} → {new.hash}; {old.name}.bak holds what was before",
            f"@@ line {new.lines[key]} @@",
            *([f"-{key}={before}"] if before is not None else []),
            f"+{key}={after}",
        ]
        more = ", redeploy=true" if redeploy else ""
        done.append(
            f'Way back: update_service_config(service="{service}", key="{key}", value="{before}", '
            f'expected_hash="{new.hash}"{more})'
            if before is not None
            else "Way back: a person removes the line."
        )
    if not redeploy:
        done.append(f'NOT YET IN EFFECT: {service} reads it at redeploy_service(service="{service}").')
    return done


def _describe(setting: Setting | None) -> str:
    return f"{setting.allowed} | {setting.purpose}" if setting else "not declared in services.yaml, cannot be changed"


def is_shown(declared: dict[str, Setting], key: str) -> bool:
    """Whether a key's value may be seen: it is declared, and no secret."""
    return key in declared and declared[key].type != "secret"


def _secrets(declared: dict[str, Setting], file: EnvFile | None) -> list[str]:
    values = file.values if file else {}
    return [value for key, value in values.items() if not is_shown(declared, key) and len(value) >= _MASKED_FROM]


def _output(ended: Redeployment, secrets: Sequence[str]) -> str:
    """The end of the command's output, without the secrets of the env file and what looks like one."""
    text = mask_secrets(ended.output)
    if secrets:
        text = re.sub("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))), MASKED, text)
    return f"Output:\n{text[-_OUTPUT:]}" if text else "No output."
