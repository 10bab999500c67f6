"""What a call would do, worked out before anybody is asked: the plan that a person sees is made from the call alone.

It reads, and changes nothing. A call that could not succeed is refused here, with the words that the tool would have
used, so that nobody is asked to approve it. Nothing the model wrote about the call goes in: the diff comes from the
file, the blast radius from the catalog.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from sre_bot.catalog import Catalog
from sre_bot.clients.env_files import EnvFile, EnvFiles
from sre_bot.errors import BadRequest
from sre_bot.incidents.plan import Plan, Way
from sre_bot.incidents.record import Record
from sre_bot.tools.masking import MASKED, mask_secrets
from sre_bot.tools.publications import POSTMORTEM
from sre_bot.tools.publishing import plan_publication
from sre_bot.tools.remediation import check_setting, is_shown
from sre_bot.tools.spec import ToolSpec, read_arguments

SHORTEST_SECRET = 4
"""Characters of a secret that is masked where a comment repeats it; a shorter one stands in too many words."""
_LINE_END = re.compile(r"\r\n|\n|\r")  # what ends a line of an env file; `splitlines` knows more, and miscounts

NO_WAY_BACK = "There is no way back by a tool."
RECORDED = frozenset({POSTMORTEM})
"""Tools whose plan is made with what is recorded of the thread."""


class Planner:
    """Makes plans.

    Args:
        specs: the tools that may be called, by name.
        catalog: services and what depends on them.
        files: the folder of env files.
    """

    def __init__(self, specs: Mapping[str, ToolSpec], catalog: Catalog, files: EnvFiles) -> None:
        self._specs = specs
        self._catalog = catalog
        self._files = files

    def plan(self, tool: str, arguments: Mapping[str, Any], record: Record | None = None) -> tuple[Plan, str | None]:
        """The plan of a call, and the hash of the file that it changes, or depends on.

        Args:
            tool: its own name.
            arguments: the model's.
            record: what is recorded of the thread, for a tool of `RECORDED`.

        Raises:
            SreBotError: the call could not succeed; says why.
        """
        spec = self._specs.get(tool)
        if spec is None:
            raise BadRequest(f"There is no tool {tool!r} that could be approved.")
        values = read_arguments(spec, arguments)
        match tool:
            case "update_service_config":
                return self._change(values)
            case "redeploy_service":
                return self._redeploy(values)
            case "pagerduty_create_incident":
                return _page(values), None
            case "pagerduty_update_incident":
                return _update(values), None
            case "confluence_create_postmortem":
                can_resolve = "pagerduty_update_incident" in self._specs
                return plan_publication(values.model_dump(), record, can_resolve=can_resolve), None
        return Plan(spec.describe_call(arguments), rollback=NO_WAY_BACK), None

    def _change(self, values: BaseModel) -> tuple[Plan, str]:
        asked = values.model_dump()
        service, key, value, redeploy = asked["service"], asked["key"], asked["value"], asked["redeploy"]
        known = self._catalog.service(service)
        if known.env_file is None:
            raise BadRequest(f"{service} has no env_file in services.yaml, so nothing of it can be changed.")
        declared = dict(known.config)
        check_setting(service, declared, key, value)
        old = self._files.read(known.env_file)
        if asked["expected_hash"] not in (None, old.hash):
            raise BadRequest(f"{old.name} is not the file that was seen: its hash is {old.hash}. Read it again.")
        new = old.with_value(key, value)
        if new.content == old.content and not redeploy:
            raise BadRequest(f"{key}={value} stands in {old.name} already: there is nothing to change.")
        before = old.values.get(key)
        way = None
        if before is not None and new.content != old.content:
            back = {"service": service, "key": key, "value": before, "redeploy": redeploy}
            way = Way("update_service_config", back, new.hash)
        summary = f"Set {key}={value} for {service}" + (", and redeploy it" if redeploy else "")
        plan = Plan(
            summary,
            diff=_diff(old, new, declared),
            affects=self._radius(service) if redeploy else (),
            rollback=f"Set {key}={before} again" + (", and redeploy" if redeploy else "") if way else NO_WAY_BACK,
            way_back=way,
            check=self._check(service) if redeploy else "The file's hash; nothing takes effect before a redeploy.",
            watch=self._watched(service) if redeploy else (),
        )
        return plan, old.hash

    def _redeploy(self, values: BaseModel) -> tuple[Plan, str | None]:
        service = values.model_dump()["service"]
        known = self._catalog.service(service)
        file = self._files.read(known.env_file) if known.env_file else None
        plan = Plan(
            f"Redeploy {service} with its present configuration",
            affects=self._radius(service),
            rollback="Nothing is changed; what ran before ran with the configuration of its last deployment.",
            check=self._check(service),
            watch=self._watched(service),
        )
        return plan, file.hash if file else None

    def _radius(self, service: str) -> tuple[str, ...]:
        """Whoever notices: the service restarts, and what calls it, directly or through others, waits meanwhile."""
        lines = [f"{service} restarts"]
        seen, line = {service}, [service]
        while line:
            called = line.pop(0)
            for caller in self._catalog.callers(called):
                if caller not in seen:
                    seen.add(caller)
                    line.append(caller)
                    lines.append(f"{caller} calls {called}")
        return tuple(lines)

    def _watched(self, service: str) -> tuple[str, ...]:
        return (service, *self._catalog.callers(service))

    def _check(self, service: str) -> str:
        titles = ", ".join(signal.title for signal in self._catalog.signals.values() if signal.decides)
        return f"The figures of {service} against the catalog's thresholds, before and after: {titles}."


def _diff(old: EnvFile, new: EnvFile, declared: Mapping[str, Any]) -> str:
    """A unified diff in which every value that is not to be seen is masked, also where a comment repeats it."""
    hidden = [value for key, value in old.values.items() if value and not is_shown(dict(declared), key)]
    lines = difflib.unified_diff(
        _masked(old, declared, hidden), _masked(new, declared, hidden), old.name, new.name, n=1, lineterm=""
    )
    return "\n".join(lines)


def _masked(file: EnvFile, declared: Mapping[str, Any], hidden: Sequence[str]) -> list[str]:
    lines = [_hide(line, hidden) for line in _LINE_END.split(file.content.decode("utf-8", "replace"))]
    starts = sorted([*file.lines.values(), len(lines) + 1])
    for (key, number), following in zip(file.lines.items(), starts[1:], strict=True):
        if not is_shown(dict(declared), key):
            lines[number - 1] = f"{key}={MASKED}"
            # A quoted value goes on over as many lines as it has line ends.
            last = min(following - 1, number + len(_LINE_END.findall(file.values[key])))
            lines[number:last] = [MASKED] * (last - number)
    return lines[:-1] if lines[-1] == "" else lines


def _hide(line: str, hidden: Sequence[str]) -> str:
    """A line of a file for people: whatever a comment says of a secret is masked too."""
    assignment, mark, comment = line.partition("#")
    for value in hidden:
        if len(value) >= SHORTEST_SECRET:
            comment = comment.replace(value, MASKED)
    return assignment + mark + mask_secrets(comment)


def _page(values: BaseModel) -> Plan:
    asked = values.model_dump()
    return Plan(
        f"Page the on-call person ({asked['urgency']} urgency): {asked['title']}",
        affects=("whoever is on call for the configured PagerDuty service is notified",),
        rollback="The incident can be resolved; a page cannot be taken back.",
        check="PagerDuty shows the incident.",
        preview=f"{asked['title']}\n\n{asked['details']}".strip(),
    )


def _update(values: BaseModel) -> Plan:
    asked = values.model_dump()
    done = " and ".join(filter(None, (asked["action"], "add a note to" if asked["note"] else "")))
    return Plan(
        f"{done.capitalize()} PagerDuty incident {asked['incident']}",
        affects=("acknowledging and resolving end the paging of people",) if asked["action"] else (),
        rollback="A resolved incident stays resolved; the next trigger opens a new one.",
        check="PagerDuty shows its state.",
        preview=asked["note"],
    )
